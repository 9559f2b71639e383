"""The express lane: a plain request of the intake is answered without the server library's machinery.

When bytes that come in are exactly one plain request (`plain_request`) and nothing else is under way on the connection,
the intake is asked to take its events. A head whose body is on its way is kept for a moment: many clients write the two
apart. What it takes is answered here once it is stored, or could not be; all else, from
a wrong token to a full queue, goes the ordinary way as if it had never been looked at. While a request is under way
here, what follows waits, and the connection is not read.

The connection is the library's own, with some of its insides: `fits` says whether they are still as they must be; the
tests of conformance send the same over both lanes.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, RawRequestMessage
from typing_extensions import override

from alertd.api.auth import SENDERS, Sender
from alertd.api.edge import broken
from alertd.api.plain_request import PATH, Begun, PlainReader, PlainRequest
from alertd.api.problems import of_error
from alertd.errors import AlertdError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from alertd.api.auth import Authenticator
    from alertd.api.refusals import Refusals
    from alertd.model.token import Token
    from alertd.submission import Accepted

    Done = asyncio.Future[list[Accepted]]
    Taken = tuple[Done, Callable[[Done], bytes]]
    """A request that was taken: when it is stored, and how its answer is then written."""

BODY_SECONDS: Final = 0.05
"""How long the body of a request that has begun is waited for; the ordinary lane then waits for it as long as it may."""
_METHOD: Final = "POST"
_JSON: Final = "Content-Type: application/json\r\n"
_INSIDES: Final = frozenset(
    {"_waiter", "_messages", "_close", "_request_in_progress", "_handler_waiter", "_next_keepalive_close_time"}
)


class Taker(Protocol):
    """The intake, as this lane sees it."""

    def take(self, token: Token, content_type: str | None, body: bytes) -> Done | None:
        """Take the events of a body; None: nothing was done, ask the ordinary way."""

    def answer(self, accepted: list[Accepted]) -> bytes:
        """Write the body of a 202."""


class EnvelopeTaker(Protocol):
    """The intake of SDKs, as this lane sees it."""

    def take(self, project: str, auth: str | None, body: bytes) -> tuple[Done, str | None] | None:
        """Take the events of an envelope; return its id too. None: nothing was done, ask the ordinary way."""

    def answer(self, event_id: str | None) -> tuple[Mapping[str, str], bytes]:
        """Write headers and body of a 200."""

    def refusal(self, error: AlertdError) -> web.Response:
        """Answer one of our errors."""


class Express:
    """What all connections share; without `envelopes` there is no lane for them."""

    def __init__(
        self, authenticator: Authenticator, refusals: Refusals, taker: Taker, envelopes: EnvelopeTaker | None = None
    ) -> None:
        self._authenticator = authenticator
        self._refusals = refusals
        self._taker = taker
        self._envelopes = envelopes

    def take(self, request: PlainRequest, sender: Sender) -> Taken | None:
        """Take a request of a connection's sender, or leave it to the ordinary lane (None)."""
        head = request.head
        if head.project is not None:
            return self._take_envelope(request, head.project)
        token = self._authenticator.recognise(head.authorization, sender)
        if token is None or token.role not in SENDERS:
            return None
        done = self._taker.take(token, head.content_type, request.body)
        return None if done is None else (done, self._answer)

    def _take_envelope(self, request: PlainRequest, project: str) -> Taken | None:
        envelopes = self._envelopes
        if envelopes is None or request.head.authorization is not None:
            return None
        taken = envelopes.take(project, request.head.sentry_auth, request.body)
        if taken is None:
            return None
        done, event_id = taken

        def write(done: Done) -> bytes:
            error = done.exception()
            if error is None:
                headers, body = envelopes.answer(event_id)
                return wire("200 OK", _lines(headers), body)
            if isinstance(error, AlertdError):
                return written(envelopes.refusal(error))
            return written(broken(_METHOD, f"/sentry/api/{project}/envelope/", error))

        return done, write

    def _answer(self, done: Done) -> bytes:
        """Write the answer to events that were taken."""
        error = done.exception()
        if error is None:
            return wire("202 Accepted", _JSON, self._taker.answer(done.result()))
        if isinstance(error, AlertdError):
            self._refusals.note(PATH, error)
            return written(of_error(error))
        return written(broken(_METHOD, PATH, error))


EXPRESS: Final = web.AppKey("express", Express)
"""Under this key an application carries its express lane, if it has one."""


def fits() -> bool:
    """Whether the library is still made as this lane needs it."""
    return _INSIDES.issubset(web.RequestHandler.__slots__)


def written(answer: web.Response) -> bytes:
    """Write an answer of the library's."""
    return wire(f"{answer.status} {answer.reason}", _lines(answer.headers), cast("bytes", answer.body))


def wire(status: str, lines: str, body: bytes) -> bytes:
    """Write an answer to a request of HTTP/1.1 with headers as `lines`, after which the connection stays open, as the library does."""
    return _head(status, lines, len(body), rfc822_formatted_time()) + body


def _lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


@lru_cache(64)
def _head(status: str, lines: str, length: int, date: str) -> bytes:
    """Write all but the body; most answers of one second begin alike."""
    return (
        f"HTTP/1.1 {status}\r\n{lines}Content-Length: {length}\r\nDate: {date}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    ).encode()


class ExpressHandler(web.RequestHandler):
    """A connection with both lanes."""

    __slots__ = ("_begun", "_busy", "_express", "_held", "_in_step", "_late", "_reader", "_sender")

    def __init__(self, express: Express, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._express = express
        self._reader = PlainReader()
        self._sender = Sender()
        self._busy = False
        self._held = b""
        self._begun = b""  # a head whose body is on its way
        self._late: asyncio.TimerHandle | None = None
        self._in_step = True  # the library's parser waits for the beginning of a request

    @override
    def data_received(self, data: bytes) -> None:
        """Look whether what came is for this lane."""
        if self._busy:
            self._held += data
            self._pause_transport_reading()
            return
        begun = self._let_go() if self._begun else b""
        data = begun + data
        waiter = self._waiter
        idle = waiter is not None and not waiter.done() and not self._messages
        request = self._reader.read(data) if idle and not self._paused and not self._close else None
        if request is not None and self._in_step:
            if isinstance(request, Begun):
                if not begun:
                    self._begun = data
                    self._late = self._loop.call_later(BODY_SECONDS, self._give_up)
                    return
            elif self._take(request):
                return
        self._leave(data, request)

    @override
    def eof_received(self) -> None:
        """Leave to the library what is only half here."""
        self._give_up()
        super().eof_received()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget what was only half here."""
        self._let_go()
        super().connection_lost(exc)

    def _let_go(self) -> bytes:
        """Wait no longer for a body; return what was there of its request."""
        begun, self._begun = self._begun, b""
        if self._late is not None:
            self._late.cancel()
            self._late = None
        return begun

    def _give_up(self) -> None:
        """Leave a request to the library whose body is late."""
        begun = self._let_go()
        if begun:
            self._leave(begun, None)

    def _leave(self, data: bytes, request: PlainRequest | Begun | None) -> None:
        """Leave bytes to the library."""
        super().data_received(data)
        if data:  # nothing at all is how the library asks itself for what it left unread
            self._in_step = isinstance(request, PlainRequest) and self._has_read(request)

    def _take(self, request: PlainRequest) -> bool:
        taken = self._express.take(request, self._sender)
        if taken is None:
            return False
        if self._manager is not None:
            self._manager.requests_count += 1
        self._request_count += 1
        self._busy = self._request_in_progress = True
        done, write = taken
        done.add_done_callback(partial(self._answer, write))
        return True

    def _has_read(self, request: PlainRequest) -> bool:
        """Whether the library made the same of these bytes: then nothing came before, and nothing is left."""
        if len(self._messages) != 1:
            return False
        message, payload = self._messages[0]
        return (
            isinstance(message, RawRequestMessage)
            and message.method == _METHOD
            and len(message.raw_headers) == request.head.headers
            and payload.is_eof()
        )

    def _answer(self, write: Callable[[Done], bytes], done: Done) -> None:
        self._busy = self._request_in_progress = False
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(write(done))
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
        """Let the connection be as long as a request is under way, or has begun."""
        if self._busy or self._begun:
            self._keepalive_handle = self._loop.call_later(self._keepalive_timeout, self._process_keepalive)
        else:
            super()._process_keepalive()
