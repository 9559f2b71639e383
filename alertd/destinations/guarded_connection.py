"""TCP connections for types that speak no HTTP: to addresses that the egress guard permits and to no other.

A name is resolved once and its addresses are checked; those are connected to, without a second look-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.destinations.faults import EgressRefusedError, refused, unconnected
from alertd.destinations.first_connection import first_connection
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.resolver import Resolver

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection

    from alertd.destinations.resolver import Lookup

_PUBLIC: Final = EgressPolicy()


class GuardedConnector:
    """Connects under one policy. `lookup` resolves a host name and port to addresses (None: the system's resolver)."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup | None = None) -> None:
        self._resolver = Resolver(policy, lookup)

    async def connect(self, host: str, port: int, ports: Collection[int] = ()) -> socket.socket:
        """Return a connected socket; the caller bounds the time, and closes it.

        `ports` are those that a public address may be connected at (empty: any); an address that only `egress.allow`
        permits may be at any. Raises SendError (`alertd.destinations.base`): nothing was sent.
        """
        try:
            addresses = await self._resolver.reachable(host, port)
            for address in addresses:
                _check_port(address, port, ports)
            return await first_connection(addresses, port)
        except EgressRefusedError as error:
            raise refused(error) from error
        except (OSError, RuntimeError) as error:  # uvloop raises RuntimeError, too
            raise unconnected(error) from error

    def close(self) -> None:
        """Stop asking for names. Twice is fine."""
        self._resolver.close()


def _check_port(address: str, port: int, ports: Collection[int]) -> None:
    if ports and port not in ports and _PUBLIC.check_address("", address) is None:
        shown = f"{ports[0]} to {ports[-1]}" if isinstance(ports, range) else ", ".join(map(str, sorted(ports)))
        raise EgressRefusedError(f"port {port} is none of {shown}")
