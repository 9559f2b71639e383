"""Destinations as they are now: state, queue, last success and failure; test, enable, disable."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from alertd.api.auth import require
from alertd.api.context import json
from alertd.api.query import PAGE, Query, page_of
from alertd.clock import rfc3339
from alertd.destinations.base import Message
from alertd.errors import NotFoundError
from alertd.model import ids
from alertd.model.token import Role

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.destination import Destination

_FILTERS = ("name", "type", "state")
TEST_TYPE = "alertd.test"
"""The type of the event in a test message."""


class Destinations:
    """`/api/v1/workspaces/{workspace}/destinations`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        below = "/api/v1/workspaces/{workspace}/destinations"
        app.router.add_get(below, self.list)
        app.router.add_get(f"{below}/{{name}}", self.show)
        app.router.add_post(f"{below}/{{name}}/test", self.test)
        app.router.add_post(f"{below}/{{name}}/enable", self.enable)
        app.router.add_post(f"{below}/{{name}}/disable", self.disable)

    def _enter(self, request: web.Request, least: Role) -> str:
        require(request, least, request.match_info["workspace"])
        return self._context.workspace(request)

    def _find(self, request: web.Request, workspace: str) -> Destination:
        name = request.match_info["name"]
        found = self._context.destinations().get((workspace, name))
        if found is None:
            raise NotFoundError(f"there is no destination {name!r} in the workspace {workspace!r}")
        return found

    async def list(self, request: web.Request) -> web.Response:
        """List the workspace's destinations, in the order in which they were first seen."""
        workspace, query = self._enter(request, Role.VIEWER), Query(request, (*_FILTERS, *PAGE))
        wanted = {name: query.text(name) for name in _FILTERS}
        own = [
            (self._context.number("destination", workspace, destination.name), self._view(workspace, destination))
            for (where, _), destination in self._context.destinations().items()
            if where == workspace
        ]
        own.sort(key=itemgetter(0))
        found = [(n, view) for n, view in own if all(wanted[name] in (None, view[name]) for name in _FILTERS)]
        return json(page_of(query, found))

    async def show(self, request: web.Request) -> web.Response:
        """Show one destination."""
        workspace = self._enter(request, Role.VIEWER)
        return json(self._view(workspace, self._find(request, workspace)))

    def _view(self, workspace: str, destination: Destination) -> dict[str, Any]:
        number = self._context.number("destination", workspace, destination.name)
        now = self._context.dispatcher.snapshot(number)
        return {
            "name": destination.name,
            "title": destination.title,
            "type": destination.type,
            "state": now.state,
            "disabled_reason": now.disabled_reason or None,
            "disabled_at": _time(now.disabled_at_ms),
            "queue_depth": now.depth,
            "queue_capacity": now.capacity,
            "in_flight": len(now.in_flight),
            "breaker": now.breaker,
            "paused_until": _time(now.paused_until_ms),
            "last_success_at": _time(now.last_success_at_ms),
            "last_failure_at": _time(now.last_failure_at_ms),
            "last_error": now.last_error or None,
        }

    async def test(self, request: web.Request) -> web.Response:
        """Send a test message through the real path and answer what came of it."""
        workspace = self._enter(request, Role.OPERATOR)
        destination = self._find(request, workspace)
        number = self._context.number("destination", workspace, destination.name)
        outcome, seconds = await self._context.dispatcher.test(number, self._message(workspace, destination.name))
        return json(
            {
                "destination": destination.name,
                "outcome": outcome.kind.word,
                "status": outcome.status,
                "error": outcome.detail or None,
                "answer": outcome.answer.decode("utf-8", "replace"),
                "duration_seconds": round(seconds, 6),
            }
        )

    def _message(self, workspace: str, name: str) -> Message:
        context = self._context
        number = context.ids.take(2)
        now = rfc3339(context.clock.now_ms())
        alert_id = ids.format_id(ids.ALERT, number)
        event = {
            "type": TEST_TYPE,
            "id": f"test-{number}",
            "workspace": workspace,
            "severity": "info",
            "time": now,
            "key": TEST_TYPE,
            "message": f"A test of the destination {name}",
        }
        return Message(
            delivery_id=ids.format_id(ids.DELIVERY, number + 1),
            alert_id=alert_id,
            attempt=1,
            workspace=workspace,
            subscription="test",
            channel="test",
            trigger=None,
            event_type=TEST_TYPE,
            event=orjson.dumps(event),
            url="",
            test=True,
            time=now,
        )

    async def enable(self, request: web.Request) -> web.Response:
        """Let a destination take deliveries again; what waits for it goes out."""
        workspace = self._enter(request, Role.OPERATOR)
        destination = self._find(request, workspace)
        await self._context.dispatcher.enable(self._context.number("destination", workspace, destination.name))
        return json(self._view(workspace, destination))

    async def disable(self, request: web.Request) -> web.Response:
        """Let a destination take nothing until it is enabled; what waits for it goes on waiting."""
        workspace = self._enter(request, Role.OPERATOR)
        destination = self._find(request, workspace)
        number = self._context.number("destination", workspace, destination.name)
        await self._context.dispatcher.disable(number, "disabled by an operator")
        return json(self._view(workspace, destination))


def _time(ms: int | None) -> str | None:
    return rfc3339(ms) if ms else None
