"""Links that acknowledge an alert without a token: signed, and good for a while. Pure but for the clock.

A link names its alert and its end, and carries a signature over both (HMAC-SHA256, 160 bits) with a key that belongs to
this purpose alone. Whoever has the link may acknowledge this one alert, and nothing else.
"""

from __future__ import annotations

import hmac
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alertd.clock import Clock

LASTS_SECONDS: Final = 7 * 24 * 3600
"""How long after its delivery was made a link is good."""

_TIME: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)


class LinkState(StrEnum):
    """What a link is worth."""

    GOOD = "good"
    FORGED = "forged"
    EXPIRED = "expired"


class AcknowledgeLinks:
    """Makes links and judges them. `secret` must be unguessable."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._key = secret.encode()
        self._clock = clock

    def query(self, alert_id: str, made_ms: int) -> str:
        """Write the query of the link in a delivery that was made at a time; every attempt of it has the same one."""
        until = made_ms // 1000 + LASTS_SECONDS
        return f"until={until}&signature={self._sign(alert_id, until)}"

    def judge(self, alert_id: str, until: str, signature: str) -> LinkState:
        """Say what a link is worth."""
        if not _TIME.fullmatch(until) or not _SIGNATURE.fullmatch(signature):
            return LinkState.FORGED
        if not hmac.compare_digest(signature, self._sign(alert_id, int(until))):
            return LinkState.FORGED
        return LinkState.GOOD if self._clock.now_ms() < int(until) * 1000 else LinkState.EXPIRED

    def _sign(self, alert_id: str, until: int) -> str:
        return hmac.digest(self._key, f"{alert_id}:{until}".encode(), "sha256").hex()[:40]
