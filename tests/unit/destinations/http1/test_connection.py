"""One connection, without a network: answers in any pieces, and what is kept of them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from alertd.destinations.base import HttpAnswer, SendError
from alertd.destinations.http1.connection import ANSWER_BYTES_MAX, KNOWN_BYTES_MAX, Connection, UnsentError
from alertd.destinations.http1.patrol import Patrol
from alertd.destinations.http1.pool import Pool
from alertd.destinations.http_bounds import HEADERS_MAX, LINE_BYTES_MAX
from alertd.model.delivery import ANSWER_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEAD = b"HTTP/1.1 200 OK\r\n"


class FakeTransport(asyncio.Transport):
    """Takes what is written, and remembers that it was aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    @override
    def write(self, data: Any) -> None:
        """Take it."""
        self.written += bytes(data)

    @override
    def abort(self) -> None:
        """Remember."""
        self.aborted = True

    @override
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Have no buffer."""


class Rig:
    """A connection with a request under way."""

    def __init__(self, sock: socket.socket) -> None:
        self.pool = Pool()
        self.patrol = Patrol()
        self.socket = sock
        self.transport = FakeTransport()
        self.connection = Connection(self.pool, self.patrol, sock)
        self.connection.connection_made(self.transport)
        self.waiter = self.ask()

    def ask(self) -> asyncio.Future[HttpAnswer]:
        """Begin a request, and hand it over."""
        return self.ask_for(bodiless=False)

    def ask_for(self, *, bodiless: bool) -> asyncio.Future[HttpAnswer]:
        """Begin a request whose answer may have no body, and hand it over."""
        waiter = self.connection.begin(b"request", self.patrol.now() + 60, 60, bodiless=bodiless)
        self.connection.send()
        return waiter

    def hear(self, pieces: Sequence[bytes]) -> None:
        """Receive, as long as the connection is open."""
        for piece in pieces:
            if piece and not self.transport.aborted:
                self.connection.data_received(piece)

    def outcome(self) -> tuple[Any, ...]:
        """Say what came of the request, and of the connection."""
        if not self.waiter.done():
            return ("waiting",)
        error = self.waiter.exception()
        if error is not None:
            assert isinstance(error, SendError)
            return (str(error), error.ambiguous, self.pool.count)
        answer = self.waiter.result()
        return (answer.status, dict(answer.headers), answer.body, self.pool.count)


@contextmanager
def rig() -> Iterator[Rig]:
    """Make one whose socket is silent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Rig(ours)


ANSWERS = [
    HEAD + b"Content-Length: 2\r\nX: y\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n"
    + HEAD
    + b"Content-Length: 2\r\n\r\nok",
    HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    HEAD + b"Content-Length: 1500\r\n\r\n" + b"x" * 1500,
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
]


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 1600), max_size=12))
def test_pieces_do_not_matter(answer: bytes, cuts: list[int]) -> None:
    """However an answer is cut into segments, the same comes of it (but for a body beyond the bound, which is cut off)."""

    async def main() -> None:
        places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
        pieces = [answer[a:b] for a, b in pairwise(places)]
        with rig() as whole, rig() as cut_up:
            whole.hear([answer])
            cut_up.hear(pieces)
            assert whole.outcome()[0] in {101, 200, 204}
            if len(answer) < ANSWER_MAX:
                assert cut_up.outcome() == whole.outcome()
            else:
                assert cut_up.outcome()[:3] == whole.outcome()[:3]

    asyncio.run(main())


@given(st.binary(max_size=300) | st.sampled_from(ANSWERS), st.binary(max_size=60), st.integers(0, 360))
def test_no_bytes_are_too_strange(first: bytes, second: bytes, cut: int) -> None:
    """Whatever comes: an answer, an error, or waiting for more; and no connection rests on which more came than the answer."""

    async def main() -> None:
        with rig() as made:
            data = first + second
            made.hear([data[:cut], data[cut:]])
            made.connection.eof_received()
            assert made.outcome() != ("waiting",)
            assert made.pool.count == 0

    asyncio.run(main())


@given(st.sampled_from(ANSWERS[:4]), st.binary(min_size=1, max_size=40))
def test_more_than_the_answer(answer: bytes, more: bytes) -> None:
    """Bytes behind the answer spoil the connection (line breaks in the same segment aside), and never the answer."""

    async def main() -> None:
        with rig() as clean, rig() as spoilt:
            clean.hear([answer])
            spoilt.hear([answer + more])
            assert spoilt.outcome()[:3] == clean.outcome()[:3]
            assert clean.pool.count == 1
            assert spoilt.pool.count == (0 if more.strip(b"\r\n") else 1)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (HEAD + b"X: y\r\n" * (HEADERS_MAX - 1) + b"Content-Length: 0\r\n\r\n", True),
        (HEAD + b"X: y\r\n" * HEADERS_MAX + b"Content-Length: 0\r\n\r\n", False),
        (HEAD + b"Content-Length: 0\r\nX: " + b"y" * (LINE_BYTES_MAX - 1) + b"\r\n\r\n", True),
        (HEAD + b"Content-Length: 0\r\nX: " + b"y" * LINE_BYTES_MAX + b"\r\n\r\n", False),
    ],
    ids=["as many headers as may be", "one more", "as long a header as may be", "one byte more"],
)
async def test_bounds_of_headers(answer: bytes, good: bool) -> None:
    """Headers up to their bounds are an answer, beyond them none."""
    with rig() as made:
        made.hear([answer])
        assert (made.outcome()[0] == 200) is good
        assert made.transport.aborted is not good


@pytest.mark.parametrize("over", [0, 1])
async def test_bound_of_all_bytes(over: int) -> None:
    """What does not come to an end is waited for up to the bound, in the headers as well."""
    with rig() as made:
        made.hear([HEAD + b"X: ", b"y" * (ANSWER_BYTES_MAX - len(HEAD) - 3 + over)])
        assert (made.outcome() == ("waiting",)) is (over == 0)


@pytest.mark.parametrize("length", [ANSWER_MAX - 1, ANSWER_MAX, ANSWER_MAX + 1])
async def test_bound_of_the_body(length: int) -> None:
    """A body that is there up to the bound is waited for, and given as it is beyond it."""
    with rig() as made:
        made.hear([HEAD + b"Content-Length: 5000\r\n\r\n" + b"x" * length])
        assert (made.outcome() == ("waiting",)) is (length < ANSWER_MAX)
        assert made.transport.aborted is (length >= ANSWER_MAX)


async def test_second_request() -> None:
    """Nothing of an answer is left for the next one."""
    with rig() as made:
        made.hear([HEAD + b"X: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: 1\r\n\r\n"])
        assert made.pool.take(made.patrol.now()) is made.connection
        made.waiter = made.ask()
        made.hear([b"HTTP/1.1 204 No Content\r\n\r\n"])
        assert made.outcome() == (204, {}, b"", 1)


@given(st.lists(st.tuples(st.sampled_from(ANSWERS[:4]), st.booleans(), st.booleans()), max_size=12))
def test_answers_in_a_row(answers: list[tuple[bytes, bool, bool]]) -> None:
    """Each answer on a kept connection is what it would be on a fresh one, whether its like came before or not."""

    async def main() -> None:
        with rig() as kept:
            kept.hear([ANSWERS[0]])
            kept.pool.take(kept.patrol.now())
            for answer, in_pieces, bodiless in answers:
                with rig() as fresh:
                    for made in (kept, fresh):
                        made.waiter = made.ask_for(bodiless=bodiless)
                        made.hear([answer[:9], answer[9:]] if in_pieces else [answer])
                    assert kept.outcome() == fresh.outcome()
                    if kept.transport.aborted:
                        assert bodiless
                        return
                    assert kept.pool.take(kept.patrol.now()) is kept.connection

    asyncio.run(main())


@pytest.mark.parametrize("over", [0, 1])
async def test_bound_of_what_is_recognised(over: int) -> None:
    """An answer that comes again, letter for letter, is recognised up to the bound, and read anew beyond it."""
    answer = HEAD + b"Content-Length: 0\r\nX: "
    answer += b"y" * (KNOWN_BYTES_MAX - len(answer) - 4 + over) + b"\r\n\r\n"
    with rig() as made:
        made.hear([answer])
        first = made.waiter.result()
        made.pool.take(made.patrol.now())
        made.waiter = made.ask()
        made.hear([bytes(bytearray(answer))])
        assert made.waiter.result() == first
        assert (made.waiter.result() is first) is (over == 0)


async def test_what_is_recognised_is_a_whole_answer() -> None:
    """The end of an answer that looks like a whole one before it is no answer of its own."""
    with rig() as made:
        made.hear([ANSWERS[1]])
        made.pool.take(made.patrol.now())
        made.waiter = made.ask()
        made.hear([HEAD + b"Content-Length: %d\r\n\r\n" % len(ANSWERS[1]), ANSWERS[1]])
        assert made.outcome()[0::2] == (200, ANSWERS[1])


async def test_requests_of_one_turn_are_written_together() -> None:
    """A request is written when those who run in this turn of the loop have run, and only once."""
    with rig() as made:
        patrol = made.patrol
        fresh = [Connection(made.pool, patrol, made.socket) for _ in range(2)]
        transports = [FakeTransport() for _ in fresh]
        for connection, transport in zip(fresh, transports, strict=True):
            connection.connection_made(transport)
            connection.begin(b"request", patrol.now() + 60, 60, bodiless=False)
        assert [transport.written for transport in transports] == [b"", b""]
        await asyncio.sleep(0)
        assert [transport.written for transport in transports] == [b"request", b"request"]
        await asyncio.sleep(0)
        assert [transport.written for transport in transports] == [b"request", b"request"]


@pytest.mark.parametrize("what", ["answer", "end", "reset", "cancel", "late"])
async def test_before_the_request_is_written(what: str) -> None:
    """What happens to a connection before its request is written leaves the request unsent, and no answer counts."""
    with rig() as made:
        made.hear([ANSWERS[0]])
        made.pool.take(made.patrol.now())
        written = made.transport.written
        made.waiter = made.connection.begin(b"second", made.patrol.now() + 60, 60, bodiless=False)
        match what:
            case "answer":
                made.connection.data_received(ANSWERS[0])
            case "end":
                made.connection.eof_received()
            case "reset":
                made.connection.connection_lost(ConnectionResetError(104, "x"))
            case "cancel":
                made.connection.forsake(made.waiter)
            case "late":
                made.connection.expire()
        await asyncio.sleep(0)
        assert made.transport.written == written
        assert made.pool.count == 0
        if what == "cancel":
            assert made.outcome() == ("waiting",)
        else:
            assert made.outcome()[1] is False
            assert isinstance(made.waiter.exception(), UnsentError) is (what != "late")


async def test_answer_while_a_part_of_the_request_waits() -> None:
    """An answer to half a request counts, and its connection is closed; no answer means it was not processed."""
    with rig() as made:
        made.connection.pause_writing()
        made.hear([HEAD + b"Content-Length: 0\r\n\r\n"])
        assert made.outcome()[0] == 200
        assert made.transport.aborted
    with rig() as made:
        made.connection.pause_writing()
        made.connection.connection_lost(ConnectionResetError(104, "x"))
        assert made.outcome()[:2] == ("connection reset by peer", False)
    with rig() as made:
        made.connection.pause_writing()
        made.connection.resume_writing()
        made.connection.connection_lost(ConnectionResetError(104, "x"))
        assert made.outcome()[:2] == ("connection reset by peer", True)


async def test_error_of_our_own_is_not_hidden() -> None:
    """An error that is neither the parser's nor a bound's goes to the loop."""
    with rig() as made, pytest.MonkeyPatch.context() as patch:

        def fails(*_: object) -> None:
            raise ZeroDivisionError

        patch.setattr(Connection, "_check", fails)
        with pytest.raises(Exception, match="callback") as caught:
            made.connection.data_received(HEAD + b"Content-Length: 0\r\n\r\n")
        assert isinstance(caught.value.__context__, ZeroDivisionError)


async def test_runtime_error_of_the_loop() -> None:
    """Uvloop ends a connection with errors that are no OSError."""
    with rig() as made:
        made.connection.connection_lost(RuntimeError("x"))
        assert made.outcome()[:2] == ("the connection was lost", True)
