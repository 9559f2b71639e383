"""What every sender keeps to, against servers that misbehave on loopback: subclass `SenderSuite` and say how to make one."""

from __future__ import annotations

from tests.conformance.sender_connections import SenderConnections
from tests.conformance.sender_exchanges import SenderExchanges
from tests.conformance.sender_safety import SenderSafety
from tests.conformance.sender_tls import SenderTls


class SenderSuite(SenderExchanges, SenderConnections, SenderSafety, SenderTls):
    """The contract of `Sender`, as tests."""
