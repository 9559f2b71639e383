"""A conversation that does not even begin leaves no connection behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from alertd.destinations import email_session
from alertd.destinations.base import SendError
from alertd.destinations.email_replies import RefusedError
from alertd.destinations.email_session import Session
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.mail_server import MailServer
from tests.smtp_peer import CUT, HANG, scripted

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection

DEADLINE = 60.0


class Line:
    """Connects to loopback, and keeps what it connected."""

    def __init__(self) -> None:
        self.socks: list[socket.socket] = []
        self.connected = asyncio.Event()

    async def connect(self, host: str, port: int, ports: Collection[int]) -> socket.socket:
        """Connect."""
        sock = await GuardedConnector(EgressPolicy(["127.0.0.0/8"])).connect(host, port, ports)
        self.socks.append(sock)
        self.connected.set()
        return sock

    def open(self) -> list[int]:
        """List the descriptors of those that are still open."""
        return [sock.fileno() for sock in self.socks if sock.fileno() >= 0]


def session(line: Line, port: int) -> Session:
    """Make a session with a server that speaks without TLS."""
    server = MailServer.model_validate(
        {"host": "127.0.0.1", "port": port, "tls": "none", "from": "Alerts <alerts@example.com>"}
    )
    return Session(server, line.connect)


@pytest.mark.parametrize(
    ("greeting", "error"), [(CUT, SendError), ("554 go away", RefusedError), ("garbage", SendError)]
)
async def test_a_greeting_that_is_none_closes_the_connection(greeting: str, error: type[Exception]) -> None:
    """It is closed at once, not when somebody collects it."""
    line = Line()
    async with asyncio.timeout(DEADLINE), scripted(GREETING=greeting) as room:
        with pytest.raises(error):
            await session(line, room.port).open()
        assert line.open() == []


@pytest.mark.parametrize("turns", range(10))
async def test_a_conversation_that_is_cancelled_at_its_greeting_closes_the_connection(turns: int) -> None:
    """A server that never says a word cannot hold the descriptor of whoever gave up, at whatever moment."""
    line = Line()
    async with asyncio.timeout(DEADLINE), scripted(GREETING=HANG) as room:
        opening = asyncio.create_task(session(line, room.port).open())
        await line.connected.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert line.open() == []


async def test_a_server_that_is_refused_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a peer turns out to be another machine, the connection is closed before a word is said."""
    monkeypatch.setattr(email_session, "bare_reason", lambda host: f"{host} is not it")
    line = Line()
    async with asyncio.timeout(DEADLINE), scripted() as room:
        with pytest.raises(SendError, match=r"egress refused: 127\.0\.0\.1 is not it"):
            await session(line, room.port).open()
        assert line.open() == []
        assert room.commands == []
