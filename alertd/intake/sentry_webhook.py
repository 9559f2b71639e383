"""Webhooks of Sentry: `POST /api/v1/webhooks/sentry/{token}`, 202 once the events are committed.

The token in the path names an intake endpoint. Where that has a secret, the signature of the raw body is checked before
anything else is made of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from aiohttp import web

from alertd.errors import DecodeError, IntakeFullError
from alertd.intake.endpoints import EndpointGuard, retried
from alertd.intake.http import answer
from alertd.intake.sentry_body import Bodies
from alertd.sources.base import Context
from alertd.sources.sentry_signature import HEADER as SIGNATURE
from alertd.sources.sentry_signature import is_signed
from alertd.sources.sentry_webhook import HEADER as RESOURCE
from alertd.sources.sentry_webhook import RESOURCES, SENT_AT, decode_webhook

if TYPE_CHECKING:
    from alertd.clock import Clock
    from alertd.intake.endpoints import Endpoints, WebhookEndpoint
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds, Event
    from alertd.submission import Accepted, Submission

PATH: Final = "/api/v1/webhooks/sentry/{token}"
SOURCE: Final = "sentry"
"""The source of these events in metrics, and of the endpoints that are asked for."""


class Pipeline(Protocol):
    """Takes what was decoded."""

    def has_room(self, events: int = 1, size: int = 1) -> bool:
        """Whether so much more may be queued."""

    def offer(self, submission: Submission) -> None:
        """Queue a submission; its future tells the rest. Raises IntakeFullError."""

    async def submit(self, events: list[Event], size: int, source: str) -> list[Accepted]:
        """Store events and return what became of each, in order."""


class SentryWebhooks:
    """The route of Sentry's webhooks."""

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
        endpoints: Endpoints,
        bodies: Bodies | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._rejected = metrics.events.labels(SOURCE, "rejected")
        self._bounds = bounds
        self._guard = EndpointGuard(endpoints, metrics)
        self._bodies = bodies or Bodies()
        self._log = structlog.get_logger("alertd.intake").bind(source=SOURCE)

    def register(self, app: web.Application) -> None:
        """Add the route."""
        app.router.add_post(PATH, self.post)

    def reconfigure(self, bounds: Bounds) -> None:
        """Use other bounds from the next request on."""
        self._bounds = bounds

    async def post(self, request: web.Request) -> web.Response:
        """Take one webhook. Errors are raised as what they are; the edge turns them into answers."""
        endpoint = self._guard.enter(SOURCE, request.match_info["token"])
        with retried():
            if not self._pipeline.has_room():
                raise IntakeFullError
            events = await self._read(endpoint, request)
            size = sum(len(event.payload) for event in events)
            accepted = await self._pipeline.submit(events, size, SOURCE) if events else []
        return web.Response(status=202, body=answer(accepted), content_type="application/json")

    async def _read(self, endpoint: WebhookEndpoint, request: web.Request) -> list[Event]:
        """Receive, verify and decode a body, and let go of it."""
        async with self._bodies.received(request, endpoint.max_body_bytes) as raw:
            self._verify(endpoint, raw, request.headers.get(SIGNATURE))
            try:
                return await self._decode(endpoint, raw, request)
            except DecodeError:
                self._rejected.inc()
                raise

    def _verify(self, endpoint: WebhookEndpoint, raw: bytes, signature: str | None) -> None:
        wrong = f"the signature in {SIGNATURE} is {'wrong' if signature else 'missing'}"
        self._guard.verify(SOURCE, endpoint, lambda secret: is_signed(secret, raw, signature), wrong)

    async def _decode(self, endpoint: WebhookEndpoint, raw: bytes, request: web.Request) -> list[Event]:
        limit = endpoint.max_body_bytes
        body = await self._bodies.inflated(request.headers.get("Content-Encoding"), raw, limit)
        context = Context(
            workspace=endpoint.workspace,
            now_ms=self._clock.now_ms(),
            bounds=replace(self._bounds, max_body_bytes=limit),
        )
        resource = request.headers.get(RESOURCE)
        events = decode_webhook(body, resource, context, endpoint.defaults, request.headers.get(SENT_AT))
        if not events:
            word = (resource or "").strip().lower()
            self._log.info("webhook.ignored", resource=word if word in RESOURCES else "other", endpoint=endpoint.name)
        return events
