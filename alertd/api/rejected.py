"""Records that could not be read, over HTTP: listed with the reason, shown with their bytes, tried again after a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.api.auth import caller, require
from alertd.api.context import json
from alertd.api.history_shapes import history_page
from alertd.api.operation import PAGE, Operation, ref, route
from alertd.api.query import Query, refuse_unknown, write_cursor
from alertd.api.views import page_view, rejected_view, whole_record_view
from alertd.errors import DecodeError, InvalidError, NotFoundError
from alertd.model import ids
from alertd.model.token import Role
from alertd.resources.change import Noted
from alertd.sources.base import ForbiddenWorkspaceError
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
        page = {200: history_page(ref("RejectedRecord"))}
        listed = Operation(
            "List records that could not be read, newest first", "history", query=PAGE, answers=page, errors=(503,)
        )
        route(app, "GET", PATH, self.index, listed)
        shown = Operation(
            "Show one with its bytes as they were", "history", answers={200: ref("WholeRecord")}, errors=(503,)
        )
        route(app, "GET", f"{PATH}/{{id}}", self.show, shown)
        again = Operation(
            "Try one again: its bytes go the way of every record", "history", Role.OPERATOR,
            answers={200: ref("RecordReplay")}, errors=(409,),
        )  # fmt: skip
        route(app, "POST", f"{PATH}/{{id}}/replay", self.replay, again)

    async def index(self, request: web.Request) -> web.Response:
        """List rejected records, newest first."""
        workspace = caller(request).workspace
        require(request, Role.VIEWER, workspace)
        query = Query(request, ("limit", "cursor"))
        which = Filter(workspace, query.cursor(), query.limit())
        query.check()
        page = await self._store.rejected(which)
        return json(page_view([rejected_view(row, self._context.names) for row in page.items], page, write_cursor))

    async def show(self, request: web.Request) -> web.Response:
        """Show one with its bytes and headers."""
        row = await self._find(request, Role.VIEWER)
        return json(whole_record_view(row, self._context.names))

    async def replay(self, request: web.Request) -> web.Response:
        """Try one again. When its event is stored, or known already, the record is forgotten; else it stays as it is."""
        row = await self._find(request, Role.OPERATOR)
        context, token = self._context, caller(request)
        try:
            accepted = await context.resubmit(row, confined=token.workspace is not None)
        except ForbiddenWorkspaceError:
            raise
        except DecodeError as error:  # of the record, not of this request
            raise InvalidError(error.problems) from error
        name = ids.format_id(ids.REJECTED, row["id"])
        told = {"event_id": accepted.id, "duplicate": accepted.duplicate}
        noted = Noted("replayed", ("rejected", row["workspace"], name), None, told)
        await self._store.forget_rejected(row["id"], context.registry.line(token.name, noted))
        result = "duplicate" if accepted.duplicate else "accepted"
        return json({"result": result, "event_id": accepted.id, "origin": rejected_view(row, context.names)})

    async def _find(self, request: web.Request, least: Role) -> dict[str, Any]:
        """Return the row of a record that the token may see. Raises NotFoundError."""
        workspace = caller(request).workspace
        require(request, least, workspace)
        refuse_unknown(request)
        number = ids.parse_id(ids.REJECTED, request.match_info["id"])
        row = await self._store.rejected_record(number) if number is not None else None
        if row is None or workspace not in (None, row["workspace"]):
            raise NotFoundError(f"there is no rejected record {request.match_info['id']!r}")
        return row
