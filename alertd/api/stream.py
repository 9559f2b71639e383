"""The live stream: what happens in a workspace, as server-sent events, until the client leaves or the daemon stops.

Every entry is read from the store, so that what was told is durable, and has an id with which a client that lost its
connection, or whose daemon was restarted, goes on: nothing missed, nothing twice. What a client has not taken waits in
the store and not in memory; one that takes nothing for `stall_seconds` is cut off, and may come back.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from aiohttp import web

from alertd.api.auth import TOKEN, ForbiddenError, UnauthorizedError, require
from alertd.api.following import Follower
from alertd.api.live import Cursor, Told, cursor_at, read_cursor
from alertd.api.operation import STREAM, Operation, Parameter, route
from alertd.api.query import Query
from alertd.api.resources import BELOW
from alertd.api.selecting import DELIVERIES, names_of, select
from alertd.api.wrong_tokens import TooManyWrongTokensError
from alertd.errors import InvalidError, NotFoundError, Problem, StoreError, TooManyError
from alertd.model.token import Role
from alertd.store.following import Happened, Position

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alertd.api.context import Context
    from alertd.api.live import Entry
    from alertd.model.selection import Selection

LAST_EVENT_ID: Final = Parameter(
    "Last-Event-ID", "the id of the last entry that was read: the stream goes on behind it"
)
RETRY_AFTER_SECONDS: Final = 5
"""What a client that finds no room is told to wait."""
LINGER_SECONDS: Final = 5.0
"""How long a client that was cut off may take to read what was already on its way, and why."""
_HEADERS: Final = {
    "Content-Type": STREAM,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the lines back
}
_log = structlog.get_logger("alertd.api")


@dataclass(frozen=True, slots=True)
class StreamBounds:
    """How many clients there may be at once, how often a quiet stream says so, how long one that takes nothing is kept."""

    clients: int = 64
    keepalive_seconds: float = 15.0
    stall_seconds: float = 30.0


class Stream:
    """`GET /api/v1/workspaces/{workspace}/deliveries/stream`: events `delivery`, `verdict`, `dropped` and `end`."""

    def __init__(self, context: Context, bounds: StreamBounds = StreamBounds()) -> None:
        self._context = context
        self._bounds = bounds
        self._follower = Follower(context)
        self._clients = 0

    def register(self, app: web.Application) -> None:
        """Add the route; HEAD is none of it, as it would never end."""
        documented = Operation(
            "Follow verdicts and what becomes of deliveries, live",
            "history",
            query=DELIVERIES,
            headers=(LAST_EVENT_ID,),
            answers={200: {"type": "string"}},
            answer_types=(STREAM,),
            errors=(503,),
        )
        route(app, "GET", f"{BELOW}/deliveries/stream", self.listen, documented)

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Tell what happens in a workspace, from now on, from a time on, or from where the client was."""
        self._context.enter(request)
        query = Query(request, names_of(DELIVERIES))
        selection = select(query)
        query.check()
        with self._seat():
            cursor, missed = await self._start(request, selection)
            telling = _Telling(self._context, self._follower, self._bounds, request, selection)
            with suppress(ConnectionError):
                return await telling.run(cursor, missed)
        return telling.answer

    @contextmanager
    def _seat(self) -> Iterator[None]:
        """Take one of the places that there are. Raises TooManyError."""
        if self._clients >= self._bounds.clients:
            raise TooManyError(f"{self._clients} clients follow already, and no more may", RETRY_AFTER_SECONDS)
        self._clients += 1
        self._context.metrics.stream_clients.set(self._clients)
        try:
            yield
        finally:
            self._clients -= 1
            self._context.metrics.stream_clients.set(self._clients)

    async def _start(self, request: web.Request, selection: Selection) -> tuple[Cursor, dict[str, Any] | None]:
        """Return where to begin, and what is said of what cannot be told any more."""
        store, given = self._context.store, request.headers.get(LAST_EVENT_ID.name)
        if given is None:
            position = await (store.head() if selection.since_ms is None else store.position_at(selection.since_ms))
            return cursor_at(position), None
        cursor = read_cursor(given)
        if cursor is None:
            raise InvalidError([Problem(f"/{LAST_EVENT_ID.name}", "is not the id of an entry of this stream")])
        head, oldest = await store.head(), await store.oldest_outcome()
        if cursor.outcome > head.outcome or cursor.event > await store.newest_number():
            return cursor_at(head), {"entries": None, "reason": "unknown_position"}
        if cursor.outcome < oldest - 1:
            return replace(cursor, outcome=oldest - 1), {"entries": oldest - 1 - cursor.outcome, "reason": "retention"}
        return cursor, None


class _Telling:
    """One client, as long as it stays."""

    def __init__(
        self, context: Context, follower: Follower, bounds: StreamBounds, request: web.Request, which: Selection
    ) -> None:
        self.answer = web.StreamResponse(headers=_HEADERS)
        self.answer.force_close()
        self._context = context
        self._follower = follower
        self._bounds = bounds
        self._request = request
        self._workspace = request.match_info["workspace"]
        self._which = which
        self._end: Position | None = None
        self._said_at = 0.0

    async def run(self, cursor: Cursor, missed: dict[str, Any] | None) -> web.StreamResponse:
        """Tell until one side ends it. Raises ConnectionError when the client has gone."""
        await self.answer.prepare(self._request)
        reason = "left"
        try:
            await self._send(b": ready\nretry: 1000\nid: %s\n\n" % str(cursor).encode())
            if missed is not None:
                await self._send(_event("dropped", missed))
            reason = await self._tell(cursor)
            await self._send(_event("end", {"reason": reason}))
        except TimeoutError:
            reason = "slow"
            await self._cut(reason)
        except StoreError:
            reason = "store"
            await self._send(_event("end", {"reason": reason}))
        finally:
            self._context.metrics.streams_ended.labels(reason).inc()
        return self.answer

    async def _tell(self, cursor: Cursor) -> str:
        """Tell page after page; return why it ended. Raises TimeoutError when the client takes nothing, StoreError."""
        hub, position = self._context.hub, Position(cursor.event, cursor.outcome)
        if cursor.verdict:
            await self._tell_rest(cursor)
        while True:
            ring = hub.next_ring()
            reason = self._over()
            if reason:
                return reason
            end = await self._ending()
            told = await self._follower.behind(position)
            position = told.happened.position
            await self._send_entries(told.entries)
            if end is not None and (position == told.after or position.covers(end)):
                return "until"
            if told.happened.more:
                continue
            if self._silence() >= self._bounds.keepalive_seconds:
                await self._send(b": quiet\nid: %s\n\n" % str(cursor_at(position)).encode())
            if told.happened.position == told.after:
                await self._follower.more(ring, self._bounds.keepalive_seconds - self._silence())

    async def _tell_rest(self, cursor: Cursor) -> None:
        """Tell the verdicts of an event of which the client knows some: before all else, so that none comes twice."""
        page = await self._context.store.happened(Position(cursor.event - 1, cursor.outcome), 1)
        events = [row for row in page.events if row["number"] == cursor.event]
        after = Position(cursor.event, cursor.outcome)
        entries = Told(Happened(events, (), after, more=True), after, self._context.names).entries
        await self._send_entries(entries[cursor.verdict :])

    async def _send_entries(self, entries: Sequence[Entry]) -> None:
        end = await self._ending()
        told = entries if end is None else [e for e in entries if e.before(end)]
        data = [e.written() for e in told if e.workspace == self._workspace and e.fits(self._which)]
        if data:
            await self._send(b"".join(data))

    def _over(self) -> str:
        """Say why it must end now; empty: it goes on. A client that has gone gives its place back although nothing is sent."""
        if self._context.hub.closed:
            return "stopping"
        request = self._request
        if request.transport is None:
            return "left"
        try:
            authorization = request.headers.get("Authorization")
            request[TOKEN] = self._context.authenticator.identify(authorization, request.remote or "")
            require(request, Role.VIEWER, self._workspace)
            self._context.workspace(request)
        except (UnauthorizedError, ForbiddenError, TooManyWrongTokensError):
            return "token"
        except NotFoundError:
            return "workspace"
        return ""

    async def _ending(self) -> Position | None:
        """Where all has happened that is to be told; None: that time has not come. Raises StoreUnavailableError."""
        until_ms = self._which.until_ms
        if self._end is None and until_ms is not None and self._context.clock.now_ms() >= until_ms:
            self._end = await self._context.store.position_at(until_ms)
        return self._end

    def _silence(self) -> float:
        return asyncio.get_running_loop().time() - self._said_at

    async def _send(self, data: bytes) -> None:
        async with asyncio.timeout(self._bounds.stall_seconds):
            await self.answer.write(data)
        self._said_at = asyncio.get_running_loop().time()

    async def _cut(self, reason: str) -> None:
        """End a stream whose client takes nothing: it may still read what was on its way, and why, but not for long."""
        _log.warning("stream.cut", workspace=self._workspace, reason=reason, remote=self._request.remote)
        transport = self._request.transport
        if transport is None:
            return
        end = asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)
        with suppress(TimeoutError):
            async with asyncio.timeout(0):  # what is written stands in the transport's buffer before anything waits
                await self.answer.write(_event("end", {"reason": reason}))
        await self.answer.write_eof()
        end.cancel()


def _event(kind: str, item: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(item))
