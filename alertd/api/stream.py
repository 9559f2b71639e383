"""The live stream: what happens in a workspace, as server-sent events, until the client leaves or the daemon stops.

A client that has read `: ready` misses nothing from then on, unless it is too slow: then the oldest entries are left
out, and an event `dropped` says how many. Nobody else waits for it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from alertd.api.auth import require
from alertd.model.token import Role

if TYPE_CHECKING:
    from typing import Any

    from alertd.api.context import Context
    from alertd.delivery.hub import Subscriber

KEEPALIVE_SECONDS: Final = 15.0
"""How often a quiet stream sends a comment, so that proxies keep it open and a client that left is noticed."""
_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the lines back
}


class Stream:
    """`GET /api/v1/workspaces/{workspace}/deliveries/stream`: events `delivery` and `verdict`."""

    def __init__(self, context: Context, keepalive_seconds: float = KEEPALIVE_SECONDS) -> None:
        self._context = context
        self._keepalive = keepalive_seconds

    def register(self, app: web.Application) -> None:
        """Add the route; HEAD is none of it, as it would never end."""
        path = "/api/v1/workspaces/{workspace}/deliveries/stream"
        app.router.add_get(path, self.listen, allow_head=False)

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Send what happens in a workspace."""
        workspace = request.match_info["workspace"]
        require(request, Role.VIEWER, workspace)
        self._context.workspace(request)
        answer = web.StreamResponse(headers=_HEADERS)
        with suppress(ConnectionError), self._context.hub.subscribe() as listener:
            await answer.prepare(request)
            await self._tell(answer, listener, workspace)
        return answer

    async def _tell(self, answer: web.StreamResponse, listener: Subscriber, workspace: str) -> None:
        """Pass on what the listener hears until the hub closes. Raises ConnectionError when the client has gone."""
        await answer.write(b": ready\n\n")
        told = 0
        while True:
            try:
                async with asyncio.timeout(self._keepalive):
                    kind, item = await listener.get()
            except TimeoutError:
                await answer.write(b": quiet\n\n")
                continue
            except EOFError:
                return
            if listener.dropped > told:
                dropped, told = listener.dropped - told, listener.dropped
                await answer.write(_event("dropped", {"entries": dropped}))
            if item.get("workspace") == workspace:
                await answer.write(_event(kind, item))


def _event(kind: str, item: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(item))
