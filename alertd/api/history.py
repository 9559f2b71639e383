"""Events and deliveries over HTTP: lists, single ones, and sending a delivery again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from alertd.api.auth import caller
from alertd.api.context import body_of, json
from alertd.api.delivery_views import DeliveryViews
from alertd.api.examples import REPLAY_ONE
from alertd.api.grounds import Grounds
from alertd.api.history_shapes import history_page
from alertd.api.lineage import Lineage
from alertd.api.operation import PAGE, Operation, Parameter, ref, route
from alertd.api.past import PastRulesets
from alertd.api.progress_views import progress_view
from alertd.api.query import Query, write_cursor
from alertd.api.resources import BELOW
from alertd.api.selecting import ACKNOWLEDGED, DELIVERIES, SELECTING, filter_of, names_of
from alertd.api.views import event_view, page_view, relative_view, verdict_views
from alertd.engine.progress import by_now
from alertd.engine.router import excluded
from alertd.errors import ConflictError, InvalidError, NotFoundError, Problem
from alertd.model import ids
from alertd.model.delivery import DeliveryState
from alertd.model.event import from_payload
from alertd.model.token import Role
from alertd.model.verdict import decode
from alertd.resources.change import Noted
from alertd.store.replaying import ReplayRule

if TYPE_CHECKING:
    from aiohttp import web

    from alertd.api.context import Context
    from alertd.engine.rules import WorkspaceRules
    from alertd.engine.ruleset import Ruleset
    from alertd.model.event import Event

DELIVERIES_MAX = 1000
"""How many deliveries an event shows."""
MATCHED = Parameter("matched", "only what a channel took, or what none took", {"type": "boolean"})
_DELIVERIES = (*DELIVERIES, *PAGE)
_ELSEWHERE = "where it goes instead of to its own destination; needed when that was removed"
_EVENTS = (MATCHED, *SELECTING, ACKNOWLEDGED, *PAGE)


class History:
    """What was accepted, and what became of it; sending a delivery again."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store
        self._deliveries = DeliveryViews(context)
        self._past = PastRulesets(context.store)
        self._lineage = Lineage(context.store)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        for path, handler, summary, shape, query in (
            ("events", self.events, "List accepted events, matched or not, newest first", "AcceptedEvent", _EVENTS),
            ("deliveries", self.deliveries, "List deliveries, newest first", "Delivery", _DELIVERIES),
        ):
            page = history_page(ref(shape))
            listed = Operation(summary, "history", query=query, answers={200: page}, errors=(503,))
            route(app, "GET", f"{BELOW}/{path}", handler, listed)
        for path, handler, summary, shape in (
            (f"{BELOW}/events/{{id}}", self.event, "Show an event by its own id, with every verdict", "EventPage"),
            (f"{BELOW}/deliveries/{{id}}", self.delivery, "Show a delivery with the whole event", "WholeDelivery"),
        ):
            shown = Operation(summary, "history", answers={200: ref(shape)}, errors=(503,))
            route(app, "GET", path, handler, shown)
        again = Operation(
            "Send a final delivery again, to its own destination or another one",
            "history",
            Role.OPERATOR,
            body={
                "type": "object",
                "properties": {"destination": {"type": ["string", "null"], "description": _ELSEWHERE}},
                "additionalProperties": False,
            },
            body_needed=False,
            answers={201: ref("Delivery")},
            errors=(409,),
            example=REPLAY_ONE,
        )
        route(app, "POST", f"{BELOW}/deliveries/{{id}}/replay", self.replay, again)
        cancelled = Operation(
            "Cancel a delivery that waits", "history", Role.OPERATOR, answers={200: ref("Delivery")}, errors=(409,)
        )
        route(app, "POST", f"{BELOW}/deliveries/{{id}}/cancel", self.cancel, cancelled)

    # -- events ---------------------------------------------------------------------------------------------------

    async def events(self, request: web.Request) -> web.Response:
        """List accepted events; `matched` true or false says which."""
        workspace, query = self._context.enter(request), Query(request, names_of(_EVENTS))
        matched = query.flag("matched")
        page = await self._store.events(filter_of(query, workspace, self._context), matched=matched)
        return json(page_view([event_view(row) for row in page.items], page, write_cursor))

    async def event(self, request: web.Request) -> web.Response:
        """Show one event by its own id: fields, every verdict, deliveries, what it came of and what it made."""
        workspace = self._context.enter(request)
        row = await self._store.event(workspace, request.match_info["id"])
        if row is None:
            raise NotFoundError(f"there is no event {request.match_info['id']!r} in the workspace {workspace!r}")
        sent = (await self._store.deliveries_of([row["number"]])).get(row["number"], [])
        ruleset = await self._past.at(row["revision"], self._context.pipeline.ruleset)
        event, number = from_payload(row["payload"]), row["number"]
        rules = None if ruleset is None else ruleset.workspaces.get(event.workspace)
        cause = await self._lineage.cause(event, number)
        return json(
            {
                **event_view(row),
                "verdicts": self._verdicts(row, event, ruleset),
                "deliveries": await self._deliveries.with_lanes(sent[:DELIVERIES_MAX]),
                "progress": self._progress(event, rules),
                "cause": None if cause is None else relative_view(cause),
                "made": [relative_view(each) for each in await self._lineage.made(event, number, rules)],
            }
        )

    def _verdicts(self, row: dict[str, Any], event: Event, ruleset: Ruleset | None) -> list[dict[str, Any]]:
        """Stored verdicts, and those of subscriptions out of scope as the ruleset that decided derives them.

        An event from before rulesets were kept, or of a workspace that is gone, shows what is stored alone.
        """
        names, stored = self._context.names, decode(row["verdicts"])
        if ruleset is None or event.workspace not in ruleset.workspaces:
            return verdict_views(stored, names)
        looked_at = {verdict.subscription_id for verdict in stored}
        outside = [verdict for verdict in excluded(ruleset, event) if verdict.subscription_id not in looked_at]
        return verdict_views([*stored, *outside], names, Grounds(ruleset.workspaces[event.workspace], event))

    def _progress(self, event: Event, rules: WorkspaceRules | None) -> list[dict[str, Any]]:
        """Say what the rules that make events, as they then were, saw in an event, and how they stand by now."""
        context = self._context
        if rules is None:
            return []
        now = context.pipeline.ruleset.workspaces.get(event.workspace)
        found = by_now(rules, now, context.pipeline.state(), event, context.clock.now_ms())
        return [progress_view(each) for each in found]

    # -- deliveries -----------------------------------------------------------------------------------------------

    async def deliveries(self, request: web.Request) -> web.Response:
        """List deliveries with their attempts."""
        workspace, query = self._context.enter(request), Query(request, names_of(_DELIVERIES))
        page = await self._store.deliveries(filter_of(query, workspace, self._context))
        return json(page_view(await self._deliveries.views(page.items), page, write_cursor))

    async def delivery(self, request: web.Request) -> web.Response:
        """Show one delivery with its attempts and the whole event."""
        workspace = self._context.enter(request)
        row = await self._row(request, workspace)
        return json({**await self._deliveries.view(row), "event": orjson.loads(row["payload"])})

    async def _row(self, request: web.Request, workspace: str) -> dict[str, Any]:
        number = ids.parse_id(ids.DELIVERY, request.match_info["id"])
        row = await self._store.delivery(number) if number is not None else None
        if row is None or self._context.names.workspace(row["workspace_id"]) != workspace:
            raise NotFoundError(f"there is no delivery {request.match_info['id']!r} in the workspace {workspace!r}")
        return row

    async def replay(self, request: web.Request) -> web.Response:
        """Send a final delivery again, to its own destination or to another one, as a new one that names its origin."""
        workspace = self._context.enter(request, Role.OPERATOR)
        row, context, actor = await self._row(request, workspace), self._context, caller(request).name
        to = await self._other_destination(request, workspace)
        number, now_ms, destination_id = context.ids.take(), context.clock.now_ms(), row["destination_id"]
        taker = context.names.name(destination_id if to is None else to)
        if to is None and destination_id not in context.dispatcher.present():
            elsewhere = Problem("/destination", "name the one that takes it instead")
            shown = ids.format_id(ids.DELIVERY, row["id"])
            raise ConflictError(f"delivery {shown} went to {taker!r}, which was removed", [elsewhere])
        told = {"delivery": ids.format_id(ids.DELIVERY, number), "destination": taker}
        key = ("delivery", workspace, ids.format_id(ids.DELIVERY, row["id"]))
        line = context.registry.line(actor, Noted("replayed", key, None, told))
        again = await self._store.replay(row["id"], number, now_ms, ReplayRule(to, actor=actor), [line])
        context.dispatcher.offer((again,))
        return json(await self._deliveries.view(await self._store.delivery(again.id) or row), status=201)

    async def _other_destination(self, request: web.Request, workspace: str) -> int | None:
        """Return the destination that the body names, if it names one. Raises InvalidError."""
        body = await body_of(request) if request.can_read_body else {}
        name = body.get("destination")
        problems = [
            Problem(f"/{other}", "is not known here; known is destination") for other in body if other != "destination"
        ]
        if name is not None and not isinstance(name, str):
            problems.append(Problem("/destination", "must be the name of a destination, or null"))
        if problems:
            raise InvalidError(problems)
        return self._context.destination(workspace, name, "/destination")

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a delivery that waits; one that is cancelled already stays as it is."""
        workspace = self._context.enter(request, Role.OPERATOR)
        row, context = await self._row(request, workspace), self._context
        if row["state"] is not DeliveryState.CANCELLED:
            key = ("delivery", workspace, ids.format_id(ids.DELIVERY, row["id"]))
            line = context.registry.line(caller(request).name, Noted("cancelled", key, None, None))
            await context.dispatcher.cancel(row["id"], row["destination_id"], line)
        return json(await self._deliveries.view(await self._store.delivery(row["id"]) or row))
