"""What every sender keeps to, against servers that misbehave on loopback: subclass `SenderSuite` and say how to make one."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, ClassVar, Final

import pytest
from typing_extensions import override

from alertd.destinations.base import HttpAnswer, HttpRequest, Sender, SendError
from alertd.destinations.guard import EgressPolicy
from alertd.model.delivery import ANSWER_MAX
from tests.conformance.sender_behaviours import BEHAVIOURS, EITHER, HASTE, KEPT, PATIENCE, Behaviour
from tests.conformance.sender_peer import OK, Peer, answering, certified, field, serve, soon, turns

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.conformance.sender_peer import Handler

    Lookup = Callable[[str, int], Awaitable[list[str]]]

BIG: Final = 8 * 1024 * 1024
"""Bytes that do not fit into the buffers of a connection."""

LOOPBACK: Final = ("127.0.0.0/8",)


class SenderSuite:
    """The contract of `Sender`, as tests."""

    lenient: ClassVar[frozenset[str]] = frozenset()
    """Behaviours after which the outcome may be another and the connection stay, as long as nothing is mixed up."""

    def make(
        self, policy: EgressPolicy, *, ssl_context: ssl.SSLContext | None = None, lookup: Lookup | None = None
    ) -> Sender:
        """Make a fresh sender."""
        raise NotImplementedError

    @asynccontextmanager
    async def sender(
        self,
        *allow: str,
        ssl_context: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
        policy: EgressPolicy | None = None,
    ) -> AsyncIterator[Sender]:
        """Make a sender that may go to loopback unless said otherwise, and close it afterwards."""
        made = self.make(policy or EgressPolicy(allow or LOOPBACK), ssl_context=ssl_context, lookup=lookup)
        try:
            yield made
        finally:
            await soon(made.close())

    async def send(self, sender: Sender, url: str, body: bytes = b"{}", timeout: float = PATIENCE) -> HttpAnswer:  # noqa: ASYNC109 - the sender's own, under test
        """Post within the deadline."""
        request = HttpRequest(url, body, {"content-type": "application/json", "x-a": "b"})
        answer: HttpAnswer = await soon(sender.send(request, timeout))
        return answer

    async def answer(self, handler: Handler, timeout: float = PATIENCE, body: bytes = b"{}") -> HttpAnswer:  # noqa: ASYNC109 - as above
        """Serve, post once and return the answer."""
        async with serve(handler) as server, self.sender() as sender:
            return await self.send(sender, server.url(), body, timeout)

    async def error(self, handler: Handler, timeout: float = PATIENCE, body: bytes = b"{}") -> SendError:  # noqa: ASYNC109 - as above
        """Serve, post once and return the error, after checking that a second client is still served in time."""
        async with serve(handler) as server, self.sender() as sender:
            return await self.failure(sender, server.url(), timeout, body)

    async def failure(self, sender: Sender, url: str, timeout: float = PATIENCE, body: bytes = b"{}") -> SendError:  # noqa: ASYNC109 - as above
        """Post once and return the error; it must come no later than the time-out says."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(SendError) as caught:
            await self.send(sender, url, body, timeout)
        assert loop.time() - began < timeout + 1
        assert "\n" not in str(caught.value)
        return caught.value

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

    async def test_204_keeps_the_connection(self) -> None:
        """An answer without a body needs no length, and the connection goes on."""
        async with serve(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as server, self.sender() as sender:
            for _ in range(3):
                assert (await self.send(sender, server.url())).status == 204
            assert server.connections == 1

    async def test_chunked_answer_is_joined(self) -> None:
        """A chunked answer is put together."""
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n"
        assert (await self.answer(answering(chunked))).body == b"abcde"

    async def test_answer_may_end_with_the_connection(self) -> None:
        """An answer without a length ends where the connection does (HTTP/1.0 and 1.1)."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.0 200 OK\r\n\r\nall of it")

        assert (await self.answer(handler)).body == b"all of it"

    async def test_compressed_answer_is_left_as_it_is(self) -> None:
        """A compressed answer is not unpacked: no bomb can go off."""
        packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
        assert (await self.answer(answering(packed))).body == b"\x1f\x8b\x08\x00"

    async def test_interim_answers_are_skipped(self) -> None:
        """Any number of 1xx answers may come before the answer."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        assert (await self.answer(answering(interim * 20 + OK))).body == b"ok"

    async def test_endless_interim_answers_end(self) -> None:
        """A stream of 1xx answers without end is cut off, at the latest by the time-out."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            while True:
                await peer.say(b"HTTP/1.1 102 Processing\r\n\r\n" * 10)
                await turns(1)

        error = await self.error(handler, HASTE)
        assert error.ambiguous
        assert str(error).startswith((f"timed out after {HASTE:g} s", "the answer is not HTTP"))

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

    async def test_status_stands_when_the_body_breaks(self) -> None:
        """After headers with a status the answer stands, though the connection is reset in the middle of its body."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nso")
            peer.reset()

        assert (await self.answer(handler)).status == 503

    async def test_status_stands_when_the_body_is_garbage(self) -> None:
        """After headers with a status the answer stands, though the chunks that follow are nonsense, no later than the time-out."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await turns()
            await peer.say(b"zz\r\nnonsense")
            await peer.hang()

        assert (await self.answer(handler, HASTE)).status == 200

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
            assert loop.time() - began < behaviour.seconds + 1

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
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            async with self.sender() as sender:
                error = await self.failure(sender, f"http://127.0.0.1:{listener.getsockname()[1]}/", HASTE)
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
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
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

    async def test_close_in_the_middle_of_the_headers(self) -> None:
        """Half of an answer is no answer."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-")

        assert (await self.error(handler)).ambiguous

    @pytest.mark.parametrize(
        "garbage",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\x16\x03\x01\x00\x05hello",
            b"\x00" * 2000,
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nX\x00Y: z\r\n\r\n",
        ],
    )
    async def test_garbage(self, garbage: bytes) -> None:
        """Bytes that are no HTTP are an error that says so; the request may have been processed."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(garbage)
            await peer.hang()

        error = await self.error(handler)
        assert str(error).startswith("the answer is not HTTP")
        assert error.ambiguous

    @pytest.mark.parametrize(
        "headers",
        [b"X-Big: " + b"x" * 100_000 + b"\r\n", b"X-Many: x\r\n" * 10_000, b"X" * 100_000 + b": x\r\n"],
        ids=["one value", "many", "one name"],
    )
    async def test_oversized_headers(self, headers: bytes) -> None:
        """Headers of 100 KB are refused rather than collected."""
        error = await self.error(answering(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n"))
        assert str(error).startswith("the answer is not HTTP")
        assert error.ambiguous

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

    async def test_connection_that_the_server_closes_on_the_next_request(self) -> None:
        """A request lost on a kept connection is ambiguous and is not sent twice behind the caller's back."""

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.say(OK)
            await peer.request()

        async with serve(handler) as server, self.sender() as sender:
            await self.send(sender, server.url())
            error = await self.failure(sender, server.url())
            assert error.ambiguous
            assert (len(server.requests), server.connections) == (2, 1)
            assert (await self.send(sender, server.url())).status == 200

    # TLS

    async def test_certificate_of_an_unknown_authority(self) -> None:
        """A certificate that nobody vouches for is refused before anything is sent."""
        async with serve(answering(OK), certified("127.0.0.1")[0]) as server, self.sender() as sender:
            error = await self.failure(sender, server.url())
            assert not server.requests
        assert str(error).startswith("certificate verify failed: ")
        assert not error.ambiguous

    async def test_certificate_of_another_host(self) -> None:
        """A good certificate of another host is refused."""
        context, trusted = certified("other.example")
        async with serve(answering(OK), context) as server, self.sender(ssl_context=trusted) as sender:
            error = await self.failure(sender, server.url())
        assert str(error).startswith("certificate verify failed: ")

    async def test_certificate_that_fits(self) -> None:
        """TLS works with a certificate for the host, by address and by name."""
        context, trusted = certified("127.0.0.1", "hook.example")

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with (
            serve(answering(OK), context) as server,
            self.sender(ssl_context=trusted, lookup=lookup) as sender,
        ):
            assert (await self.send(sender, server.url())).status == 200
            assert (await self.send(sender, server.url("hook.example"))).status == 200

    async def test_plain_http_where_tls_was_expected(self) -> None:
        """A server without TLS behind an https URL is a failed handshake."""

        async def handler(peer: Peer) -> None:
            await peer.reader.read(1)
            await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await peer.hang()

        async with serve(handler) as server, self.sender() as sender:
            error = await self.failure(sender, server.url().replace("http:", "https:"))
        assert str(error).startswith("TLS handshake failed")
        assert not error.ambiguous

    async def test_handshake_that_hangs(self) -> None:
        """A server that never finishes the handshake is bounded by the time-out."""
        async with serve(Peer.hang) as server, self.sender() as sender:
            error = await self.failure(sender, server.url().replace("http:", "https:"), HASTE)
        assert (str(error), error.ambiguous) == (f"timed out after {HASTE:g} s", False)

    # The guard

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"]
    )
    async def test_loopback_is_refused(self, host: str) -> None:
        """Loopback is refused in each of its forms unless allowed, and nothing is connected to."""
        async with serve(answering(OK)) as server, self.sender("192.0.2.1") as sender:
            error = await self.failure(sender, server.url(host))
            assert server.connections == 0
        assert error.refused
        assert not error.ambiguous
        assert str(error).startswith("egress refused: ")

    async def test_refusal_tells_what_to_do(self) -> None:
        """A refusal names the address, what it is and how to permit it."""
        async with self.sender() as sender:
            error = await self.failure(sender, "http://10.0.0.5/")
        assert str(error) == "egress refused: 10.0.0.5 is private; name it in egress.allow to permit it"

    async def test_literal_is_checked_at_the_socket_too(self) -> None:
        """An address in the URL, which no resolver sees, is stopped at the socket even if the first check were blind."""

        class Blind(EgressPolicy):
            @override
            def check_url(self, url: str) -> str | None:
                return None

        async with serve(answering(OK)) as server, self.sender(policy=Blind()) as sender:
            error = await self.failure(sender, server.url())
            assert server.connections == 0
        assert error.refused
        assert "127.0.0.1 is loopback" in str(error)

    async def test_name_is_refused_by_its_address(self) -> None:
        """A harmless name that resolves to a forbidden address is refused, and resolved once only."""
        asked = []

        async def lookup(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1", "::1"]

        async with serve(answering(OK)) as server, self.sender("192.0.2.1", lookup=lookup) as sender:
            error = await self.failure(sender, server.url("harmless.example"))
            assert server.connections == 0
        assert error.refused
        assert "harmless.example resolves to 127.0.0.1, which is loopback" in str(error)
        assert asked == ["harmless.example"]

    async def test_name_that_changes_its_address(self) -> None:
        """What was checked is what is connected to: a second look-up with another answer has no say in it."""
        answers = [["127.0.0.1"], ["169.254.169.254"]]

        async def lookup(host: str, port: int) -> list[str]:
            return answers.pop(0)

        async with serve(answering(OK)) as server, self.sender(lookup=lookup) as sender:
            assert (await self.send(sender, server.url("rebinds.example"))).status == 200
        assert len(answers) == 1

    async def test_only_permitted_addresses_of_a_name_are_used(self) -> None:
        """Of several addresses of a name only the permitted ones are connected to."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.2", "127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender("127.0.0.1", lookup=lookup) as sender:
            assert (await self.send(sender, server.url("several.example"))).status == 200

    async def test_allowed_name_reaches_its_address(self) -> None:
        """A host named in egress.allow is reached whatever its address is, by that name only."""

        async def lookup(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with serve(answering(OK)) as server, self.sender("Hooks.internal", lookup=lookup) as sender:
            assert (await self.send(sender, server.url("hooks.INTERNAL"))).status == 200
            assert (await self.failure(sender, server.url("other.internal"))).refused
            assert (await self.failure(sender, server.url())).refused

    @pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://u:p@127.0.0.1/", "http://a b/", "", "x"])
    async def test_url_that_is_none(self, url: str) -> None:
        """A URL that cannot be used is refused for good."""
        async with self.sender() as sender:
            assert (await self.failure(sender, url)).refused

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
