"""The HTTP intake: a body in, its events stored, 202 with their ids; all of the body or nothing of it."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING, Final, Protocol

import orjson
from aiohttp import web

from alertd.engine.refusal import refusals
from alertd.errors import DecodeError, IntakeFullError, TooFastError, TooLargeError
from alertd.intake.reading import Reading
from alertd.model.workspace import DEFAULT
from alertd.sources.base import Context, ForbiddenWorkspaceError
from alertd.sources.compression import decompress
from alertd.sources.detect import decode_http
from alertd.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.clock import Clock
    from alertd.engine.ruleset import Ruleset
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds, Event
    from alertd.model.token import Token
    from alertd.pipeline import Pipeline
    from alertd.submission import Accepted

PATH: Final = "/api/v1/events"
SOURCE: Final = "http"
BODY_SECONDS: Final = 30
"""How long a client may take to send its body."""
_NO_HEADERS: Final[Mapping[str, str]] = {}


class Limiter(Protocol):
    """Says how long to wait when too much comes."""

    def take(self, count: int) -> float:
        """Take `count` and return 0, or return the seconds after which to come again."""


class EventIntake:
    """`POST /api/v1/events`. Made where the event loop runs."""

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
        may_send: Callable[[web.Request], Token],
        limiter: Limiter | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._rejected = metrics.events.labels("http", "rejected")
        self._bounds = bounds
        self._may_send = may_send
        self._limiter = limiter
        self._reading = Reading()
        self._loop = asyncio.get_running_loop()  # asking each time costs a call of the system
        self._recent: tuple[Token, Ruleset, Context] | None = None

    def reconfigure(self, bounds: Bounds, limiter: Limiter | None) -> None:
        """Use other bounds from the next request on."""
        self._recent = None
        self._bounds = bounds
        self._limiter = limiter

    def take(self, token: Token, content_type: str | None, body: bytes) -> asyncio.Future[list[Accepted]] | None:
        """Take the events of a plain body at once, or do nothing at all (None): then `post` says what is the matter."""
        pipeline = self._pipeline
        if len(body) > self._bounds.max_body_bytes or not pipeline.has_room(1, len(body)):
            return None
        try:
            events = decode_http(content_type, _NO_HEADERS, body, self._context(token))
        except DecodeError:
            return None
        count = len(events)
        is_full = count > 1 and not pipeline.has_room(count, len(body))
        if not count or is_full or refusals(pipeline.ruleset, events, single=True):
            return None
        if self._limiter is not None and self._limiter.take(count) > 0:
            return None
        submission = Submission(SOURCE, events, len(body), self._loop.create_future())
        try:
            pipeline.offer(submission)
        except IntakeFullError:
            return None
        return submission.done

    @staticmethod
    def answer(accepted: list[Accepted]) -> bytes:
        """Write the body of a 202."""
        return answer(accepted)

    async def post(self, request: web.Request) -> web.Response:
        """Take one body. Errors are raised as what they are; the edge turns them into answers."""
        token = self._may_send(request)
        if not self._pipeline.has_room():
            raise IntakeFullError
        body = await self._body(request)
        try:
            encoding = request.headers.get("Content-Encoding")
            body = decompress(encoding, body, self._bounds.max_body_bytes) if encoding else body
            kind = request.headers.get("Content-Type")
            events = decode_http(kind, request.headers, body, self._context(token))
            self._refuse(events, single=len(events) == 1 and not _is_list(kind, body))
        except DecodeError:
            self._rejected.inc()
            raise
        self._limit(len(events))
        accepted = await self._pipeline.submit(events, len(body)) if events else []
        return web.Response(status=202, body=answer(accepted), content_type="application/json")

    def _context(self, token: Token) -> Context:
        """Say where events go that name no workspace. Raises ForbiddenWorkspaceError when that one is no more."""
        now_ms, ruleset, recent = self._clock.now_ms(), self._pipeline.ruleset, self._recent
        if recent is not None and recent[0] is token and recent[1] is ruleset and recent[2].now_ms == now_ms:
            return recent[2]
        workspace, known = token.workspace or DEFAULT, ruleset.workspaces.keys()
        if workspace not in known:
            raise ForbiddenWorkspaceError(f"the token belongs to the workspace {workspace!r}, which there is no longer")
        context = Context(
            workspace=workspace,
            workspaces=known,
            now_ms=now_ms,
            bounds=self._bounds,
            confined=token.workspace is not None,
        )
        self._recent = (token, ruleset, context)
        return context

    def _refuse(self, events: list[Event], *, single: bool) -> None:
        """Raise DecodeError for data that violates a schema, where the workspace refuses it."""
        problems = refusals(self._pipeline.ruleset, events, single=single)
        if problems:
            raise DecodeError(problems)

    def _limit(self, count: int) -> None:
        wait = self._limiter.take(count) if self._limiter else 0
        if wait > 0:
            raise TooFastError(ceil(wait))

    async def _body(self, request: web.Request) -> bytes:
        length = request.content_length
        if length is not None and length > self._bounds.max_body_bytes:
            raise TooLargeError(f"the body has {length} bytes, the bound is {self._bounds.max_body_bytes}")
        try:
            if request.content.is_eof():
                return await request.read()
            with self._reading.room(self._bounds.max_body_bytes if length is None else length):
                async with asyncio.timeout(BODY_SECONDS):
                    return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise TooLargeError(f"the body is larger than {self._bounds.max_body_bytes} bytes") from None
        except TimeoutError:
            raise web.HTTPRequestTimeout(text=f"the body did not arrive within {BODY_SECONDS} s") from None


def _is_list(content_type: str | None, body: bytes) -> bool:
    return "ndjson" in (content_type or "") or body.lstrip()[:1] == b"["


def answer(accepted: list[Accepted]) -> bytes:
    """Write the body of a 202."""
    duplicates = [one.duplicate for one in accepted].count(True)
    return orjson.dumps(
        {"accepted": len(accepted) - duplicates, "duplicates": duplicates, "ids": [one.id for one in accepted]}
    )
