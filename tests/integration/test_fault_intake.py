"""Faults of clients of the intake: slow ones, hostile ones. Each is cut off in bounded time; others are served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web

from alertd.api import server as http_server
from alertd.api.auth import Authenticator
from alertd.api.edge import make_edge, make_gate
from alertd.api.expect import GATE
from alertd.api.listener import Listener
from alertd.api.refusals import Refusals
from alertd.clock import SystemClock
from alertd.intake import http as http_intake
from alertd.metrics import Metrics
from alertd.model.event import Bounds
from alertd.model.token import Role, Token, digest_of
from tests.daemon import Daemon, workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEADLINE = 60.0
HEAD = b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    """One daemon for the module."""
    async with Daemon(tmp_path_factory.mktemp("clients"), {"workspaces": [workspace([], [])]}) as made:
        yield made


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes; a connection that is cut meanwhile is no error here."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def rest(self) -> bytes:
        """Return everything until the other side closes, which it must."""
        said = b""
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(ConnectionError):
                while part := await self.reader.read(65536):
                    said += part
        return said


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    """Open a raw connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


def port_of(daemon: Daemon) -> int:
    """Return the daemon's port."""
    return int(daemon.base_url.rpartition(":")[2])


# -- the whole daemon -------------------------------------------------------------------------------------------------


async def test_slow_clients_do_not_hinder_others(daemon: Daemon) -> None:
    """Hundreds of connections that send a byte now and then take nothing from those that send events."""
    authorization = f"Authorization: Bearer {daemon.token}\r\n".encode()
    async with contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(port_of(daemon))) for _ in range(300)]
        for number, client in enumerate(slow):
            body = HEAD + authorization + b"Content-Length: 100000\r\n\r\n{"
            await client.send(HEAD if number % 2 else body)
        began = time.monotonic()
        for number in range(20):
            for client in slow[number::20]:
                await client.send(b"X: y\r\n")
            await daemon.send("meanwhile")
        assert time.monotonic() - began < 10
        assert (await daemon.call("GET", "/-/ready", token="")).status == 200
    await no_errors(daemon)


async def test_a_body_that_says_it_is_too_large(daemon: Daemon) -> None:
    """It is refused before it is there, by the intake as by every other address; one that never comes would end with 408."""
    for path in (b"/api/v1/events", b"/api/v1/workspaces/default/explain", b"/api/v1/workspaces/default/channels"):
        async with connected(port_of(daemon)) as client:
            token = f"Authorization: Bearer {daemon.token}\r\n".encode()
            head = HEAD.replace(b"/api/v1/events", path) + token
            await client.send(head + b"Content-Length: 100000000\r\n\r\n{")
            answer = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), DEADLINE)
            assert answer.startswith(b"HTTP/1.1 413"), (path, answer)


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        HEAD + b"X-Endless: " + b"x" * 32_768,
        HEAD + b"X: y\r\n" * 10_000 + b"\r\n",
        b"POST /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["long-header", "endless-header", "many-headers", "long-path", "tls", "negative", "two-lengths", "smuggling"],
)
async def test_bad_heads(daemon: Daemon, head: bytes) -> None:
    """An oversized or ambiguous head is answered 4xx and the connection is closed at once, whether it has ended or not."""
    async with connected(port_of(daemon)) as client:
        began = time.monotonic()
        await client.send(head)
        said = await client.rest()
        assert time.monotonic() - began < 10
        assert said == b"" or said.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), said[:100]
    await no_errors(daemon)


async def no_errors(daemon: Daemon) -> None:
    """Hold that what clients did wrong is no error of the daemon's (which logs what came before a later request)."""
    await daemon.send("later")
    assert not [entry for entry in daemon.log() if entry["level"] in ("error", "critical")]


async def test_client_that_leaves_in_the_middle(daemon: Daemon) -> None:
    """A client that leaves while it sends, or before it hears the answer, harms nothing and is not logged as an error."""
    authorization = f"Authorization: Bearer {daemon.token}\r\n".encode()
    for body in (b'{"type": "left"', b'{"type": "left"}'):
        for _ in range(10):
            async with connected(port_of(daemon)) as client:
                await client.send(HEAD + authorization + b"Content-Length: 16\r\n\r\n" + body)
    await no_errors(daemon)


async def test_pipelined_requests(daemon: Daemon) -> None:
    """Requests that come in one piece are answered in order."""
    authorization = f"Authorization: Bearer {daemon.token}\r\n".encode()
    async with connected(port_of(daemon)) as client:
        for number in range(3):
            body = b'{"type": "piped", "id": "piped-%d"}' % number
            more = b"Connection: close\r\n" if number == 2 else b""
            length = b"Content-Length: %d\r\n\r\n" % len(body)
            await client.send(HEAD + authorization + more + length + body)
        said = await client.rest()
    places = [said.index(b"piped-%d" % number) for number in range(3)]
    assert places == sorted(places)


# -- the bounds themselves, shortened ---------------------------------------------------------------------------------


class _NeverFull:
    """As much of a pipeline as a body needs that never arrives."""

    ruleset: Any = None

    def has_room(self) -> bool:
        return True


@pytest_asyncio.fixture(loop_scope="module")
async def impatient(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The port of a server whose patience with slow clients is a third of a second."""
    monkeypatch.setattr(http_server, "KEEPALIVE_SECONDS", 0.3)
    monkeypatch.setattr(http_server, "LINGER_SECONDS", 0.3)
    monkeypatch.setattr(http_intake, "BODY_SECONDS", 0.3)
    metrics, token = Metrics(), Token(1, "t", Role.ADMIN, None, digest_of("secret"), 0)
    intake = http_intake.EventIntake(_NeverFull(), SystemClock(), metrics, Bounds(), lambda _: token)  # type: ignore[arg-type]  # as much of a pipeline as it needs
    authenticator, refusals = Authenticator(SystemClock(), [token]), Refusals(metrics)
    app = web.Application(middlewares=[make_edge(authenticator, refusals)])
    app[GATE] = make_gate(authenticator, refusals)
    app.router.add_post("/api/v1/events", intake.post)
    listener = Listener("127.0.0.1", 0)
    server = http_server.HttpServer(app, listener)
    await server.start()
    running = asyncio.ensure_future(server.run())
    yield listener.port
    server.stop()
    await running


@pytest.mark.parametrize("said", [b"", HEAD, HEAD + b"X: y"], ids=["silent", "headers", "half-a-header"])
async def test_slow_head_is_cut(impatient: int, said: bytes) -> None:
    """A client that does not finish a request's head in time is cut off, also when it sends a byte now and then."""
    async with connected(impatient) as client:
        began = time.monotonic()
        await client.send(said)
        ended = asyncio.ensure_future(client.rest())
        while not ended.done() and time.monotonic() - began < 15:
            await client.send(b"z" if said else b"")
            await asyncio.wait({ended}, timeout=0.05)
        assert not await ended
        assert 0.2 < time.monotonic() - began < 10


async def test_slow_body_is_cut(impatient: int) -> None:
    """A client that does not finish its body in time is answered 408 and cut off."""
    async with connected(impatient) as client:
        began = time.monotonic()
        await client.send(HEAD + b"Authorization: Bearer secret\r\nContent-Length: 1000000\r\n\r\n{")
        ended = asyncio.ensure_future(client.rest())
        while not ended.done() and time.monotonic() - began < 15:
            await client.send(b" ")
            await asyncio.wait({ended}, timeout=0.05)
        assert (await ended).startswith(b"HTTP/1.1 408")
        assert 0.2 < time.monotonic() - began < 10


async def test_body_without_a_token_is_not_read(impatient: int) -> None:
    """Who has no token is answered before the body is there: sooner than it would be waited for, which ends with 408."""
    async with connected(impatient) as client:
        await client.send(HEAD + b"Content-Length: 1000000\r\n\r\n{")
        answer = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), DEADLINE)
        assert answer.startswith(b"HTTP/1.1 401")
