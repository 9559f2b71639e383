"""How a broker is connected to, and that a connection that came to nothing is closed."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.kafka_client import _Doorkeeper
from tests.conformance.sender_peer import Peer, serve, soon

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection


class Line:
    """Connects to loopback, and keeps what it connected."""

    def __init__(self) -> None:
        self.socks: list[socket.socket] = []
        self._connector = GuardedConnector(EgressPolicy(["127.0.0.0/8"]))

    async def connect(self, host: str, port: int, ports: Collection[int]) -> socket.socket:
        """Connect."""
        sock = await self._connector.connect(host, port, ports)
        self.socks.append(sock)
        return sock

    async def reach(self, port: int, *, tls: bool = False, factory: Any = asyncio.Protocol) -> Any:
        """Have the doorkeeper connect."""
        door = _Doorkeeper(asyncio.get_running_loop(), self.connect)
        context = ssl.create_default_context() if tls else None
        return await door.create_connection(factory, "127.0.0.1", port, ssl=context)

    def open(self) -> list[int]:
        """List the descriptors of those that are still open."""
        return [sock.fileno() for sock in self.socks if sock.fileno() >= 0]


async def test_what_is_connected_stays_open() -> None:
    """The transport has the very connection that the guard permitted."""
    line = Line()
    async with serve(Peer.hang) as server:
        transport, _ = await soon(line.reach(server.port))
        assert line.open() == [transport.get_extra_info("socket").fileno()]
        transport.close()
        await server.deserted()


async def test_a_connection_that_the_loop_had_not_taken_is_closed() -> None:
    """Where no protocol can be made, nobody else has the connection."""

    def fails() -> asyncio.Protocol:
        raise ValueError("no protocol")

    line = Line()
    async with serve(Peer.hang) as server:
        with pytest.raises(ValueError, match="no protocol"):
            await soon(line.reach(server.port, factory=fails))
        assert (len(line.socks), line.open()) == (1, [])


async def test_a_handshake_that_fails_closes_the_connection() -> None:
    """A broker without TLS says something else."""

    async def handler(peer: Peer) -> None:
        await peer.say(b"what?" * 10)
        await peer.hang()

    line = Line()
    async with serve(handler) as server:
        with pytest.raises(ssl.SSLError):
            await soon(line.reach(server.port, tls=True))
        assert (len(line.socks), line.open()) == (1, [])
        await server.deserted()


async def test_a_handshake_that_is_cancelled_closes_the_connection() -> None:
    """A broker that never answers cannot hold whoever gave up."""
    line, heard = Line(), asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.reader.read(1)
        heard.set()
        await peer.hang()

    async with serve(handler) as server:
        reaching = asyncio.create_task(line.reach(server.port, tls=True))
        await soon(heard.wait())
        reaching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reaching
        assert (len(line.socks), line.open()) == (1, [])
        await server.deserted()
