"""What the fast sender promises beyond the contract of senders: bounds, exactness, and the last byte handed over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import uvloop
from typing_extensions import override

from alertd.destinations.base import HttpRequest, SendError
from alertd.destinations.http1 import connection, pool, sender
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.http_bounds import KEEPALIVE_SECONDS
from tests.conformance.sender_behaviours import HASTE, HEAD, PATIENCE
from tests.conformance.sender_case import BIG, SenderCase
from tests.conformance.sender_peer import OK, Peer, answering, certified, serve, soon, turns

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine
    from typing import Any

    from alertd.destinations.guard import EgressPolicy
    from tests.conformance.sender_case import Lookup


class TestFastSender(SenderCase):
    """The fast sender alone."""

    @override
    def make(
        self, policy: EgressPolicy, *, ssl_context: ssl.SSLContext | None = None, lookup: Lookup | None = None
    ) -> FastSender:
        """Make one."""
        return FastSender(policy, ssl_context=ssl_context, lookup=lookup)

    @pytest.mark.parametrize("over", [0, 1, 20])
    async def test_resting_connections_are_bounded(self, over: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of many connections to one origin so many stay as may rest, and no more."""
        monkeypatch.setattr(pool, "IDLE_MAX", 5)
        count = 5 + over
        together = asyncio.Barrier(count)

        async def handler(peer: Peer) -> None:
            await peer.request()
            await together.wait()
            await peer.say(OK)
            await peer.serve()

        async with serve(handler) as server, self.sender() as sender:
            await soon(asyncio.gather(*[self.send(sender, server.url()) for _ in range(count)]))
            assert isinstance(sender, FastSender)
            assert [each.count for each in sender._pools.values()] == [5]
            assert sender._patrol is not None
            await turns()
            assert sender._patrol.count == 5

    @pytest.mark.parametrize("what", ["an answer", "the end"])
    async def test_connection_that_stirs_before_the_request_is_written(
        self, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even a POST is lost with a kept connection that speaks or ends before it was written: a fresh one takes it."""
        send = connection.Connection.send

        def stirred(each: connection.Connection) -> None:
            if (server.connections, len(server.requests)) == (1, 1):
                each.data_received(OK) if what == "an answer" else each.eof_received()
            send(each)

        async with serve(answering(OK)) as server, self.sender() as sender:
            await self.send(sender, server.url())
            monkeypatch.setattr(connection.Connection, "send", stirred)
            assert (await self.send(sender, server.url(), b"second")).body == b"ok"
            assert [seen.endswith(b"second") for seen in server.requests] == [False, True]
            assert server.connections == 2

    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    def test_nothing_stays_of_what_is_cut_off(self, run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """In whichever turn of the loop a send is cancelled: its connection is closed and forgotten, or it rests."""

        async def cut_off(url: str, after: int) -> None:
            async with self.sender() as made:
                task = asyncio.ensure_future(self.send(made, url))
                for _ in range(after):
                    await asyncio.sleep(0)
                task.cancel()
                await soon(asyncio.gather(task, return_exceptions=True))
                await turns()
                assert isinstance(made, FastSender)
                known = made._patrol.count if made._patrol else 0
                assert known == sum(each.count for each in made._pools.values()), after

        async def cut_off_everywhere() -> None:
            async with serve(answering(OK)) as server:
                for after in [*range(15)] * 8:
                    await cut_off(server.url(), after)

        run(cut_off_everywhere())

    async def test_urls_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beyond its bound the memory for URLs starts anew, and the connections that were in use end after their answer."""
        monkeypatch.setattr(sender, "URLS_MAX", 3)
        async with serve(answering(OK)) as server:
            async with self.sender() as made:
                for number in range(10):
                    assert (await self.send(made, f"{server.url()}/{number}")).status == 200
                    assert isinstance(made, FastSender)
                    assert len(made._places) <= 3
                assert server.connections == 4
            await server.deserted()

    async def test_rest_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection that rests for too long is closed, by the clock and not by the next request."""
        monkeypatch.setattr(connection, "KEEPALIVE_SECONDS", 0.1)
        async with serve(answering(OK)) as server, self.sender() as sender:
            await self.send(sender, server.url())
            await server.deserted()
            assert (await self.send(sender, server.url())).status == 200

    @pytest.mark.parametrize(
        ("hint", "kept"), [(b"timeout=5", True), (b"timeout=1, max=9", False), (b"timeout=0", False)]
    )
    async def test_rest_that_the_server_asks_for(self, hint: bytes, kept: bool) -> None:
        """A server that says how long it keeps a connection is believed, and a second is left for the way."""
        answer = HEAD + b"Keep-Alive: %b\r\nContent-Length: 2\r\n\r\nok" % hint
        async with serve(answering(answer)) as server, self.sender() as sender:
            for _ in range(3):
                await self.send(sender, server.url())
            assert server.connections == (1 if kept else 3)

    async def test_http_1_0_is_never_kept(self) -> None:
        """A server of HTTP/1.0 gets a connection for each request, even when it offers more."""
        old = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
        async with serve(answering(old)) as server, self.sender() as sender:
            for _ in range(2):
                await self.send(sender, server.url())
            assert server.connections == 2

    async def test_connection_grows_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection is given up after its lifetime, so that a name which moved is followed."""
        monkeypatch.setattr(connection, "LIFETIME_SECONDS", 0.0)
        async with serve(answering(OK)) as server, self.sender() as sender:
            for _ in range(3):
                await self.send(sender, server.url())
            assert server.connections == 3

    async def test_close_that_the_loop_has_not_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a connection that rested the system is asked: a close that the loop was too busy to hear costs no request."""
        monkeypatch.setattr(connection, "FRESH_SECONDS", -1.0)
        listening = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(OK)
            listening.set()
            await peer.serve()

        async with serve(handler) as server, self.sender() as sender:
            await self.send(sender, server.url())
            (resting,) = next(iter(sender._pools.values()))._resting  # type: ignore[attr-defined]  # of this sender alone
            resting._transport.pause_reading()
            await turns()
            for task in server._tasks:
                task.cancel()
            await server.deserted()
            await turns()
            assert (await self.send(sender, server.url())).status == 200
            assert server.connections == 2

    async def test_head(self) -> None:
        """The answer to HEAD has no body whatever its length says, and its connection ends."""
        async with serve(answering(HEAD + b"Content-Length: 5\r\n\r\n")) as server, self.sender() as sender:
            for _ in range(2):
                answer = await soon(sender.send(HttpRequest(server.url(), b"", method="HEAD"), PATIENCE))
                assert (answer.status, answer.body) == (200, b"")
            assert server.connections == 2

    async def test_connect_is_refused(self) -> None:
        """A tunnel is nothing that a delivery asks for."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            with pytest.raises(SendError) as caught:
                await soon(sender.send(HttpRequest(server.url(), b"", method="CONNECT"), PATIENCE))
            assert caught.value.refused

    async def test_server_that_speaks_first(self) -> None:
        """What comes before the request is no answer to it: nothing is sent."""

        async def handler(peer: Peer) -> None:
            await peer.say(OK)
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            error = await self.failure(sender, server.url())
            assert (error.ambiguous, error.refused) == (False, False)

    async def test_lost_before_anything_was_sent(self) -> None:
        """A PUT that is lost on a fresh connection is not sent again: it was not idleness that closed it."""

        async def handler(peer: Peer) -> None:
            await peer.request()

        async with serve(handler) as server, self.sender() as sender:
            with pytest.raises(SendError) as caught:
                await soon(sender.send(HttpRequest(server.url(), b"{}", method="PUT"), PATIENCE))
            assert caught.value.ambiguous
            assert len(server.requests) == 1

    async def test_half_an_answer_on_a_kept_connection(self) -> None:
        """Once a byte of an answer has come the request was read: it is not sent again, not even a PUT."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(OK)
            await peer.request()
            await peer.say(b"HTTP/1.1 2")

        async with serve(handler) as server, self.sender() as sender:
            await self.send(sender, server.url())
            with pytest.raises(SendError) as caught:
                await soon(sender.send(HttpRequest(server.url(), b"{}", method="PUT"), PATIENCE))
            assert caught.value.ambiguous
            assert len(server.requests) == 2

    async def test_body_that_nobody_reads_under_tls(self) -> None:
        """A request whose body could not be handed over was not processed."""
        context, trusted = certified("127.0.0.1")

        async def handler(peer: Peer) -> None:
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport: it reads as well
            await asyncio.Event().wait()

        async with serve(handler, context) as server, self.sender(ssl_context=trusted) as sender:
            error = await self.failure(sender, server.url(), HASTE * 2, b"x" * 4 * BIG)
        assert str(error).startswith("timed out")
        assert not error.ambiguous

    async def test_time_outs_of_many(self) -> None:
        """Requests with different time-outs end in the order of those and none too early, however they were begun.

        On a loop that stood still meanwhile, those that still connect end a turn after those that wait for an answer.
        """
        loop = asyncio.get_running_loop()
        ended: list[float] = []

        async def one(seconds: float) -> float:
            began = loop.time()
            with pytest.raises(SendError, match=f"timed out after {seconds:g} s"):
                await self.send(sender, server.url(), timeout=seconds)
            ended.append(seconds)
            return loop.time() - began - seconds

        async with serve(Peer.hang) as server, self.sender() as sender:
            late = await soon(asyncio.gather(*[one(seconds) for seconds in (0.9, 0.3, 0.6, 0.1, 0.5) * 5]))
            assert min(late) > -0.01
            assert ended == sorted(ended) or max(late) > 0.1

    async def test_keepalive_is_shorter_than_a_server_s(self) -> None:
        """The usual servers close after 5 seconds at the earliest; a connection must not rest for as long."""
        assert KEEPALIVE_SECONDS < 5
