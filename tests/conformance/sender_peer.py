"""A server that misbehaves on loopback exactly as it is told, connection after connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import trustme

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Handler = Callable[["Peer"], Awaitable[None]]

DEADLINE: Final = 8.0
"""Seconds that any one wait in these tests may take."""

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One connection as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Server) -> None:
        self.reader = reader
        self.writer = writer
        self.server = server

    async def request(self) -> bytes:
        """Read one whole request; remember and return its bytes."""
        head = await self.head()
        body = await self.reader.readexactly(int(field(head, "content-length") or 0))
        self.server.requests.append(head + body)
        return head + body

    async def serve(self) -> None:
        """Answer all further requests as one should."""
        while True:
            await self.request()
            await self.say(OK)

    async def head(self) -> bytes:
        """Read a request up to its body."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def say(self, data: bytes) -> None:
        """Write."""
        self.writer.write(data)
        await self.writer.drain()

    async def hang(self) -> None:
        """Do nothing until the client goes away."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass
        self.server.left.set()

    def reset(self) -> None:
        """Close with a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


class Server:
    """A server that does what its handler says, connection after connection."""

    def __init__(self, handler: Handler, *, scheme: str = "http") -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self.scheme = scheme
        self.port = 0
        self.requests: list[bytes] = []
        self.connections = 0
        self._more = asyncio.Event()
        self.left = asyncio.Event()
        """Set when a hanging handler saw its client go."""
        self.played = asyncio.Event()
        """Set when a first connection has done what it was told to do."""

    def url(self, host: str = "127.0.0.1") -> str:
        """Make a URL of this server."""
        return f"{self.scheme}://{host}:{self.port}/hook"

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Start the handler."""
        self.connections += 1
        self._more.set()
        task = asyncio.get_running_loop().create_task(self._serve(Peer(reader, writer, self)))
        self._tasks.add(task)

    async def _serve(self, peer: Peer) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):  # the client left
                await self._handler(peer)
        finally:
            peer.writer.transport.abort() if self.scheme == "https" else peer.writer.close()

    async def crowded(self, connections: int) -> None:
        """Wait until so many connections have come."""
        while self.connections < connections:
            self._more.clear()
            await soon(self._more.wait())

    async def deserted(self) -> None:
        """Wait until every handler has ended: none of them ends while its client stays."""
        await soon(asyncio.gather(*self._tasks, return_exceptions=True))

    async def stop(self) -> None:
        """End all handlers. Raises what one of them failed with."""
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        for error in ends:
            if isinstance(error, Exception):
                raise error


@asynccontextmanager
async def serve(
    handler: Handler, context: ssl.SSLContext | None = None, *, address: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    """Run a server on loopback, with TLS when there is a context."""
    server = Server(handler, scheme="https" if context else "http")
    listener = await asyncio.start_server(server.connected, address, 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()


def field(head: bytes, name: str) -> str | None:
    """Find a header's value."""
    for line in head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return None


def answering(*answers: bytes) -> Handler:
    """Answer each request on a connection with the next of the answers (the last one again and again)."""

    async def handler(peer: Peer) -> None:
        for number in range(100):
            await peer.request()
            await peer.say(answers[min(number, len(answers) - 1)])

    return handler


async def turns(count: int = 10) -> None:
    """Let the loop take what has arrived on loopback (the kernel delivers there at once)."""
    for _ in range(count):
        await asyncio.sleep(0)


async def soon(what: Awaitable[Any]) -> Any:
    """Await within the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await what


def certified(*hosts: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a server's context with a certificate for the hosts, and a client's that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@contextmanager
def deaf(address: str, port: int = 0) -> Iterator[int]:
    """Let nobody accept at an address: connections to it hang. Gives the port."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((address, port))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
