"""One connection: exchanges one request for one answer, then the next, and knows when it is good for no more.

It is used again only when all is beyond doubt: the request went out in full, the answer came to its end with a length
or in chunks, both sides keep the connection, and not one byte came that nobody asked for. Whatever else happens, it is
closed. Once a status has come the answer stands, even when its body is cut off, trickles or is garbage.
"""

from __future__ import annotations

import asyncio
import re
import socket
from math import inf
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser
from typing_extensions import override

from alertd.destinations.base import HttpAnswer, SendError
from alertd.destinations.faults import LOST, NO_ANSWER, no_http, os_reason, refuses_certificate
from alertd.destinations.http1.fields import Fields
from alertd.destinations.http_bounds import HEADERS_MAX, KEEPALIVE_SECONDS, LINE_BYTES_MAX
from alertd.model.delivery import ANSWER_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.destinations.http1.patrol import Patrol

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Bytes of an answer that are read while its end does not come: interim answers, headers, chunks and all."""

FRESH_SECONDS: Final = 0.1
"""A connection that rested for longer is looked at before it is used: the loop may not know yet that it was closed."""

KNOWN_BYTES_MAX: Final = 512
"""Bytes of an answer that is recognised when it comes again, letter for letter: most receivers always say the same."""

LIFETIME_SECONDS: Final = 300.0
"""How long a connection is used: a name that moved to another address is followed by then."""

_PEEK: Final = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_OK: Final = 200
_WAITED: Final = 408
_UPGRADED: Final = 101
_INFORMATIONAL: Final = 100
_NO_FIELDS: Final = Fields(())
_HINT: Final = re.compile(rb"\btimeout=([0-9]{1,6})", re.IGNORECASE)


class UnansweredError(SendError):
    """The connection was closed before a single byte of an answer came."""


class UnsentError(UnansweredError):
    """The connection was closed, or spoke, before a single byte of the request was handed over."""


class UnfitError(ValueError):
    """An answer is beyond a bound, has no status, or was not asked for."""


class Keeper(Protocol):
    """What keeps connections while they rest."""

    def put(self, connection: Connection) -> bool:
        """Keep one; False: there is no room."""

    def drop(self, connection: Connection) -> None:
        """Forget one that is closed."""


class Connection(asyncio.Protocol):
    """A connection to one origin. `expires`: when it must be looked at, on the loop's clock."""

    __slots__ = (
        "_alive",
        "_answered",
        "_bodiless",
        "_body",
        "_done",
        "_fields",
        "_headers",
        "_keep",
        "_known",
        "_known_answer",
        "_parser",
        "_patrol",
        "_pool",
        "_received",
        "_rest_seconds",
        "_retires",
        "_seconds",
        "_socket",
        "_spoilt",
        "_status",
        "_stuck",
        "_transport",
        "_unsent",
        "_waiter",
        "_write",
        "expires",
    )

    talks_first: ClassVar[bool] = False
    """Whether the server may send something before it is asked."""
    _transport: asyncio.Transport
    _write: Callable[[bytes], None]
    _fields: list[tuple[bytes, bytes]]
    _known_answer: HttpAnswer

    def __init__(self, pool: Keeper, patrol: Patrol, sock: socket.socket) -> None:
        self._pool = pool
        self._patrol = patrol
        self._socket = sock
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._waiter: asyncio.Future[HttpAnswer] | None = None
        self._alive = True
        self._answered = False
        self._stuck = False
        self._unsent = b""
        self._rest_seconds = KEEPALIVE_SECONDS
        self._retires = patrol.now() + LIFETIME_SECONDS
        self.expires = inf
        self._seconds = 0.0
        self._bodiless = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._fields = self._headers
        self._known = b""
        self._forget()

    # ------------------------------------------------------------------ what the sender asks of it

    async def ready(self) -> None:
        """Wait until a request can be sent."""

    def begin(self, data: bytes, expires: float, seconds: float, *, bodiless: bool) -> asyncio.Future[HttpAnswer]:
        """Send a request; the future gives the answer or a SendError. `expires` is `seconds` after the send began."""
        self._bodiless = bodiless
        self._seconds = seconds
        self.expires = expires
        if expires < self._patrol.next_look:
            self._patrol.expect(expires)
        self._waiter = waiter = self._patrol.future()
        if self._alive and (self._answered or self.talks_first or self._silent()):
            self._unsent, self._stuck = data, True
            self._patrol.send_soon(self.send)
        else:  # closed, or talking, before anything was asked
            self._settle(UnsentError(NO_ANSWER))
            self._close()
        return waiter

    def send(self) -> None:
        """Hand over the request that `begin` was given, unless the connection came to its end meanwhile."""
        data, self._unsent = self._unsent, b""
        if self._alive:
            self._stuck = False
            self._write(data)

    def forsake(self, waiter: asyncio.Future[HttpAnswer]) -> None:
        """Close, because nobody waits for this answer any more; nothing if the exchange is over."""
        if self._waiter is waiter:
            self._waiter = None
            self._close()
        elif not waiter.cancelled():
            waiter.exception()  # seen: it came at the same moment as the cancellation

    def good(self, now: float) -> bool:
        """Say whether a resting connection can be used."""
        if not self._alive or now >= self.expires:
            return False
        rested = now - self.expires + self._rest_seconds
        return rested < FRESH_SECONDS or self._silent()

    def expire(self) -> None:
        """End an exchange that takes too long, or a rest that is over."""
        self.end(f"timed out after {self._seconds:g} s")

    def end(self, reason: str) -> None:
        """Close; an exchange under way fails with this reason, unless its answer has a status already."""
        if self._waiter is not None:
            self._settle(self._answer() if self._status else SendError(reason, ambiguous=not self._stuck))
        else:
            self._pool.drop(self)
        self._close()

    # ------------------------------------------------------------------ what the loop tells

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; `pause_writing` is to be heard as long as one byte of a request is not handed over."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport: it writes
        self._transport.set_write_buffer_limits(high=0)
        self._write = self._transport.write
        self._patrol.add(self)

    @override
    def pause_writing(self) -> None:
        """Take note that a part of the request waits."""
        self._stuck = True

    @override
    def resume_writing(self) -> None:
        """Take note that all of it was handed over."""
        self._stuck = False

    @override
    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer."""
        if self._waiter is None or self._parser is None or self._unsent:
            self._refuse()
            return
        if data == self._known and not (self._received or self._bodiless):
            self._hand_over(self._known_answer, keep=True)
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._garbled(error)
            return
        if self._done:
            self._finish(data)
        elif len(self._body) >= ANSWER_MAX or self._received > ANSWER_BYTES_MAX:
            self._cut("it does not end")

    @override
    def eof_received(self) -> None:
        """Take the end of what comes for the end of the connection."""
        self._lost(None)
        self._close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        self._lost(exc)
        self._alive = False
        self._parser = None
        self._write = _drop
        self._patrol.discard(self)

    # ------------------------------------------------------------------ what the parser finds

    def on_message_begin(self) -> None:
        """Stop at an answer behind the answer."""
        if self._done:
            raise UnfitError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, or a trailer until the end of the answer."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the status, unless it is an interim one."""
        status = self._parser.get_status_code()  # type: ignore[union-attr]  # the parser is what calls this
        fields, self._headers = self._headers, []
        if status >= _OK or status == _UPGRADED:
            self._check(fields)
            self._fields = fields
            self._status = status
            if self._bodiless:
                self._done = True
        elif status < _INFORMATIONAL:
            raise UnfitError(f"status {status}")

    def on_body(self, piece: bytes) -> None:
        """Keep the first kilobyte."""
        room = ANSWER_MAX - len(self._body)
        if room > 0:
            self._body += piece[:room]

    def on_message_complete(self) -> None:
        """Take note that the answer is whole; trailers are no headers, least of all of the next answer.

        Which request a 408 answers nobody knows: its server was tired of waiting for one.
        """
        if self._headers:
            self._headers = []
        if status := self._status:
            self._done = True
            self._keep = not self._bodiless and status != _WAITED and self._parser.should_keep_alive()  # type: ignore[union-attr]  # as above

    # ------------------------------------------------------------------ the engine room

    def _forget(self) -> None:
        self._status = self._received = 0
        self._body = b""
        self._done = self._spoilt = self._keep = False

    def _check(self, fields: list[tuple[bytes, bytes]]) -> None:
        if len(fields) > HEADERS_MAX:
            raise UnfitError(f"more than {HEADERS_MAX} headers")
        if self._received > LINE_BYTES_MAX and any(len(n) + len(v) > LINE_BYTES_MAX for n, v in fields):
            raise UnfitError(f"a header of more than {LINE_BYTES_MAX} bytes")

    def _answer(self) -> HttpAnswer:
        return HttpAnswer(self._status, Fields(self._fields) if self._fields else _NO_FIELDS, self._body)

    def _settle(self, result: HttpAnswer | SendError) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if isinstance(result, SendError):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)

    def _finish(self, last: bytes) -> None:
        """Take a whole answer, whose last piece is given.

        One that came in one piece and raises no doubt is remembered: the parser, which stands between two answers
        then, would find the same in the same bytes again.
        """
        if not self._answered:
            self._answered = True
            self._judge()
        answer, keep = self._answer(), self._keep and not self._spoilt
        if keep and self._received == len(last) <= KNOWN_BYTES_MAX:
            self._known, self._known_answer = last, answer
        self._forget()
        self._hand_over(answer, keep=keep)

    def _hand_over(self, answer: HttpAnswer, *, keep: bool) -> None:
        """Give the answer to whoever waits, and rest when all is beyond doubt."""
        patrol, waiter = self._patrol, self._waiter
        now = patrol.now()
        doubt = self._stuck or waiter is None or waiter.done()
        if keep and not doubt and now < self._retires and self._pool.put(self):
            self.expires = expires = now + self._rest_seconds
            if expires < patrol.next_look:
                patrol.expect(expires)
        else:
            self._close()
        self._waiter = None
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    def _judge(self) -> None:
        """Learn from the first answer how long the server keeps a connection (never, when it speaks HTTP/1.0)."""
        if self._parser is None or self._parser.get_http_version() != "1.1":
            self._retires = -inf
        for name, value in self._fields:
            if name.lower() == b"keep-alive" and (hint := _HINT.search(value)):
                self._rest_seconds = min(KEEPALIVE_SECONDS, int(hint[1]) - 1.0)
        if self._rest_seconds <= 0:
            self._retires = -inf

    def _refuse(self) -> None:
        """Take what nobody asked for: the next request is not to be sent where an answer is there already."""
        self._settle(UnsentError(NO_ANSWER))
        self._pool.drop(self)
        self._close()

    def _garbled(self, error: Exception) -> None:
        """Take what the parser does not understand: behind an answer, in its body, or in its place."""
        reason: BaseException | None = error
        if isinstance(error, HttpParserCallbackError):
            reason = error.__context__
            if not isinstance(reason, UnfitError):
                raise error
        if self._done:
            self._spoilt = True
            self._finish(b"")
        else:
            self._cut(reason)

    def _cut(self, reason: object) -> None:
        self.end("" if self._status else no_http(reason))

    def _lost(self, exc: Exception | None) -> None:
        if self._waiter is None:
            self._pool.drop(self)
        elif self._status:
            self._settle(self._answer())
        else:
            words = NO_ANSWER if exc is None else os_reason(exc) if isinstance(exc, OSError) else LOST
            kind = SendError if self._received else UnsentError if self._unsent else UnansweredError
            self._settle(kind(words, ambiguous=not (self._stuck or refuses_certificate(exc))))

    def _silent(self) -> bool:
        """Ask the system whether the connection was closed, or has something to say that nobody asked for."""
        try:
            self._socket.recv(1, _PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def _close(self) -> None:
        self._alive = False
        self._transport.abort()


def _drop(data: bytes) -> None:
    """Write nothing: the connection is gone."""
