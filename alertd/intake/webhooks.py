"""Webhooks of outside services: `POST /api/v1/webhooks/{source}/{token}` (`PUT` also of Grafana), 202 once the events are committed.

The token in the path names an intake endpoint. Where that has a secret, the request must prove that it knows it, checked on
the bytes as they were sent, before anything else is made of them. Each service is a decoder (`alertd.sources.outside`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aiohttp import web

from alertd.errors import DecodeError, IntakeFullError
from alertd.intake.endpoints import EndpointGuard, retried
from alertd.intake.http import answer
from alertd.sources.base import Context
from alertd.sources.outside import WebhookRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.clock import Clock
    from alertd.intake.endpoints import Endpoints, WebhookEndpoint
    from alertd.intake.episodes import Episodes
    from alertd.intake.sentry_body import Bodies
    from alertd.intake.sentry_webhook import Pipeline
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds, Event
    from alertd.sources.outside import WebhookDecoder

BELOW: Final = "/api/v1/webhooks"
WITH_PUT: Final = frozenset({"grafana"})
"""Services that may be told to send by PUT as well, which means the same."""


class Webhooks:
    """The routes of all services whose webhooks are taken alike."""

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
        endpoints: Endpoints,
        bodies: Bodies,
        decoders: Sequence[WebhookDecoder],
        episodes: Episodes,
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._metrics = metrics
        self._bounds = bounds
        self._guard = EndpointGuard(endpoints, metrics)
        self._bodies = bodies
        self._episodes = episodes
        self._decoders = {decoder.source: decoder for decoder in decoders}

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        for source in self._decoders:
            app.router.add_post(f"{BELOW}/{source}/{{token}}", self.post)
            if source in WITH_PUT:
                app.router.add_put(f"{BELOW}/{source}/{{token}}", self.post)

    def reconfigure(self, bounds: Bounds) -> None:
        """Use other bounds from the next request on."""
        self._bounds = bounds

    async def post(self, request: web.Request) -> web.Response:
        """Take one webhook. Errors are raised as what they are; the edge turns them into answers."""
        source = request.path.removeprefix(BELOW + "/").partition("/")[0]
        endpoint = self._guard.enter(source, request.match_info["token"])
        with retried():
            if not self._pipeline.has_room():
                raise IntakeFullError
            events = await self._read(self._decoders[source], endpoint, request)
            await self._episodes.tell_apart(source, endpoint.workspace, events)
            size = sum(len(event.payload) for event in events)
            accepted = await self._pipeline.submit(events, size, source) if events else []
        return web.Response(status=202, body=answer(accepted), content_type="application/json")

    async def _read(self, decoder: WebhookDecoder, endpoint: WebhookEndpoint, request: web.Request) -> list[Event]:
        """Receive, verify and decode a body, and let go of it."""
        limit, now_ms = endpoint.max_body_bytes, self._clock.now_ms()
        async with self._bodies.received(request, limit) as raw:
            self._verify(decoder, endpoint, WebhookRequest(request.headers, raw, raw), now_ms)
            try:
                body = await self._bodies.inflated(request.headers.get("Content-Encoding"), raw, limit)
                bounds = replace(self._bounds, max_body_bytes=limit)
                context = Context(endpoint.workspace, now_ms, frozenset({endpoint.workspace}), bounds)
                read = WebhookRequest(request.headers, raw, body)
                return await self._bodies.decoded(len(body), lambda: decoder.decode(read, context, endpoint.defaults))
            except DecodeError:
                self._metrics.events.labels(decoder.source, "rejected").inc()
                raise

    def _verify(self, decoder: WebhookDecoder, endpoint: WebhookEndpoint, request: WebhookRequest, now_ms: int) -> None:
        wrong = "the signature, or the secret, is wrong or missing"
        self._guard.verify(decoder.source, endpoint, lambda secret: decoder.is_signed(request, secret, now_ms), wrong)
