"""Records that could not be read, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.api.auth import caller, require
from alertd.api.context import json
from alertd.api.history_shapes import history_page
from alertd.api.operation import PAGE, Operation, ref, route
from alertd.api.query import Query, write_cursor
from alertd.api.views import page_view, rejected_view
from alertd.model.token import Role
from alertd.store.base import Filter

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context

PATH: Final = "/api/v1/rejected"


class Rejected:
    """`/api/v1/rejected`: those of the token's workspace, all of them for a token of all workspaces."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        page = history_page(ref("RejectedRecord"))
        listed = Operation(
            "List records that could not be read, newest first", "history", query=PAGE, answers={200: page}
        )
        route(app, "GET", PATH, self.list, listed)

    async def list(self, request: web.Request) -> web.Response:
        """List rejected records, newest first."""
        workspace = caller(request).workspace
        require(request, Role.VIEWER, workspace)
        query = Query(request, ("limit", "cursor"))
        which = Filter(workspace, query.cursor(), query.limit())
        query.check()
        page = await self._store.rejected(which)
        return json(page_view([rejected_view(row, self._context.names) for row in page.items], page, write_cursor))
