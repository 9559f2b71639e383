"""Makes HTTP connections of those that the egress guard permits, and shakes hands."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.destinations.faults import unconnected
from alertd.destinations.http1.connection import Connection
from alertd.destinations.http1.tls import TlsConnection
from alertd.destinations.system_trust import Trust
from alertd.undo import OnFailure

if TYPE_CHECKING:
    import socket
    import ssl

    from yarl import URL

    from alertd.destinations.guarded_connection import GuardedConnector
    from alertd.destinations.http1.patrol import Patrol
    from alertd.destinations.http1.pool import Pool


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a connection is to. `host` is a name, or an address without brackets."""

    tls: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: URL) -> Origin:
        """Read it from a checked URL."""
        return cls(url.scheme == "https", url.raw_host or "", url.port or 0)


class Dialer:
    """Connects. `ssl_context` is for TLS (None: the system's certificates, read when first needed)."""

    def __init__(self, connector: GuardedConnector, ssl_context: ssl.SSLContext | None) -> None:
        self._connector = connector
        self._trust = Trust(ssl_context, "http/1.1")

    async def dial(self, origin: Origin, pool: Pool, patrol: Patrol) -> Connection:
        """Return an open connection that will rest in a pool. Raises SendError: nothing was sent."""
        sock = await self._connector.connect(origin.host, origin.port)
        try:
            return await self._open(origin, sock, pool, patrol)
        except (OSError, RuntimeError) as error:  # uvloop raises RuntimeError, too
            raise unconnected(error) from error

    async def _open(self, origin: Origin, sock: socket.socket, pool: Pool, patrol: Patrol) -> Connection:
        with OnFailure(sock.close):  # nobody else does while the loop has not taken it
            connection = await self._make(origin, sock, pool, patrol)
            with OnFailure(lambda: patrol.discard(connection)):  # cut off here, uvloop does not tell it of its end
                await asyncio.get_running_loop().create_connection(lambda: connection, sock=sock)
        with OnFailure(lambda: connection.end("")):
            await connection.ready()
        return connection

    async def _make(self, origin: Origin, sock: socket.socket, pool: Pool, patrol: Patrol) -> Connection:
        if not origin.tls:
            return Connection(pool, patrol, sock)
        return TlsConnection(pool, patrol, sock, context=await self._trust.context(), host=origin.host.rstrip("."))
