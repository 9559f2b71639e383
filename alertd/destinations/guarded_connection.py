"""TCP connections to addresses that the egress guard permits and to no other.

A name is resolved once and its addresses are checked; those are connected to, without a second look-up.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from aiohappyeyeballs import start_connection

from alertd.destinations.faults import EgressRefusedError, refused, unconnected
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Collection

    from alertd.destinations.resolver import Lookup

NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long an address of several may take before the next one is tried beside it (RFC 8305)."""
_PUBLIC: Final = EgressPolicy()


class GuardedConnector:
    """Connects under one policy. `lookup` resolves a host name and port to addresses (None: the system's resolver)."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup | None = None) -> None:
        self._resolver = Resolver(policy, lookup)

    async def connect(self, host: str, port: int, ports: Collection[int] = ()) -> socket.socket:
        """Return a connected socket; the caller bounds the time, and closes it.

        `ports` are those that a public address may be connected at (empty: any that the policy permits); an address that
        only `egress.allow` permits may be at any. Raises SendError (`alertd.destinations.base`): nothing was sent.
        """
        try:
            infos = [_info(address, port, ports) for address in await self._resolver.reachable(host, port)]
            return await start_connection(infos, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)
        except EgressRefusedError as error:
            raise refused(error) from error
        except (OSError, RuntimeError) as error:  # uvloop raises RuntimeError, too
            raise unconnected(error) from error

    def close(self) -> None:
        """Stop asking for names. Twice is fine."""
        self._resolver.close()


def _info(address: str, port: int, ports: Collection[int]) -> tuple[int, int, int, str, tuple[str, int]]:
    if ports and port not in ports and _PUBLIC.check_address("", address) is None:
        shown = f"{ports[0]} to {ports[-1]}" if isinstance(ports, range) else ", ".join(map(str, sorted(ports)))
        raise EgressRefusedError(f"port {port} is none of {shown}")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
