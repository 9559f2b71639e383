"""What every sender keeps to: connections that are used again only when that is safe, and never left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alertd.destinations.base import HttpRequest, SendError
from tests.conformance.sender_behaviours import HASTE, PATIENCE
from tests.conformance.sender_case import SenderCase
from tests.conformance.sender_peer import OK, Peer, answering, serve, soon, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.sender_peer import Handler


class SenderConnections(SenderCase):
    """Connections, from one request to the next."""

    # Keep-alive

    async def test_connection_that_the_server_closed_between_requests(self) -> None:
        """A kept connection that was closed meanwhile is replaced before it costs a request."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(OK)
            peer.writer.close()
            await peer.writer.wait_closed()
            server.left.set()

        async with serve(handler) as server, self.sender() as sender:
            for _ in range(3):
                server.left.clear()
                assert (await self.send(sender, server.url())).status == 200
                await soon(server.left.wait())
                await turns()
            assert server.connections == 3

    @pytest.mark.parametrize("reset", [False, True])
    async def test_post_that_is_lost_on_a_kept_connection(self, reset: bool) -> None:
        """A POST lost on a kept connection is ambiguous and is not sent twice behind the caller's back."""
        async with serve(_loses_the_second(reset=reset)) as server, self.sender() as sender:
            await self.send(sender, server.url())
            error = await self.failure(sender, server.url())
            assert error.ambiguous
            assert (len(server.requests), server.connections) == (2, 1)
            assert (await self.send(sender, server.url())).status == 200

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_idempotent_request_that_is_lost_on_a_kept_connection(self, method: str) -> None:
        """A request that may be sent twice is: once, and on a fresh connection."""
        async with serve(_loses_the_second()) as server, self.sender() as sender:
            await self.send(sender, server.url())
            answer = await soon(sender.send(HttpRequest(server.url(), b"{}", method=method), PATIENCE))
            assert answer.status == 200
            assert (len(server.requests), server.connections) == (3, 2)

    async def test_idempotent_request_that_is_lost_twice(self) -> None:
        """What is lost on the fresh connection too is not sent a third time."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            if server.connections == 1:
                await peer.say(OK)
                await peer.request()

        async with serve(handler) as server, self.sender() as sender:
            await self.send(sender, server.url())
            with pytest.raises(SendError) as caught:
                await soon(sender.send(HttpRequest(server.url(), b"{}", method="PUT"), PATIENCE))
            assert caught.value.ambiguous
            assert (len(server.requests), server.connections) == (3, 2)

    async def test_idempotent_request_that_is_lost_on_a_fresh_connection(self) -> None:
        """What is lost on a fresh connection is not sent more than once again."""

        async def handler(peer: Peer) -> None:
            await peer.request()

        async with serve(handler) as server, self.sender() as sender:
            with pytest.raises(SendError):
                await soon(sender.send(HttpRequest(server.url(), b"{}", method="PUT"), PATIENCE))
            assert len(server.requests) <= 2

    async def test_time_out_on_a_kept_connection(self) -> None:
        """A time-out is no lost connection: even what may be sent twice is not."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(OK)
            await peer.request()
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            await self.send(sender, server.url())
            with pytest.raises(SendError, match="timed out"):
                await soon(sender.send(HttpRequest(server.url(), b"{}", method="PUT"), HASTE))
            assert (len(server.requests), server.connections) == (2, 1)

    async def test_connection_that_was_reset_between_requests(self) -> None:
        """A kept connection that was reset meanwhile is replaced before it costs a request."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(OK)
            await turns()
            peer.reset()

        async with serve(handler) as server, self.sender() as sender:
            for _ in range(3):
                assert (await self.send(sender, server.url())).status == 200
                await server.deserted()
                await turns()
            assert server.connections == 3

    async def test_connection_whose_server_was_tired_of_waiting(self) -> None:
        """After 408 a connection is used no more: it may have answered nothing, and the next answer be the last request's."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            if server.connections == 1:
                await peer.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            else:
                await peer.say(OK)
            await peer.serve()

        async with serve(handler) as server, self.sender() as sender:
            for status in (408, 200, 200):
                assert (await self.send(sender, server.url())).status == status
            assert (len(server.requests), server.connections) == (3, 2)

    async def test_every_request_gets_its_own_answer(self) -> None:
        """Two thousand requests over eight connections, some of which end now and then: no answer is mixed up."""

        async def handler(peer: Peer) -> None:
            for number in range(100):
                body = (await peer.request()).partition(b"\r\n\r\n")[2]
                close = b"Connection: close\r\n" * (number == 99)
                await peer.say(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (close, len(body), body))

        async def worker(name: int) -> None:
            for number in range(250):
                body = b"%d of %d" % (number, name)
                assert (await self.send(sender, server.url(), body)).body == body

        async with serve(handler) as server:
            async with self.sender() as sender:
                await asyncio.gather(*[worker(name) for name in range(8)])
                assert len(server.requests) == 2000
                assert 20 <= server.connections <= 28
            await server.deserted()

    async def test_origins_have_connections_of_their_own(self) -> None:
        """Two servers, or two names of one server, never share a connection."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with (
            serve(answering(OK)) as one,
            serve(answering(OK)) as other,
            self.sender(lookup=lookup) as sender,
        ):
            for _ in range(2):
                for url in (one.url(), one.url("a.example"), one.url("b.example"), other.url()):
                    assert (await self.send(sender, url)).status == 200
            assert (one.connections, other.connections) == (3, 1)

    # Its own life

    async def test_cancel(self) -> None:
        """A cancelled send raises CancelledError and closes its connection; the sender goes on."""
        arrived = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.request()
            arrived.set()
            await peer.hang()

        async with serve(handler) as server, serve(answering(OK)) as good, self.sender() as sender:
            task = asyncio.ensure_future(self.send(sender, server.url()))
            await soon(arrived.wait())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await soon(server.left.wait())
            assert (await self.send(sender, good.url())).status == 200

    async def test_cancel_in_the_middle_of_an_answer(self) -> None:
        """Cancelling while the body comes in closes the connection too."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            await turns()
            task.cancel()
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            task = asyncio.ensure_future(self.send(sender, server.url()))
            with pytest.raises(asyncio.CancelledError):
                await task
            await soon(server.left.wait())

    async def test_close_ends_what_is_under_way(self) -> None:
        """Closing fails what is under way; closing again is fine; sending afterwards fails."""
        arrived = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.request()
            arrived.set()
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            task = asyncio.ensure_future(self.failure(sender, server.url()))
            await soon(arrived.wait())
            await soon(sender.close())
            assert (await soon(task)).ambiguous
            await soon(sender.close())
            assert not (await self.failure(sender, server.url())).ambiguous

    async def test_close_before_use(self) -> None:
        """A sender that was never used can be closed."""
        async with self.sender():
            pass

    async def test_cancel_while_connecting(self) -> None:
        """Cancelling in a look-up and in a handshake leaves nothing behind."""
        asked = asyncio.Event()

        async def lookup(host: str, port: int) -> list[str]:
            asked.set()
            await asyncio.Event().wait()
            return []

        async with serve(Peer.hang) as server:
            async with self.sender(lookup=lookup) as sender:
                for url, begun in (
                    ("http://slow.example/", asked.wait()),
                    (server.url().replace("http:", "https:"), server.crowded(1)),
                ):
                    task = asyncio.ensure_future(self.send(sender, url))
                    await soon(begun)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
            await server.deserted()

    async def test_cancel_in_a_handshake(self) -> None:
        """A handshake that is cancelled closes its connection at once, not only with the sender."""
        greeted = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.reader.readexactly(1)
            greeted.set()
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            task = asyncio.ensure_future(self.send(sender, server.url().replace("http:", "https:")))
            await soon(greeted.wait())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await soon(server.left.wait())

    async def test_cancel_a_hundred_in_flight(self) -> None:
        """A hundred requests that are cancelled at once close a hundred connections, and no descriptor is left."""
        before = _descriptors()
        async with serve(Peer.hang) as server, self.sender() as sender:
            tasks = [asyncio.ensure_future(self.send(sender, server.url())) for _ in range(100)]
            await server.crowded(100)
            for task in tasks:
                task.cancel()
            assert all(isinstance(each, asyncio.CancelledError) for each in await _all(tasks))
            await server.deserted()
        await turns()
        assert _descriptors() <= before + 1

    async def test_cancel_as_the_answer_comes(self) -> None:
        """A request that is cancelled while its answer is already on the way spoils nothing for the next one."""

        async def handler(peer: Peer) -> None:
            for _ in range(50):
                await peer.request()
                await peer.say(OK)
                for task in tasks:
                    task.cancel()

        tasks: list[asyncio.Task[object]] = []
        async with serve(handler) as server:
            async with self.sender() as sender:
                for number in range(50):
                    tasks[:] = [asyncio.ensure_future(self.send(sender, server.url(), b"%d" % number))]
                    (outcome,) = await _all(tasks)
                    assert isinstance(outcome, asyncio.CancelledError) or outcome.body == b"ok"
                tasks.clear()
                assert (await self.send(sender, server.url())).body == b"ok"
            await server.deserted()

    async def test_close_while_connecting(self) -> None:
        """Closing ends what is being resolved, connected and shaken hands with; nothing of it was sent."""
        asked = asyncio.Event()

        async def lookup(host: str, port: int) -> list[str]:
            asked.set()
            await asyncio.Event().wait()
            return []

        async with serve(Peer.hang) as server:
            async with self.sender(lookup=lookup) as sender:
                urls = ("http://slow.example/", server.url().replace("http:", "https:"))
                tasks = [asyncio.ensure_future(self.send(sender, url, timeout=2)) for url in urls]
                await soon(asked.wait())
                await server.crowded(1)
                await soon(sender.close())
                for outcome in await _all(tasks):
                    assert isinstance(outcome, SendError), repr(outcome)
                    assert (outcome.ambiguous, outcome.refused) == (False, False)
            await server.deserted()

    async def test_close_ends_what_rests(self) -> None:
        """Closing closes the connections that rest."""
        async with serve(answering(OK)) as server:
            async with self.sender() as sender:
                await asyncio.gather(*[self.send(sender, server.url()) for _ in range(5)])
            await server.deserted()


def _loses_the_second(*, reset: bool = False) -> Handler:
    """Answer the first request of a first connection, and lose the next one; later connections serve."""

    async def handler(peer: Peer) -> None:
        if peer.server.connections > 1:
            await peer.serve()
        await peer.request()
        await peer.say(OK)
        await peer.request()
        if reset:
            peer.reset()

    return handler


async def _all(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    """Await all of them, and return what came, errors too."""
    return list(await soon(asyncio.gather(*tasks, return_exceptions=True)))


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
