"""The daemon itself: probes, metrics, reload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from alertd.api.auth import require
from alertd.api.context import json
from alertd.api.exposition import Exposition
from alertd.api.operation import Operation, route
from alertd.api.query import refuse_unknown
from alertd.api.shapes import FLAG, TEXT
from alertd.model.token import Role

if TYPE_CHECKING:
    from alertd.api.context import Context

READY: Final = {
    "type": "object",
    "required": ["ready", "store", "intake"],
    "properties": {"ready": FLAG, "store": FLAG, "intake": FLAG},
}
"""The shape of `/-/ready`."""


class System:
    """Probes, `/metrics` and `/-/reload`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._exposition = Exposition(context.metrics, lambda: context.pipeline.ruleset)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        text: dict[str, Any] = {"tag": "system", "least": None, "answer_types": ("text/plain",)}
        route(app, "GET", "/metrics", self.metrics, Operation("Metrics for Prometheus", answers={200: TEXT}, **text))
        route(app, "GET", "/-/healthy", self.healthy, Operation("Whether it runs", answers={200: TEXT}, **text))
        ready = Operation("Whether events are accepted now", "system", None, answers={200: READY, 503: READY})
        route(app, "GET", "/-/ready", self.is_ready, ready)
        reload = Operation("Read the configuration again", "system", Role.ADMIN, everywhere=True)
        route(app, "POST", "/-/reload", self.reload, reload)

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer with all metrics in Prometheus' text format."""
        self._exposition.update()
        body = await asyncio.to_thread(self._exposition.write)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthy(self, request: web.Request) -> web.Response:
        """Answer that the event loop runs."""
        return web.Response(text="healthy\n")

    async def is_ready(self, request: web.Request) -> web.Response:
        """Answer whether events are accepted now, with each condition by name."""
        parts = dict(self._context.ready())
        if not parts["store"]:
            # After a failed commit there may be no next one to tell that the store can be written again.
            parts["store"] = await self._context.store.healthy()
        return json({"ready": all(parts.values()), **parts}, status=200 if all(parts.values()) else 503)

    async def reload(self, request: web.Request) -> web.Response:
        """Read the configuration again; a broken one changes nothing and is answered with all its errors."""
        require(request, Role.ADMIN)
        refuse_unknown(request)
        restart = await self._context.reload()
        revision = self._context.pipeline.ruleset.revision
        return json({"reloaded": True, "revision": revision, "restart_needed": restart})
