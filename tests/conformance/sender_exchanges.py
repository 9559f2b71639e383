"""What every sender keeps to: requests as they were given, answers as they came, and the truth when none came."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import ClassVar, Final

import pytest

from alertd.destinations.base import HttpAnswer, HttpRequest, Sender, SendError
from alertd.model.delivery import ANSWER_MAX
from tests.conformance.sender_behaviours import BEHAVIOURS, EITHER, HASTE, KEPT, PATIENCE, Behaviour
from tests.conformance.sender_case import SenderCase
from tests.conformance.sender_peer import OK, Peer, answering, deaf, field, serve, soon, turns

BIG: Final = 8 * 1024 * 1024
"""Bytes that do not fit into the buffers of a connection."""


class SenderExchanges(SenderCase):
    """One request and what becomes of it."""

    lenient: ClassVar[frozenset[str]] = frozenset()
    """Behaviours after which the outcome may be another and the connection stay, as long as nothing is mixed up."""

    # What goes out

    async def test_request_arrives_as_it_was_given(self) -> None:
        """Method, target, headers and body arrive unchanged, with host and length, and nothing is compressed."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            answer = await self.send(sender, server.url() + "?a=b%20c", b'{"x": 1}')
            seen = server.requests[0]
        assert (answer.status, answer.body) == (200, b"ok")
        assert seen.startswith(b"POST /hook?a=b%20c HTTP/1.1\r\n")
        assert seen.endswith(b'\r\n\r\n{"x": 1}')
        assert [field(seen, name) for name in ("content-type", "x-a", "content-length")] == [
            "application/json",
            "b",
            "8",
        ]
        assert field(seen, "host") == f"127.0.0.1:{server.port}"
        assert field(seen, "accept-encoding") == "identity"

    async def test_large_body_arrives_whole(self) -> None:
        """A body larger than all buffers arrives whole."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            await self.send(sender, server.url(), b"x" * BIG)
            assert len(server.requests[0].partition(b"\r\n\r\n")[2]) == BIG

    async def test_empty_body_is_sent_with_its_length(self) -> None:
        """An empty body is announced as such."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            await self.send(sender, server.url(), b"")
            assert field(server.requests[0], "content-length") == "0"

    async def test_connection_is_used_again(self) -> None:
        """Requests in a row share one connection."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            for _ in range(5):
                await self.send(sender, server.url())
            assert (len(server.requests), server.connections) == (5, 1)

    async def test_many_at_once_do_not_wait_for_one_another(self) -> None:
        """A hundred requests are under way at once: there is no hidden bound on connections."""
        together = asyncio.Barrier(100)

        async def handler(peer: Peer) -> None:
            await peer.request()
            await together.wait()
            await peer.say(OK)

        async with serve(handler) as server, self.sender() as sender:
            answers = await soon(asyncio.gather(*[self.send(sender, server.url()) for _ in range(100)]))
        assert {answer.status for answer in answers} == {200}

    async def test_cookies_are_not_kept(self) -> None:
        """A cookie that an answer sets is not sent back."""
        cookie = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n")
        async with serve(answering(cookie)) as server, self.sender() as sender:
            await self.send(sender, server.url())
            await self.send(sender, server.url())
            assert field(server.requests[1], "cookie") is None

    async def test_proxy_of_the_environment_is_ignored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Proxy variables of the environment change nothing: a proxy would connect to what the guard forbids."""
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert (await self.answer(answering(OK))).status == 200

    async def test_header_with_a_line_break_is_refused(self) -> None:
        """A header value that would break into a second header is never sent, now or later."""
        async with serve(answering(OK)) as server, self.sender() as sender:
            with pytest.raises(SendError) as caught:
                await soon(sender.send(HttpRequest(server.url(), b"", {"x-a": "b\r\nx-evil: 1"}), PATIENCE))
            assert caught.value.refused
            assert "x-evil" not in str(caught.value)
            assert not server.requests

    # Answers of all kinds

    @pytest.mark.parametrize(
        "location", [b"http://127.0.0.1:1/", b"http://169.254.169.254/", b"/other", b"//", b"http://[", b"\xff"]
    )
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirect_is_an_answer(self, status: int, location: bytes) -> None:
        """A redirect is returned, not followed, wherever it points."""
        head = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
        async with serve(answering(head)) as server, self.sender() as sender:
            assert (await self.send(sender, server.url())).status == status
            assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 410, 429, 500, 503, 599])
    async def test_every_status_is_an_answer(self, status: int) -> None:
        """A status is an answer, never an error; its headers can be asked for in any case."""
        answer = await self.answer(answering(b"HTTP/1.1 %d X\r\nretry-after: 5\r\nContent-Length: 0\r\n\r\n" % status))
        assert (answer.status, answer.body, answer.headers.get("Retry-After")) == (status, b"", "5")

    async def test_trailers_and_interim_headers_are_no_headers(self) -> None:
        """What stands behind a body or in an interim answer is no header, of this answer or of the next one."""
        first = (
            b"HTTP/1.1 103 Early Hints\r\nRetry-After: 1\r\n\r\n"
            b"HTTP/1.1 429 Slow\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nRetry-After: 99\r\n\r\n"
        )
        second = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
        async with serve(answering(first, second)) as server, self.sender() as sender:
            answers = [await self.send(sender, server.url()) for _ in range(2)]
            assert server.connections == 1
        assert [answer.status for answer in answers] == [429, 503]
        assert [answer.headers.get("Retry-After") for answer in answers] == [None, None]
        assert [answer.headers.get("X") for answer in answers] == ["y", None]

    async def test_compressed_answer_is_left_as_it_is(self) -> None:
        """A compressed answer is not unpacked: no bomb can go off."""
        packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
        assert (await self.answer(answering(packed))).body == b"\x1f\x8b\x08\x00"

    async def test_interim_answers_are_skipped(self) -> None:
        """Any number of 1xx answers may come before the answer."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        assert (await self.answer(answering(interim * 20 + OK))).body == b"ok"

    async def test_first_kilobyte_of_10_mb_is_kept(self) -> None:
        """Of a 10 MB answer the first kilobyte is kept, and the connection is closed rather than read to its end."""
        written = 0

        async def handler(peer: Peer) -> None:
            nonlocal written
            await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
            try:
                for _ in range(160):
                    await peer.say(b"x" * 65536)
                    written += 65536
            except ConnectionError:
                server.left.set()

        async with serve(handler) as server, self.sender() as sender:
            answer = await self.send(sender, server.url())
            await soon(server.left.wait())
        assert (answer.status, answer.body) == (200, b"x" * ANSWER_MAX)
        assert written < 10485760

    async def test_endless_answer_is_closed(self) -> None:
        """An answer without end is closed after its first kilobyte, without waiting for the time-out."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 500 Oh\r\n\r\n" + b"x" * 5000)
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            assert (await self.send(sender, server.url(), timeout=60)).body == b"x" * ANSWER_MAX
            await soon(server.left.wait())

    async def test_answer_that_has_arrived_whole_keeps_the_connection(self) -> None:
        """An answer of some kilobytes that is there at once costs no new connection."""
        page = b"HTTP/1.1 500 Oh\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000
        async with serve(answering(page)) as server, self.sender() as sender:
            for _ in range(3):
                assert len((await self.send(sender, server.url())).body) == ANSWER_MAX
            assert server.connections == 1

    async def test_early_answer_to_an_unread_body(self) -> None:
        """A server that answers before it has read the body (413) is heard."""

        async def handler(peer: Peer) -> None:
            await peer.head()
            await peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await peer.hang()

        assert (await self.answer(handler, body=b"x" * BIG)).status == 413

    @pytest.mark.parametrize("rest", [b"", b"some", b"\x00"])
    async def test_status_stands_when_the_body_hangs(self, rest: bytes) -> None:
        """After headers with a status the answer stands, with what came of its body, no later than the time-out."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + rest)
            await peer.hang()

        answer = await self.answer(handler, HASTE)
        assert (answer.status, answer.body) == (200, rest)

    # Behaviours

    @pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
    async def test_behaviour(self, behaviour: Behaviour) -> None:
        """Whatever a server does: the outcome is as written, in time; nothing is sent twice; the next request gets its own
        answer, over a fresh connection unless the first one is beyond doubt; and no connection is left open.
        """  # noqa: D205 - one promise
        async with serve(behaviour.handle) as server:
            async with self.sender() as sender:
                outcome = await self.outcome(sender, server.url(), behaviour)
                lenient = behaviour.name in self.lenient
                assert lenient or any(each.fits(outcome) for each in behaviour.outcomes), outcome
                await soon(server.played.wait())
                await turns()
                sent = len(server.requests)
                again = await self.send(sender, server.url())
                assert (again.status, again.body) == (200, b"ok")
                assert (sent <= 1, len(server.requests)) == (True, sent + 1)
                if not lenient and behaviour.connection != EITHER:
                    assert server.connections == (1 if behaviour.connection == KEPT else 2)
            await server.deserted()

    async def outcome(self, sender: Sender, url: str, behaviour: Behaviour) -> HttpAnswer | SendError:
        """Post once; whatever comes must come no later than the time-out says."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self.send(sender, url, behaviour.body, behaviour.seconds)
        except SendError as error:
            return error
        finally:
            assert loop.time() - began < behaviour.seconds + 5

    # No answer

    async def test_refused_connection(self) -> None:
        """Where nobody listens the connection is refused: nothing was processed."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            async with self.sender() as sender:
                error = await self.failure(sender, f"http://127.0.0.1:{unused.getsockname()[1]}/")
        assert (str(error), error.ambiguous, error.refused) == ("connection refused", False, False)

    async def test_name_that_does_not_resolve(self) -> None:
        """A name that does not resolve is named; it may resolve later."""

        async def lookup(host: str, port: int) -> list[str]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        async with self.sender(lookup=lookup) as sender:
            error = await self.failure(sender, "http://nowhere.example/")
        assert str(error) == "name does not resolve: nowhere.example (Name or service not known)"
        assert not error.ambiguous
        assert not error.refused

    async def test_name_that_resolves_to_nothing(self) -> None:
        """A name without addresses is an error like one that does not resolve."""

        async def lookup(host: str, port: int) -> list[str]:
            return []

        async with self.sender(lookup=lookup) as sender:
            error = await self.failure(sender, "http://nowhere.example/")
        assert str(error).startswith("name does not resolve: nowhere.example")
        assert not error.refused

    async def test_lookup_that_hangs(self) -> None:
        """A resolver that never answers is bounded by the time-out: nothing was processed."""

        async def lookup(host: str, port: int) -> list[str]:
            await asyncio.Event().wait()
            return []

        async with self.sender(lookup=lookup) as sender:
            error = await self.failure(sender, "http://slow.example/", HASTE)
        assert (str(error), error.ambiguous) == (f"timed out after {HASTE:g} s", False)

    async def test_server_that_never_accepts(self) -> None:
        """A connection that is never accepted (full backlog) is bounded by the time-out: nothing was processed."""
        with deaf("127.0.0.1") as port:
            async with self.sender() as sender:
                error = await self.failure(sender, f"http://127.0.0.1:{port}/", HASTE)
        assert (str(error), error.ambiguous) == (f"timed out after {HASTE:g} s", False)

    async def test_server_that_accepts_and_hangs(self) -> None:
        """A server that takes the request and says nothing may have processed it."""
        error = await self.error(Peer.hang, HASTE)
        assert (str(error), error.ambiguous) == (f"timed out after {HASTE:g} s", True)

    async def test_connection_that_timed_out_is_closed(self) -> None:
        """After a time-out the connection is closed, not left open or used again."""
        async with serve(Peer.hang) as server, self.sender() as sender:
            await self.failure(sender, server.url(), HASTE)
            await soon(server.left.wait())

    async def test_server_that_never_reads_the_body(self) -> None:
        """A request whose body could not be handed over was not processed."""

        async def handler(peer: Peer) -> None:
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport: it reads as well
            await asyncio.Event().wait()

        error = await self.error(handler, HASTE, b"x" * BIG)
        assert (str(error), error.ambiguous) == (f"timed out after {HASTE:g} s", False)

    async def test_server_that_trickles_headers(self) -> None:
        """A server that sends a byte now and then does not outlast the time-out."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                await peer.say(b"x")
                with suppress(TimeoutError):
                    await asyncio.wait_for(peer.reader.read(1), HASTE / 20)

        error = await self.error(handler, HASTE)
        assert (str(error), error.ambiguous) == (f"timed out after {HASTE:g} s", True)

    async def test_server_that_trickles_its_body(self) -> None:
        """A body that comes a byte now and then is cut off by the time-out; the status stands."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n")
            while True:
                await peer.say(b"x")
                with suppress(TimeoutError):
                    await asyncio.wait_for(peer.reader.read(1), HASTE / 20)

        answer = await self.answer(handler, HASTE)
        assert answer.status == 202
        assert 0 < len(answer.body) < 100

    async def test_reset_at_once(self) -> None:
        """A connection that is reset when made is an error that may be tried again."""

        async def handler(peer: Peer) -> None:
            peer.reset()

        assert not (await self.error(handler)).refused

    async def test_reset_in_the_middle_of_the_request(self) -> None:
        """A request that was cut off in its body was not processed."""

        async def handler(peer: Peer) -> None:
            await peer.head()
            peer.reset()

        error = await self.error(handler, body=b"x" * BIG)
        assert not error.ambiguous
        assert not error.refused

    async def test_reset_after_the_request(self) -> None:
        """A reset after the request leaves open whether it was processed."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            peer.reset()

        error = await self.error(handler)
        assert (str(error), error.ambiguous) == ("connection reset by peer", True)

    async def test_close_after_the_request(self) -> None:
        """A connection closed without an answer leaves open whether the request was processed."""

        async def handler(peer: Peer) -> None:
            await peer.request()

        error = await self.error(handler)
        assert (str(error), error.ambiguous) == ("the connection was closed without an answer", True)
