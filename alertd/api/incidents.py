"""Incidents over HTTP: listed, shown with their score and timeline, acknowledged, resolved, simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.api import examples
from alertd.api.auth import caller
from alertd.api.context import json, read_body
from alertd.api.operation import PAGE, Operation, Parameter, page_of, ref, route
from alertd.api.query import Query, page_found
from alertd.api.resources import BELOW
from alertd.api.shapes import among
from alertd.api.simulation import Simulate, simulate
from alertd.api.taking_note import carry_out
from alertd.engine.issues import incidents
from alertd.engine.issues.document import INCIDENT, incident_document
from alertd.errors import NotFoundError
from alertd.model import ids
from alertd.model.incident import IncidentKind, IncidentState
from alertd.model.token import Role
from alertd.resources.change import Noted
from alertd.store.issues import IncidentFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.incident import Incident

_STATES: Final = {
    "open": (IncidentState.OPEN, IncidentState.ACKNOWLEDGED),
    "acknowledged": (IncidentState.ACKNOWLEDGED,),
    "resolved": (IncidentState.RESOLVED,),
}
_KINDS: Final = {kind.word: kind for kind in IncidentKind}
SIMULATE: Final = Simulate.model_json_schema()
"""The shape of what to simulate."""


class Incidents:
    """`/api/v1/workspaces/{workspace}/incidents`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        path, one, shape = f"{BELOW}/incidents", f"{BELOW}/incidents/{{id}}", ref("Incident")
        state = Parameter("state", "open has acknowledged ones too", among(_STATES))
        kind = Parameter("kind", "what it is about", among(_KINDS))
        places = [Parameter(name, f"the {name}'s name") for name in ("project", "environment")]
        listed = Operation(
            "List incidents, newest first",
            "incidents",
            query=(state, kind, *places, *PAGE),
            answers={200: page_of(shape)},
            errors=(503,),
        )
        route(app, "GET", path, self.list, listed)
        shown = Operation("Show an incident", "incidents", answers={200: shape}, errors=(503,))
        route(app, "GET", one, self.show, shown)
        made_up = Operation(
            "Simulate an incident: it goes the way of a real one, marked as a test",
            "incidents",
            Role.OPERATOR,
            body=SIMULATE,
            body_needed=False,
            answers={201: shape},
            errors=(409, 429),
            example=examples.SIMULATE,
        )
        route(app, "POST", f"{path}/simulate", self.simulate, made_up)
        for name, handler, summary in (
            ("acknowledge", self.acknowledge, "Say that somebody is at it"),
            ("resolve", self.resolve, "Resolve an incident"),
        ):
            documented = Operation(summary, "incidents", Role.OPERATOR, answers={200: shape})
            route(app, "POST", f"{one}/{name}", handler, documented)

    async def list(self, request: web.Request) -> web.Response:
        """List incidents, newest first."""
        workspace = self._context.enter(request)
        query = Query(request, ("state", "kind", "project", "environment", "limit", "cursor"))
        state, kind, limit = query.word("state", _STATES), query.word("kind", _KINDS), query.limit()
        which = IncidentFilter(
            self._context.workspace_number(workspace),
            query.cursor(),
            limit + 1,
            query.text("project"),
            query.text("environment"),
            _KINDS.get(kind or ""),
            _STATES.get(state or ""),
        )
        query.check()
        found = await self._context.store.incidents(which)
        return json(page_found(found, limit, incident_document))

    async def show(self, request: web.Request) -> web.Response:
        """Show one."""
        workspace = self._context.enter(request)
        return json(incident_document(await self._find(request, workspace)))

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Say that somebody is at it."""
        return await self._act(request, "acknowledged", incidents.acknowledge)

    async def resolve(self, request: web.Request) -> web.Response:
        """Resolve it by hand."""
        return await self._act(request, "resolved", incidents.resolve)

    async def simulate(self, request: web.Request) -> web.Response:
        """Simulate one."""
        workspace = self._context.enter(request, Role.OPERATOR)
        given = await read_body(request, Simulate)
        incident = await simulate(self._context, workspace, given)
        noted = Noted("simulated", ("incident", workspace, ids.format_id(INCIDENT, incident.id)), None, None)
        await self._context.registry.note(caller(request).name, noted)
        return json(incident_document(incident), 201)

    async def _act(
        self, request: web.Request, action: str, act: Callable[[Incident, int, str], Incident | None]
    ) -> web.Response:
        workspace = self._context.enter(request, Role.OPERATOR)
        incident = await self._find(request, workspace)
        done = await carry_out(self._context, incident, workspace, caller(request).name, action, act)
        return json(incident_document(done or await self._find(request, workspace)))

    async def _find(self, request: web.Request, workspace: str) -> Incident:
        name = request.match_info["id"]
        number = ids.parse_id(INCIDENT, name)
        incident = await self._context.store.incident(number) if number is not None else None
        if incident is None or incident.workspace_id != self._context.workspace_number(workspace):
            raise NotFoundError(f"there is no incident {name!r} in the workspace {workspace!r}")
        return incident
