"""Read-only resources of the history: events, alerts, deliveries with their attempts, rejected records; and replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.api.auth import caller, require
from alertd.api.context import json
from alertd.api.endings import why_ended
from alertd.api.past import PastRulesets
from alertd.api.query import HISTORY, PAGE, Query, history_filter, write_cursor
from alertd.api.views import (
    alert_view,
    delivery_view,
    event_view,
    page_view,
    rejected_view,
    verdict_views,
)
from alertd.engine.router import excluded
from alertd.errors import NotFoundError
from alertd.model import ids
from alertd.model.event import from_payload
from alertd.model.token import Role
from alertd.model.verdict import decode
from alertd.store.base import Filter

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.destination import RetryOptions

DELIVERIES_MAX = 1000
"""How many deliveries an event or an alert shows."""


class History:
    """What happened, and sending a delivery again."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store
        self._past = PastRulesets(context.store)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        below = "/api/v1/workspaces/{workspace}"
        app.router.add_get(f"{below}/events", self.events)
        app.router.add_get(f"{below}/events/{{id}}", self.event)
        app.router.add_get(f"{below}/alerts", self.alerts)
        app.router.add_get(f"{below}/alerts/{{id}}", self.alert)
        app.router.add_get(f"{below}/deliveries", self.deliveries)
        app.router.add_get(f"{below}/deliveries/{{id}}", self.delivery)
        app.router.add_post(f"{below}/deliveries/{{id}}/replay", self.replay)
        app.router.add_post(f"{below}/deliveries/{{id}}/cancel", self.cancel)
        app.router.add_get("/api/v1/alerts/{id}", self.linked_alert)
        app.router.add_get("/api/v1/rejected", self.rejected)

    def _enter(self, request: web.Request, least: Role = Role.VIEWER) -> str:
        require(request, least, request.match_info["workspace"])
        return self._context.workspace(request)

    async def events(self, request: web.Request) -> web.Response:
        """List accepted events; `matched` true or false says which."""
        workspace, query = self._enter(request), Query(request, ("matched", *HISTORY))
        matched = query.flag("matched")
        page = await self._store.events(history_filter(query, workspace), matched=matched)
        return json(page_view([event_view(row) for row in page.items], page.next_below, write_cursor))

    async def event(self, request: web.Request) -> web.Response:
        """Show one event by its own id: fields, every verdict, deliveries."""
        workspace = self._enter(request)
        row = await self._store.event(workspace, request.match_info["id"])
        if row is None:
            raise NotFoundError(f"there is no event {request.match_info['id']!r} in the workspace {workspace!r}")
        view = event_view(row)
        view["verdicts"] = await self._verdicts(row)
        view["deliveries"] = await self._deliveries_of(row["number"], workspace, attempts=True)
        return json(view)

    async def _verdicts(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Stored verdicts, and those of subscriptions out of scope as the ruleset that decided derives them.

        An event from before rulesets were kept, or of a workspace that is gone, shows what is stored alone.
        """
        names = self._context.names
        ruleset = await self._past.at(row["revision"], self._context.pipeline.ruleset)
        stored, event = decode(row["verdicts"]), from_payload(row["payload"])
        looked_at = {verdict.subscription_id for verdict in stored}
        known = ruleset is not None and event.workspace in ruleset.workspaces
        outside = [] if ruleset is None or not known else excluded(ruleset, event)
        outside = [verdict for verdict in outside if verdict.subscription_id not in looked_at]
        return verdict_views([*stored, *outside], names)

    async def alerts(self, request: web.Request) -> web.Response:
        """List alerts."""
        workspace = self._enter(request)
        page = await self._store.events(history_filter(Query(request, HISTORY), workspace), matched=True)
        items = [
            alert_view(row, await self._deliveries_of(row["number"], workspace), self._context.names)
            for row in page.items
        ]
        return json(page_view(items, page.next_below, write_cursor))

    async def alert(self, request: web.Request) -> web.Response:
        """Show one alert."""
        return await self._alert(request, self._enter(request))

    async def linked_alert(self, request: web.Request) -> web.Response:
        """Show one alert of whatever workspace the token may see: the address in messages."""
        require(request, Role.VIEWER, caller(request).workspace)
        return await self._alert(request, caller(request).workspace)

    async def _alert(self, request: web.Request, workspace: str | None) -> web.Response:
        number = ids.parse_id(ids.ALERT, request.match_info["id"])
        row = await self._store.event_by_number(number) if number is not None else None
        home = self._context.names.workspace(row["workspace_id"]) if row is not None else None
        if row is None or not row["matched"] or workspace not in (None, home):
            raise NotFoundError(f"there is no alert {request.match_info['id']!r}")
        return json(alert_view(row, await self._deliveries_of(row["number"], str(home)), self._context.names))

    async def _deliveries_of(self, number: int, workspace: str, *, attempts: bool = False) -> list[dict[str, Any]]:
        page = await self._store.deliveries(Filter(workspace=workspace, alert_number=number, limit=DELIVERIES_MAX))
        return [await self._view(row, attempts=attempts) for row in reversed(page.items)]

    async def deliveries(self, request: web.Request) -> web.Response:
        """List deliveries with their attempts."""
        workspace = self._enter(request)
        which = history_filter(Query(request, HISTORY), workspace)
        page = await self._store.deliveries(which)
        return json(page_view([await self._view(row) for row in page.items], page.next_below, write_cursor))

    async def delivery(self, request: web.Request) -> web.Response:
        """Show one delivery with its attempts."""
        return json(await self._view(await self._row(request, self._enter(request))))

    async def _row(self, request: web.Request, workspace: str) -> dict[str, Any]:
        number = ids.parse_id(ids.DELIVERY, request.match_info["id"])
        row = await self._store.delivery(number) if number is not None else None
        if row is None or self._context.names.workspace(row["workspace_id"]) != workspace:
            raise NotFoundError(f"there is no delivery {request.match_info['id']!r} in the workspace {workspace!r}")
        return row

    async def _view(self, row: dict[str, Any], *, attempts: bool = True) -> dict[str, Any]:
        made = await self._store.attempts(row["id"]) if attempts and row["attempts"] else []
        in_flight = self._context.dispatcher.in_flight(row["id"])
        view = delivery_view(row, self._context.names, in_flight=in_flight, attempts=made)
        return {**view, "reason": None if in_flight else why_ended(row, self._retry_of(row["destination_id"]))}

    def _retry_of(self, destination_id: int) -> RetryOptions | None:
        try:
            return self._context.dispatcher.snapshot(destination_id).retry
        except NotFoundError:  # it was removed
            return None

    async def replay(self, request: web.Request) -> web.Response:
        """Send a final delivery again, as a new one that names its origin."""
        workspace = self._enter(request, Role.OPERATOR)
        row = await self._row(request, workspace)
        context = self._context
        again = await self._store.replay(row["id"], context.ids.take(), context.clock.now_ms())
        context.dispatcher.replayed(again)
        made = await self._store.delivery(again.id)
        return json(await self._view(made or row), status=201)

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a delivery that waits."""
        row = await self._row(request, self._enter(request, Role.OPERATOR))
        await self._context.dispatcher.cancel(row["id"], row["destination_id"])
        return json(await self._view(await self._store.delivery(row["id"]) or row))

    async def rejected(self, request: web.Request) -> web.Response:
        """List rejected records: those of the token's workspace, all of them for the bootstrap token."""
        workspace = caller(request).workspace
        require(request, Role.VIEWER, workspace)
        query = Query(request, PAGE)
        which = Filter(workspace=workspace, below=query.cursor(), limit=query.limit())
        query.check()
        page = await self._store.rejected(which)
        items = [rejected_view(row, self._context.names) for row in page.items]
        return json(page_view(items, page.next_below, write_cursor))
