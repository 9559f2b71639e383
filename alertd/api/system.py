"""The daemon itself: probes, metrics, reload, live stream."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from alertd.api.auth import require
from alertd.api.context import json
from alertd.model.token import Role

if TYPE_CHECKING:
    from alertd.api.context import Context
    from alertd.delivery.hub import Subscriber

STREAM_KEEPALIVE_SECONDS = 15
"""How often a quiet stream sends a comment, so that proxies keep it open."""


class System:
    """Probes, `/metrics`, `/-/reload` and the live stream."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/-/healthy", self.healthy)
        app.router.add_get("/-/ready", self.is_ready)
        app.router.add_post("/-/reload", self.reload)
        app.router.add_get("/api/v1/workspaces/{workspace}/deliveries/stream", self.stream)

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer with all metrics in Prometheus' text format."""
        body = generate_latest(self._context.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthy(self, request: web.Request) -> web.Response:
        """Answer that the event loop runs."""
        return web.Response(text="healthy\n")

    async def is_ready(self, request: web.Request) -> web.Response:
        """Answer whether events are accepted now, with each condition by name."""
        parts = self._context.ready()
        return json({"ready": all(parts.values()), **parts}, status=200 if all(parts.values()) else 503)

    async def reload(self, request: web.Request) -> web.Response:
        """Read the configuration again; a broken one changes nothing and is answered with all its errors."""
        require(request, Role.ADMIN)
        await self._context.reload()
        return json({"reloaded": True, "revision": self._context.pipeline.ruleset.revision})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send what happens in a workspace, as server-sent events: `delivery` and `verdict`."""
        workspace = request.match_info["workspace"]
        require(request, Role.VIEWER, workspace)
        self._context.workspace(request)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        with suppress(ConnectionError), self._context.hub.subscribe() as listener:
            await _tell(answer, listener, workspace)
        return answer


async def _tell(answer: web.StreamResponse, listener: Subscriber, workspace: str) -> None:
    """Pass on what the listener hears until the hub closes. Raises ConnectionError when the client has gone."""
    await answer.write(b": ready\n\n")
    while True:
        try:
            async with asyncio.timeout(STREAM_KEEPALIVE_SECONDS):
                kind, item = await listener.get()
        except TimeoutError:
            await answer.write(b": quiet\n\n")
            continue
        except EOFError:
            return
        if item.get("workspace") == workspace:
            await answer.write(b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(item)))
