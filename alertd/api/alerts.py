"""Alerts over HTTP: lists, single ones, and taking note of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.api.auth import caller, require
from alertd.api.context import json
from alertd.api.history_shapes import history_page
from alertd.api.operation import PAGE, Operation, ref, route
from alertd.api.query import Query, refuse_unknown, write_cursor
from alertd.api.resources import BELOW
from alertd.api.selecting import ACKNOWLEDGED, SELECTING, filter_of, names_of
from alertd.api.taking_note import take_note
from alertd.api.views import alert_view, page_view
from alertd.errors import NotFoundError
from alertd.model import ids
from alertd.model.token import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from alertd.api.context import Context

DELIVERIES_MAX: Final = 1000
"""How many deliveries an alert shows; its summary counts all of them."""
_QUERY: Final = (*SELECTING, ACKNOWLEDGED, *PAGE)


class Alerts:
    """`/api/v1/workspaces/{workspace}/alerts`, and `/api/v1/alerts/{id}`, where links lead."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        page, one = {200: history_page(ref("Alert"))}, {200: ref("Alert")}
        below, path = f"{BELOW}/alerts", f"{BELOW}/alerts/{{id}}"
        listed = Operation("List alerts, newest first", "history", query=_QUERY, answers=page, errors=(503,))
        route(app, "GET", below, self.index, listed)
        shown = Operation("Show an alert", "history", answers=one, errors=(503,))
        route(app, "GET", path, self.show, shown)
        linked = Operation("Show an alert of any workspace: links lead here", "history", answers=one, errors=(503,))
        route(app, "GET", "/api/v1/alerts/{id}", self.follow, linked)
        noted = Operation(
            "Acknowledge an alert, and the incident that it tells of; the first one stays",
            "history",
            Role.OPERATOR,
            answers=one,
            errors=(429, 503),
        )
        route(app, "POST", f"{path}/acknowledge", self.acknowledge, noted)

    async def index(self, request: web.Request) -> web.Response:
        """List alerts."""
        workspace, query = self._context.enter(request), Query(request, names_of(_QUERY))
        page = await self._store.events(filter_of(query, workspace, self._context), matched=True)
        return json(page_view(await self._views(page.items), page, write_cursor))

    async def show(self, request: web.Request) -> web.Response:
        """Show one alert."""
        workspace = self._context.enter(request)
        return await self._answer(await self._find(request, workspace))

    async def follow(self, request: web.Request) -> web.Response:
        """Show one alert of whatever workspace the token may see: the address in messages."""
        workspace = caller(request).workspace
        require(request, Role.VIEWER, workspace)
        refuse_unknown(request)
        return await self._answer(await self._find(request, workspace))

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Take note of an alert; who was first is kept, and stands in the audit log."""
        workspace = self._context.enter(request, Role.OPERATOR)
        row = await self._find(request, workspace)
        await take_note(self._context, row, workspace, caller(request).name)
        return await self._answer(row)

    async def _find(self, request: web.Request, workspace: str | None) -> dict[str, Any]:
        """Return the row of an alert; `workspace` None: of any. Raises NotFoundError."""
        number = ids.parse_id(ids.ALERT, request.match_info["id"])
        row = await self._store.event_by_number(number) if number is not None else None
        home = self._context.names.workspace(row["workspace_id"]) if row is not None else None
        if row is None or not row["matched"] or workspace not in (None, home):
            raise NotFoundError(f"there is no alert {request.match_info['id']!r}")
        return row

    async def _answer(self, row: dict[str, Any]) -> web.Response:
        return json((await self._views([row]))[0])

    async def _views(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Show alerts; what hangs on them is read at once."""
        numbers = [row["number"] for row in rows]
        made = await self._store.reached(numbers)
        flying = self._context.dispatcher.in_flight
        noted = await self._store.acknowledgements(numbers)
        views = []
        for row in rows:
            number = row["number"]
            deliveries = [(each, each.delivery_id in flying) for each in made.get(number, ())]
            views.append(alert_view(row, deliveries, self._context.names, noted.get(number), DELIVERIES_MAX))
        return views
