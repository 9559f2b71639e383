"""The intake of Sentry's SDKs: `POST /sentry/api/{project}/envelope/` and `/store/`, 200 once the events are committed.

The DSN is `http://KEY@host:port/sentry/PROJECT`; the key alone lets in. Answers are in Sentry's manner, `{"id": …}` or
`{"detail": …}`, and browsers may read them. An SDK never sends again what was refused: 429 tells it for how long to keep
everything to itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Final, Protocol

import orjson
import structlog
from aiohttp import web

from alertd.errors import (
    AlertdError,
    DecodeError,
    IntakeFullError,
    NotFoundError,
    StoreUnavailableError,
    TooLargeError,
)
from alertd.intake.sentry_body import Bodies
from alertd.model.text import sayable
from alertd.sources.base import Context, UnsupportedMediaTypeError
from alertd.sources.sentry_auth import HEADER as AUTH
from alertd.sources.sentry_auth import QUERY, SdkKeyError, header_key, key_of
from alertd.sources.sentry_defaults import STANDARD
from alertd.sources.sentry_envelope import Envelope
from alertd.sources.sentry_limits import HEADER as LIMITS
from alertd.sources.sentry_limits import SentryLimit, format_limits
from alertd.sources.sentry_sdk import decode_envelope, decode_store
from alertd.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from alertd.clock import Clock
    from alertd.intake.http import Limiter
    from alertd.intake.sentry_webhook import Pipeline
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds, Event
    from alertd.sources.sentry_defaults import SentryDefaults
    from alertd.sources.sentry_sdk import Received
    from alertd.submission import Accepted

ENVELOPE_PATH: Final = "/sentry/api/{project}/envelope"
STORE_PATH: Final = "/sentry/api/{project}/store"
OTHER_PATH: Final = "/sentry/api/{project}/{rest:.*}"
"""What else there is of a project at Sentry (`security`, `minidump`, `unreal`), and not here."""
SOURCE: Final = "sentry_sdk"
"""The source of these events in metrics."""
MAX_BODY_BYTES: Final = 20 * 1024 * 1024
"""The default of how large an envelope may be, compressed and not."""


class _TooFastError(IntakeFullError):
    """More comes with a key than its rate allows, though there is room."""

    said = "more events come with this key than its rate allows"


_NO_KEY: Final = f"a key is required: {AUTH}: Sentry sentry_key=KEY"
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"{LIMITS}, Retry-After",
}
_ANSWER: Final = _CORS | {"Content-Type": "application/json"}
_PREFLIGHT: Final = _CORS | {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": f"{AUTH}, Authorization, Content-Encoding, Content-Type, Origin, X-Requested-With",
    "Access-Control-Max-Age": "3600",
}
_STATUS: Final[tuple[tuple[type[AlertdError], HTTPStatus, str], ...]] = (
    (SdkKeyError, HTTPStatus.FORBIDDEN, "forbidden"),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large"),
    (UnsupportedMediaTypeError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "malformed"),
    (DecodeError, HTTPStatus.BAD_REQUEST, "malformed"),
    (_TooFastError, HTTPStatus.TOO_MANY_REQUESTS, "rate"),
    (IntakeFullError, HTTPStatus.TOO_MANY_REQUESTS, "full"),
    (StoreUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE, "store"),
)


@dataclass(frozen=True, slots=True)
class SdkProject:
    """Where the events of an SDK go; a limiter is that of the key and takes events."""

    workspace: str
    defaults: SentryDefaults = STANDARD
    max_body_bytes: int = MAX_BODY_BYTES
    limiter: Limiter | None = None


class SdkKeys(Protocol):
    """Knows the SDK keys of all projects."""

    def find(self, project: str, key: str) -> SdkProject | None:
        """Return where a key leads; `project` is its number or name. None when the key is unknown, revoked or another's."""


class SentrySdkIntake:
    """The routes of Sentry's SDKs."""

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
        keys: SdkKeys,
        bodies: Bodies | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._rejected = metrics.events.labels(SOURCE, "rejected")
        self._refused = metrics.intake_refused
        self._skipped = metrics.sentry_skipped
        self._bounds = self._limited = bounds
        self._recent = Context(workspace="", now_ms=0, bounds=bounds)
        self._keys = keys
        self._bodies = bodies or Bodies()
        self._log = structlog.get_logger("alertd.intake").bind(source=SOURCE)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        for path, post in ((ENVELOPE_PATH, self.post_envelope), (STORE_PATH, self.post_store)):
            for each in (path, f"{path}/"):
                app.router.add_post(each, post)
                app.router.add_options(each, self.preflight)
        app.router.add_route("*", OTHER_PATH, self.refuse)

    def reconfigure(self, bounds: Bounds) -> None:
        """Use other bounds from the next request on."""
        self._bounds = self._limited = bounds

    async def preflight(self, request: web.Request) -> web.Response:
        """Let pages of any origin send."""
        return web.Response(status=204, headers=_PREFLIGHT)

    async def post_envelope(self, request: web.Request) -> web.Response:
        """Take one envelope."""
        return await self._answered(request, self._read_envelope)

    async def post_store(self, request: web.Request) -> web.Response:
        """Take one bare event."""
        return await self._answered(request, self._read_store)

    async def refuse(self, request: web.Request) -> web.Response:
        """Tell who has a key that nothing is taken there, or not so. Raises NotFoundError, HTTPMethodNotAllowed."""
        is_preflight = request.method == "OPTIONS"  # which never has a key
        try:
            if not is_preflight:
                self._find(request, _key(request, None))
        except SdkKeyError as error:
            return self.refusal(error)
        if not is_preflight and request.match_info["rest"].removesuffix("/") in {"envelope", "store"}:
            raise web.HTTPMethodNotAllowed(request.method, ["POST"])
        raise NotFoundError(f"there is nothing at {request.path}")

    def take(
        self, project: str, auth: str | None, body: bytes
    ) -> tuple[asyncio.Future[list[Accepted]], str | None] | None:
        """Take a plain envelope at once, or do nothing at all (None): then `post_envelope` says what is the matter."""
        key = header_key(auth)
        found = self._keys.find(project, key) if key else None
        if found is None or len(body) > found.max_body_bytes or not self._pipeline.has_room(1, len(body)):
            return None
        context = self._context(found.workspace, found.max_body_bytes)
        try:
            envelope = Envelope(body, context)
            received = None if envelope.dsn is not None else decode_envelope(envelope, context, found.defaults)
            if received is None or received.passed or not received.events:
                return None
            done = self._offer(found, received.events)
        except AlertdError:
            return None
        return done, received.event_id

    def _offer(self, project: SdkProject, events: list[Event]) -> asyncio.Future[list[Accepted]]:
        """Queue events that have room. Raises IntakeFullError."""
        if project.limiter is not None and project.limiter.take(len(events)) > 0:
            raise IntakeFullError
        size = sum([len(event.payload) for event in events])
        submission = Submission(SOURCE, events, size, asyncio.get_running_loop().create_future())
        self._pipeline.offer(submission)
        return submission.done

    @staticmethod
    def answer(event_id: str | None) -> tuple[Mapping[str, str], bytes]:
        """Write headers and body of a 200."""
        return _ANSWER, _said(event_id)

    async def _answered(
        self, request: web.Request, read: Callable[[web.Request], Awaitable[tuple[SdkProject, Received]]]
    ) -> web.Response:
        try:
            if not self._pipeline.has_room():
                raise IntakeFullError
            project, received = await read(request)
            await self._submit(project, received.events)
        except AlertdError as error:
            return self.refusal(error)
        for kind, count in received.skipped.items():
            self._skipped.labels(kind).inc(count)
        return web.Response(body=_said(received.event_id), content_type="application/json", headers=_CORS)

    async def _read_envelope(self, request: web.Request) -> tuple[SdkProject, Received]:
        key = _key(request, None)
        limit = self._find(request, key).max_body_bytes if key else MAX_BODY_BYTES
        async with self._bodies.received(request, limit) as raw:
            try:
                body = await self._bodies.inflated(request.headers.get("Content-Encoding"), raw, limit)
                envelope = Envelope(body, self._context("", limit))
                dsn = envelope.dsn
            except (DecodeError, UnsupportedMediaTypeError) as error:
                if key is None:
                    raise SdkKeyError(f"{_NO_KEY}, or a DSN in an envelope that can be read: {error}") from None
                raise
            project = self._find(request, key if dsn is None else _key(request, dsn))
            return project, decode_envelope(envelope, self._context(project.workspace, limit), project.defaults)

    async def _read_store(self, request: web.Request) -> tuple[SdkProject, Received]:
        key = _key(request, None)
        limit = self._find(request, key).max_body_bytes
        async with self._bodies.received(request, limit) as raw:
            body = await self._bodies.inflated(request.headers.get("Content-Encoding"), raw, limit)
            project = self._find(request, key)  # which may have been revoked while the body came
            return project, decode_store(body, self._context(project.workspace, limit), project.defaults)

    async def _submit(self, project: SdkProject, events: list[Event]) -> None:
        if not events:
            return
        wait = project.limiter.take(len(events)) if project.limiter else 0
        if wait > 0:
            raise _TooFastError(ceil(wait))
        await self._pipeline.submit(events, sum(len(event.payload) for event in events), SOURCE)

    def _find(self, request: web.Request, key: str | None) -> SdkProject:
        if key is None:
            raise SdkKeyError(_NO_KEY)
        project = self._keys.find(request.match_info["project"], key)
        if project is None:
            raise SdkKeyError("the key is unknown or was revoked, or belongs to another project")
        return project

    def _context(self, workspace: str, limit: int) -> Context:
        """Say where events go; envelopes that came in the same millisecond share it."""
        now_ms = self._clock.now_ms()
        if self._limited.max_body_bytes != limit:
            self._limited = replace(self._bounds, max_body_bytes=limit)
        recent = self._recent
        if recent.now_ms != now_ms or recent.workspace != workspace or recent.bounds is not self._limited:
            recent = self._recent = Context(workspace=workspace, now_ms=now_ms, bounds=self._limited)
        return recent

    def refusal(self, error: AlertdError) -> web.Response:
        """Answer one of our errors in Sentry's manner. Raises what is none of those that an SDK can cause."""
        found = next(((status, reason) for kind, status, reason in _STATUS if isinstance(error, kind)), None)
        if found is None:
            raise error
        status, reason = found
        self._refused.labels(reason).inc()
        if isinstance(error, DecodeError):
            self._rejected.inc()
        self._log.info("request.refused", reason=reason, detail=str(error))
        headers = dict(_CORS)
        wait = _wait(error)
        if wait:
            headers["Retry-After"] = str(wait)
            headers[LIMITS] = format_limits([SentryLimit(wait, (), "key" if reason == "rate" else "project", reason)])
        body = orjson.dumps({"detail": sayable(str(error))})
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _key(request: web.Request, dsn: str | None) -> str | None:
    headers = request.headers
    return key_of(headers.get(AUTH), headers.get("Authorization"), request.query.get(QUERY), dsn)


def _said(event_id: str | None) -> bytes:
    return orjson.dumps({} if event_id is None else {"id": event_id})


def _wait(error: AlertdError) -> int:
    return error.retry_after if isinstance(error, IntakeFullError | StoreUnavailableError) else 0
