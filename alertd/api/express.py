"""The express lane: a plain request of the intake is answered without the server library's machinery.

When bytes that come in are exactly one plain request (`plain_request`) and nothing else is under way on the connection,
the intake is asked to take its events. What it takes is answered here once it is stored, or could not be; all else, from
a wrong token to a full queue, goes the ordinary way as if it had never been looked at. While a request is under way
here, what follows waits, and the connection is not read.

The connection is the library's own, with some of its insides: `fits` says whether they are still as they must be; the
tests of conformance send the same over both lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, RawRequestMessage
from typing_extensions import override

from alertd.api.auth import SENDERS
from alertd.api.edge import broken
from alertd.api.plain_request import PATH, PlainRequest, read
from alertd.api.problems import of_error
from alertd.errors import AlertdError

if TYPE_CHECKING:
    import asyncio

    from alertd.api.auth import Authenticator
    from alertd.api.refusals import Refusals
    from alertd.model.token import Token
    from alertd.submission import Accepted

_METHOD: Final = "POST"
_INSIDES: Final = frozenset(
    {"_waiter", "_messages", "_close", "_request_in_progress", "_handler_waiter", "_next_keepalive_close_time"}
)


class Taker(Protocol):
    """The intake, as this lane sees it."""

    def take(self, token: Token, content_type: str | None, body: bytes) -> asyncio.Future[list[Accepted]] | None:
        """Take the events of a body; None: nothing was done, ask the ordinary way."""

    def answer(self, accepted: list[Accepted]) -> bytes:
        """Write the body of a 202."""


class Express:
    """What all connections share."""

    def __init__(self, authenticator: Authenticator, refusals: Refusals, taker: Taker) -> None:
        self._authenticator = authenticator
        self._refusals = refusals
        self._taker = taker

    def take(self, request: PlainRequest) -> asyncio.Future[list[Accepted]] | None:
        """Take a request, or leave it to the ordinary lane (None)."""
        token = self._authenticator.recognise(request.authorization)
        if token is None or token.role not in SENDERS:
            return None
        return self._taker.take(token, request.content_type, request.body)

    def answer(self, done: asyncio.Future[list[Accepted]]) -> bytes:
        """Write the answer to what was taken."""
        error = done.exception()
        if error is None:
            return wire("202 Accepted", "Content-Type: application/json\r\n", self._taker.answer(done.result()))
        if isinstance(error, AlertdError):
            self._refusals.note(PATH, error)
            refusal = of_error(error)
        else:
            refusal = broken(_METHOD, PATH, error)
        headers = "".join([f"{name}: {value}\r\n" for name, value in refusal.headers.items()])
        return wire(f"{refusal.status} {refusal.reason}", headers, cast("bytes", refusal.body))


EXPRESS: Final = web.AppKey("express", Express)
"""Under this key an application carries its express lane, if it has one."""


def fits() -> bool:
    """Whether the library is still made as this lane needs it."""
    return _INSIDES.issubset(web.RequestHandler.__slots__)


def wire(status: str, headers: str, body: bytes) -> bytes:
    """Write an answer to a request of HTTP/1.1, after which the connection stays open, as the library does."""
    return (
        f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nDate: {rfc822_formatted_time()}\r\n"
        f"Server: {SERVER_SOFTWARE}\r\n\r\n"
    ).encode() + body


class ExpressHandler(web.RequestHandler):
    """A connection with both lanes."""

    __slots__ = ("_busy", "_express", "_held", "_in_step")

    def __init__(self, express: Express, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._express = express
        self._busy = False
        self._held = b""
        self._in_step = True  # the library's parser waits for the beginning of a request

    @override
    def data_received(self, data: bytes) -> None:
        """Look whether what came is for this lane."""
        if self._busy:
            self._held += data
            self._pause_transport_reading()
            return
        waiter = self._waiter
        idle = waiter is not None and not waiter.done() and not self._messages
        request = read(data) if idle and not self._paused and not self._close else None
        if request is not None and self._in_step and self._take(request):
            return
        super().data_received(data)
        if data:  # nothing at all is how the library asks itself for what it left unread
            self._in_step = request is not None and self._has_read(request)

    def _take(self, request: PlainRequest) -> bool:
        done = self._express.take(request)
        if done is None:
            return False
        if self._manager is not None:
            self._manager.requests_count += 1
        self._request_count += 1
        self._busy = self._request_in_progress = True
        done.add_done_callback(self._answer)
        return True

    def _has_read(self, request: PlainRequest) -> bool:
        """Whether the library made the same of these bytes: then nothing came before, and nothing is left."""
        if len(self._messages) != 1:
            return False
        message, payload = self._messages[0]
        return (
            isinstance(message, RawRequestMessage)
            and message.method == _METHOD
            and len(message.raw_headers) == request.headers
            and payload.is_eof()
        )

    def _answer(self, done: asyncio.Future[list[Accepted]]) -> None:
        self._busy = self._request_in_progress = False
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(self._express.answer(done))
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        if transport is None:
            return
        if self._close or self._force_close:
            transport.close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._held:
            held, self._held = self._held, b""
            self._resume_transport_reading()
            self.data_received(held)

    @override
    def _process_keepalive(self) -> None:
        """Let the connection be as long as a request is under way."""
        if self._busy:
            self._keepalive_handle = self._loop.call_later(self._keepalive_timeout, self._process_keepalive)
        else:
            super()._process_keepalive()
