"""How a server may behave on the first connection, and what a sender must make of it. Each is one line of `BEHAVIOURS`.

Later connections are always answered as one should, so that after each behaviour the suite can ask again: it must get
that answer, and over a fresh connection unless the first one is beyond doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.destinations.base import HttpAnswer, SendError
from alertd.model.delivery import ANSWER_MAX
from tests.conformance.sender_peer import OK, Peer, turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Script = Callable[[Peer], Awaitable[None]]

PATIENCE: Final = 5.0
"""Seconds that a sender is given when it should succeed."""

HASTE: Final = 0.5
"""Seconds that a sender is given when it should give up."""

HEAD: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EVIL: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
KEPT: Final = "kept"
CLOSED: Final = "closed"
EITHER: Final = "either"


@dataclass(frozen=True)
class Answer:
    """An answer came. `body`: None: whatever it is."""

    status: int = 200
    body: bytes | None = None

    def fits(self, outcome: HttpAnswer | SendError) -> bool:
        """Say whether this is what came."""
        if not isinstance(outcome, HttpAnswer):
            return False
        return outcome.status == self.status and self.body in {None, outcome.body}


@dataclass(frozen=True)
class Failure:
    """No answer came, for this reason (its beginning). `ambiguous`: None: either may be said."""

    words: str
    ambiguous: bool | None = True

    def fits(self, outcome: HttpAnswer | SendError) -> bool:
        """Say whether this is what came."""
        if not isinstance(outcome, SendError) or outcome.refused:
            return False
        return str(outcome).startswith(self.words) and self.ambiguous in {None, outcome.ambiguous}


NO_HTTP: Final = Failure("the answer is not HTTP")
LATE: Final = Failure(f"timed out after {HASTE:g} s")
UNANSWERED: Final = Failure("the connection was closed without an answer")
RESET: Final = Failure("connection reset by peer")
TOLERATED: Final = (Answer(), NO_HTTP)
"""A sender may understand it, or refuse to."""


@dataclass(frozen=True)
class Behaviour:
    """What a server does with the first connection; what may come of the first request; whether the connection stays."""

    name: str
    script: Script
    outcomes: tuple[Answer | Failure, ...]
    connection: str = CLOSED
    seconds: float = PATIENCE
    body: bytes = b"{}"

    async def handle(self, peer: Peer) -> None:
        """Be a server."""
        if peer.server.connections > 1:
            await peer.serve()
        try:
            await self.script(peer)
        finally:
            peer.server.played.set()


def says(*pieces: bytes, then: str = "serve") -> Script:
    """Read a request, say these pieces one after the other, and then serve, hang, close, reset, or half-close and hang."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.say(piece)
            await turns(3)
        peer.server.played.set()
        await after(peer, then)

    return script


async def after(peer: Peer, then: str) -> None:
    """Do what comes at last."""
    if then == "serve":
        await peer.serve()
    elif then == "hang":
        await peer.hang()
    elif then == "reset":
        peer.reset()
    elif then == "half":
        peer.writer.write_eof()
        await peer.hang()


def repeats(first: bytes, again: bytes) -> Script:
    """Read a request, say something, and then something else without end."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(first)
        while True:
            await peer.say(again)
            await turns(1)

    return script


def early(answer: bytes) -> Script:
    """Answer before the body is read, and never read it."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(answer)
        await peer.hang()

    return script


def kept(name: str, *pieces: bytes, status: int = 200, body: bytes | None = b"ok") -> Behaviour:
    """Make a behaviour that is beyond doubt."""
    return Behaviour(name, says(*pieces), (Answer(status, body),), KEPT)


def closed(name: str, *pieces: bytes, status: int = 200, body: bytes | None = b"ok", then: str = "serve") -> Behaviour:
    """Make a behaviour whose answer counts, but whose connection must not be used again."""
    return Behaviour(name, says(*pieces, then=then), (Answer(status, body),))


def cut(name: str, *pieces: bytes, then: str, body: bytes | None = None) -> Behaviour:
    """Make a behaviour whose status stands although its body does not come to an end."""
    return Behaviour(name, says(*pieces, then=then), (Answer(200, body),), seconds=HASTE)


def garbage(name: str, *pieces: bytes, then: str = "hang") -> Behaviour:
    """Make a behaviour that is no HTTP."""
    return Behaviour(name, says(*pieces, then=then), (NO_HTTP,))


def tolerated(name: str, *pieces: bytes) -> Behaviour:
    """Make a behaviour that one may understand or not."""
    return Behaviour(name, says(*pieces), TOLERATED, EITHER)


def silent(name: str, *pieces: bytes, then: str, outcome: Failure, seconds: float = PATIENCE) -> Behaviour:
    """Make a behaviour that leaves open what became of the request."""
    return Behaviour(name, says(*pieces, then=then), (outcome,), seconds=seconds)


_WHOLE: Final = (
    kept("a body with its length", OK),
    kept("204 without a length", b"HTTP/1.1 204 No Content\r\n\r\n", status=204, body=b""),
    kept("304 with the length of what it does not send", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", status=304, body=b""),
    kept("an empty body", HEAD + b"Content-Length: 0\r\n\r\n", body=b""),
    kept("chunks", CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
    kept("chunks in upper-case hexadecimal", CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", body=b"0123456789"),
    kept("chunks with leading zeros", CHUNKED + b"0002\r\nok\r\n0\r\n\r\n"),
    kept("chunks with extensions", CHUNKED + b'2;a=b;c="d e"\r\nok\r\n0;z\r\n\r\n'),
    kept("chunks with trailers", CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"),
    kept("no chunk but the last", CHUNKED + b"0\r\n\r\n", body=b""),
    kept("a hundred chunks of one byte", CHUNKED + b"1\r\nx\r\n" * 100 + b"0\r\n\r\n", body=b"x" * 100),
    kept("chunks, each in a segment of its own", CHUNKED, b"2\r\nok\r\n", b"0\r\n\r\n"),
    kept("one byte a segment", *[OK[i : i + 1] for i in range(len(OK))]),
    kept("chunks, one byte a segment", *[bytes([b]) for b in CHUNKED + b"2;x=y\r\nok\r\n0\r\nT: 1\r\n\r\n"]),
    kept("100 before the answer", b"HTTP/1.1 100 Continue\r\n\r\n", OK),
    kept("early hints, thrice", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + OK),
    kept("102 in the segment of the answer", b"HTTP/1.1 102 Processing\r\n\r\n" + OK),
    kept("no reason behind the status", b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"),
    kept("a reason that is not ASCII", b"HTTP/1.1 200 \xc3\xa9t\xc3\xa9 \xff\r\nContent-Length: 2\r\n\r\nok"),
    kept("a header that is not ASCII", HEAD + b"X: \xff\xfe\r\nContent-Length: 2\r\n\r\nok"),
    kept("a header without a value", HEAD + b"X:\r\nContent-Length: 2\r\n\r\nok"),
    kept("names in any case, values with blanks around", HEAD + b"cONTENT-lENGTH: \t 2 \t\r\n\r\nok"),
    kept("a header given twice", HEAD + b"X: 1\r\nX: 2\r\nContent-Length: 2\r\n\r\nok"),
    kept("keep-alive said aloud", HEAD + b"Connection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok"),
    kept("a hundred headers", HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(100)) + b"Content-Length: 2\r\n\r\nok"),
    kept("a page of 3 KB that is there at once", HEAD + b"Content-Length: 3000\r\n\r\n" + b"x" * 3000, body=b"x" * ANSWER_MAX),
    kept("a body of exactly the bound", HEAD + b"Content-Length: 1024\r\n\r\n" + b"x" * 1024, body=b"x" * 1024),
)  # fmt: skip

_DOUBTFUL: Final = (
    closed("the server says close", HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"),
    closed("close among others", HEAD + b"Connection: x, close\r\nContent-Length: 2\r\n\r\nok"),
    closed("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    closed("HTTP/1.0 until the end", b"HTTP/1.0 200 OK\r\n\r\nok", then="close"),
    closed("no length, until the end", HEAD + b"\r\nok", then="close"),
    closed("no length, nothing, the end", HEAD + b"\r\n", then="close", body=b""),
    closed("no length, until a half-close", HEAD + b"\r\nok", then="half"),
    closed("no length, until a reset", HEAD + b"\r\nok", then="reset", body=None),
    closed("a length, then a half-close", OK, then="half"),
    closed("a length, then the end", OK, then="close"),
    closed("a length, then a reset", OK, then="reset"),
    closed("garbage behind the body", OK + b"garbage"),
    closed("a second answer behind the body", OK + EVIL),
    closed("half of a second answer behind the body", OK + EVIL[:9]),
    closed("a second answer a little later", OK, EVIL),
    closed("one byte a little later", OK, b"H"),
    closed("a second answer behind chunks", CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + EVIL),
    closed("204 with a body", b"HTTP/1.1 204 No Content\r\n\r\nbody", status=204, body=b""),
    closed("204 with a length and a body", b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody", status=204, body=b""),
    closed("204 with an answer for its body", b"HTTP/1.1 204 No\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL, status=204, body=b""),
    closed("304 with a body", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody", status=304, body=b""),
    closed("an interim answer behind the answer", OK + b"HTTP/1.1 100 Continue\r\n\r\n"),
    closed("101 that nobody asked for", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", status=101, body=None),
    closed("101 and what follows it", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x81\x05", status=101, body=None),
    closed("an encoding that is not chunks, until the end", HEAD + b"Transfer-Encoding: gzip\r\n\r\nok", then="close"),
    Behaviour("413 before the body is read", early(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"), (Answer(413),), body=b"x" * (8 << 20)),
    Behaviour("200 before the body is read", early(OK), (Answer(200),), body=b"x" * (8 << 20)),
    cut("a body that is too long", HEAD + b"Content-Length: 9000000\r\n\r\n" + b"x" * 5000, then="hang", body=b"x" * ANSWER_MAX),
    cut("a body cut off by the end", HEAD + b"Content-Length: 10\r\n\r\nsome", then="close", body=b"some"),
    cut("a body cut off by a half-close", HEAD + b"Content-Length: 10\r\n\r\nsome", then="half", body=b"some"),
    cut("a body cut off by a reset", HEAD + b"Content-Length: 10\r\n\r\nsome", then="reset"),
    cut("a body that hangs", HEAD + b"Content-Length: 10\r\n\r\nsome", then="hang", body=b"some"),
    cut("a body that never begins", HEAD + b"Content-Length: 10\r\n\r\n", then="hang", body=b""),
    cut("chunks cut off by the end", CHUNKED + b"2\r\nok\r\n", then="close", body=b"ok"),
    cut("chunks without the last one", CHUNKED + b"2\r\nok\r\n", then="hang", body=b"ok"),
    cut("a chunk's size that is none", CHUNKED, b"zz\r\nok\r\n0\r\n\r\n", then="hang"),
    cut("a chunk of a negative size", CHUNKED, b"-2\r\nok\r\n0\r\n\r\n", then="hang"),
    cut("a chunk of a size with 0x", CHUNKED, b"0x2\r\nok\r\n0\r\n\r\n", then="hang"),
    cut("a chunk of more bytes than there are", CHUNKED, b"ffffffffffffffffff\r\nok\r\n0\r\n\r\n", then="hang"),
    cut("a chunk longer than it says", CHUNKED, b"2\r\nokay\r\n0\r\n\r\n", then="hang"),
    cut("a chunk that ends without a line break", CHUNKED, b"2\r\nok0\r\n\r\n", then="hang"),
    Behaviour("a chunk's extension without end", repeats(CHUNKED + b"2;x=", b"y" * 1000), (Answer(),), seconds=HASTE),
    Behaviour("trailers without end", repeats(CHUNKED + b"0\r\n", b"X-More: y\r\n" * 100), (Answer(),), seconds=HASTE),
    Behaviour("chunks without end", repeats(CHUNKED, b"1\r\nx\r\n" * 100), (Answer(),), seconds=HASTE),
)  # fmt: skip

_FOREIGN: Final = (
    garbage("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n"),
    garbage("TLS", b"\x15\x03\x01\x00\x02\x02\x46"),
    garbage("zero bytes", b"\x00" * 2000),
    garbage("a page without headers", b"<html><body>hello</body></html>\r\n\r\n"),
    garbage("a request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    garbage("another version", b"HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    garbage("no blank before the status", b"HTTP/1.1200 OK\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a status of letters", b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a negative status", b"HTTP/1.1 -20 OK\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a negative length", HEAD + b"Content-Length: -5\r\n\r\n"),
    garbage("two lengths", HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
    garbage("two lengths in one", HEAD + b"Content-Length: 2, 3\r\n\r\nok"),
    garbage("a length in hexadecimal", HEAD + b"Content-Length: 0x2\r\n\r\nok"),
    garbage("a length with a sign", HEAD + b"Content-Length: +2\r\n\r\nok"),
    garbage("a length of 30 digits", HEAD + b"Content-Length: 999999999999999999999999999999\r\n\r\nok"),
    garbage("a length without digits", HEAD + b"Content-Length: \r\n\r\nok"),
    garbage("a length and chunks", HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    garbage("chunks and a length", HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    garbage("a zero byte in a header's name", HEAD + b"X\x00Y: z\r\n\r\n"),
    garbage("a zero byte in a header's value", HEAD + b"X: y\x00z\r\n\r\n"),
    garbage("a carriage return in a header's value", HEAD + b"X: y\rz: 1\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a blank before a header's colon", HEAD + b"Content-Length : 2\r\n\r\nok", then="serve"),
    garbage("a header without a name", HEAD + b": x\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a header without a colon", HEAD + b"nonsense\r\nContent-Length: 2\r\n\r\nok"),
    garbage("a header of 100 KB", HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n"),
    garbage("a header's name of 100 KB", HEAD + b"X" * 100_000 + b": x\r\n\r\n"),
    garbage("ten thousand headers", HEAD + b"X-Many: x\r\n" * 10_000 + b"\r\n"),
    Behaviour("a header without end", repeats(HEAD + b"X: ", b"x" * 1000), (NO_HTTP,)),
    Behaviour("headers without end", repeats(HEAD, b"X-More: y\r\n" * 100), (NO_HTTP,)),
    Behaviour("a reason without end", repeats(b"HTTP/1.1 200 ", b"x" * 1000), (NO_HTTP,)),
    Behaviour("interim answers without end", repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10), (LATE, NO_HTTP), seconds=HASTE),
    Behaviour("line breaks without end", repeats(b"", b"\r\n" * 500), (LATE, NO_HTTP), seconds=HASTE),
    tolerated("an empty line before the answer", b"\r\n" + OK),
    tolerated("lines that end without a carriage return", OK.replace(b"\r\n", b"\n")),
    tolerated("a header that goes on in the next line", HEAD + b"X: y\r\n z\r\nContent-Length: 2\r\n\r\nok"),
    tolerated("the same length twice", HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
    tolerated("a chunk's size with a blank behind it", CHUNKED + b"2 \r\nok\r\n0\r\n\r\n"),
    tolerated("a version of one digit less", b"HTTP/1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    Behaviour("a status below 100", says(b"HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok"), (Answer(99), NO_HTTP), EITHER),
)  # fmt: skip

_LOST: Final = (
    silent("nothing, then the end", then="close", outcome=UNANSWERED),
    silent("nothing, then a reset", then="reset", outcome=RESET),
    silent("nothing, then a half-close", then="half", outcome=UNANSWERED),
    silent("nothing at all", then="hang", outcome=LATE, seconds=HASTE),
    silent("one byte, then the end", b"H", then="close", outcome=Failure("")),
    silent("one byte, then a reset", b"H", then="reset", outcome=Failure("")),
    silent("one byte, then nothing", b"H", then="hang", outcome=LATE, seconds=HASTE),
    silent("a status, then the end", HEAD, then="close", outcome=Failure("")),
    silent("a status, then nothing", HEAD, then="hang", outcome=LATE, seconds=HASTE),
    silent("half of the headers, then the end", HEAD + b"Content-", then="close", outcome=Failure("")),
    silent("half of the headers, then a reset", HEAD + b"Content-", then="reset", outcome=Failure("")),
    silent("headers without the empty line", HEAD + b"X: y\r\n", then="hang", outcome=LATE, seconds=HASTE),
    silent("an interim answer, then the end", b"HTTP/1.1 100 Continue\r\n\r\n", then="close", outcome=Failure("")),
    silent("an interim answer, then nothing", b"HTTP/1.1 100 Continue\r\n\r\n", then="hang", outcome=LATE, seconds=HASTE),
)  # fmt: skip

BEHAVIOURS: Final = (*_WHOLE, *_DOUBTFUL, *_FOREIGN, *_LOST)
