"""Sending many deliveries again: what a filter finds, counted first, then at a pace, each as a new one that names its origin."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.api.auth import caller
from alertd.api.context import body_of, json
from alertd.api.examples import REPLAY_MANY
from alertd.api.operation import PAGE, Operation, page_of, ref, route
from alertd.api.query import Query, page_found
from alertd.api.resources import BELOW
from alertd.api.selecting import DELIVERIES, names_of, query_of, select
from alertd.clock import rfc3339, rfc3339_or_none
from alertd.errors import InvalidError, NotFoundError, Problem
from alertd.model import ids
from alertd.model.delivery import DeliveryState
from alertd.model.token import Role
from alertd.resources.change import Noted, as_json
from alertd.store.base import Filter
from alertd.store.replaying import Replay, ReplayRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.selection import Selection
    from alertd.store.resource import AuditEntry

RATE: Final = 50.0
"""Deliveries a second when nothing is asked for."""
RATE_MAX: Final = 1000.0
"""The greatest rate, in deliveries a second."""
ORIGINS_MAX: Final = 100_000
"""How many deliveries one replay may be of."""
LOOK_PAGE: Final = 2000
"""How many deliveries are looked for at once."""
LOOK_SECONDS: Final = 20.0
"""How long the deliveries of a filter are looked for at most."""
_FINAL: Final = tuple(state for state in DeliveryState if state.final)
_WORDS: Final = tuple(state.word for state in _FINAL)
_DEFAULTS: Final[dict[str, Any]] = {"rate_per_second": RATE, "again": False, "dry_run": False}
_KNOWN: Final = ("filter", "destination", *_DEFAULTS)
_BODY: Final = {
    "type": "object",
    "properties": {
        "filter": {
            "type": "object",
            "description": "which deliveries, by the filters of their list; {}: all. It may stand in the query instead",
            "properties": {parameter.name: parameter.schema for parameter in DELIVERIES},
            "additionalProperties": False,
        },
        "destination": {"type": ["string", "null"], "description": "where all of it goes; null: each to its own"},
        "rate_per_second": {"type": "number", "exclusiveMinimum": 0, "maximum": RATE_MAX, "default": RATE},
        "again": {
            "type": "boolean",
            "default": False,
            "description": "whether those go too whose event a replay, or another delivery, has brought there or is about to",
        },
        "dry_run": {"type": "boolean", "default": False, "description": "whether they are only counted"},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for: which deliveries, where to (None: each to its own), how fast, whether again, whether at all."""

    selection: Selection
    destination: str | None
    rate: float
    again: bool
    dry_run: bool

    def document(self, filter_: dict[str, str]) -> dict[str, Any]:
        """Write it for the store, the log and the answer."""
        own = {"destination": self.destination, "rate_per_second": self.rate, "again": self.again}
        return {"filter": filter_, **own}


class Replays:
    """`/api/v1/workspaces/{workspace}/deliveries/replay` and what becomes of it, `…/deliveries/replays`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        begun = Operation(
            "Send many deliveries again, or count them",
            "history",
            Role.OPERATOR,
            query=DELIVERIES,
            body=_BODY,
            body_needed=False,
            answers={200: ref("ReplayPreview"), 202: ref("Replay")},
            errors=(404,),
            example=REPLAY_MANY,
        )
        route(app, "POST", f"{BELOW}/deliveries/replay", self.begin, begun)
        listed = Operation(
            "List replays of many, newest first",
            "history",
            query=PAGE,
            answers={200: page_of(ref("Replay"))},
            errors=(503,),
        )
        route(app, "GET", f"{BELOW}/deliveries/replays", self.list, listed)
        shown = Operation("Show how far a replay is", "history", answers={200: ref("Replay")}, errors=(503,))
        route(app, "GET", f"{BELOW}/deliveries/replays/{{id}}", self.show, shown)
        ended = Operation("End a replay", "history", Role.OPERATOR, answers={200: ref("Replay")})
        route(app, "POST", f"{BELOW}/deliveries/replays/{{id}}/cancel", self.cancel, ended)

    async def begin(self, request: web.Request) -> web.Response:
        """Count what a filter finds, or send it again."""
        workspace = self._context.enter(request, Role.OPERATOR)
        asked, filter_ = await self._asked(request)
        context, actor = self._context, caller(request).name
        to = context.destination(workspace, asked.destination, "/destination")
        if not asked.dry_run:
            context.replayer.check_room(workspace)
        number = context.ids.take()
        since = number if asked.again else 0
        found, complete = await self._find(workspace, asked.selection)
        origins = sorted(number for each in found.values() for number in each)
        if asked.dry_run:
            rule = ReplayRule(to, since, present=context.dispatcher.present())
            count = await context.store.replayable(origins, rule)
            states = {word: len(each) for word, each in found.items()}
            whole = {"matched": len(origins), "states": states, "complete": complete}
            return json({"dry_run": True, "count": count, **whole, **asked.document(filter_)})
        if not complete:
            most = f"finds more than {ORIGINS_MAX} deliveries, or not within {LOOK_SECONDS:g} s"
            raise InvalidError([Problem("/filter", f"{most}: narrow it, by since and until perhaps")])
        document = asked.document(filter_)
        replay = Replay(number, workspace, actor, orjson.dumps(document), to, since, asked.rate, len(origins))
        noted = Noted("replayed", ("replay", workspace, _id(number)), None, {**document, "matched": len(origins)})
        await context.replayer.begin(replay, origins, [context.registry.line(actor, noted)])
        return json(_view(replay), status=202)

    async def _asked(self, request: web.Request) -> tuple[_Asked, dict[str, str]]:
        """Read what was asked for, and the filter as it was given. Raises InvalidError with all that is wrong."""
        body = await body_of(request) if request.can_read_body else {}
        problems = [*_problems(body), *_filter_problems(body, in_query=bool(request.query))]
        if problems:
            raise InvalidError(problems)
        names = names_of(DELIVERIES)
        query = Query(request, names) if request.query else query_of(body["filter"], names, "/filter")
        selection = select(query)
        query.check()
        if selection.state is not None and selection.state not in _WORDS:
            where = "/state" if request.query else "/filter/state"
            raise InvalidError([Problem(where, f"only final ones can be replayed: {', '.join(_WORDS)}")])
        given = dict(request.query) if request.query else body["filter"]
        rate, again, dry_run = (body.get(name, default) for name, default in _DEFAULTS.items())
        return _Asked(selection, body.get("destination"), float(rate), again, dry_run), given

    async def _find(self, workspace: str, selection: Selection) -> tuple[dict[str, list[int]], bool]:
        """Return the final deliveries that are meant, by state, and whether these are all of them."""
        chosen = selection.dated(self._context.clock.now_ms()).chosen()
        wanted = [state for state in _FINAL if selection.state in (None, state.word)]
        found: dict[str, list[int]] = {state.word: [] for state in wanted}
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                for state in wanted:
                    which = Filter(workspace, limit=LOOK_PAGE, **{**chosen, "state": state.word})
                    while True:
                        numbers, below = await self._context.store.delivery_ids(which)
                        found[state.word] += numbers
                        if sum(map(len, found.values())) > ORIGINS_MAX:
                            return found, False
                        if below is None:
                            break
                        which = replace(which, below=below)
        except TimeoutError:
            return found, False
        return found, True

    async def list(self, request: web.Request) -> web.Response:
        """List replays, newest first."""
        workspace = self._context.enter(request)
        query = Query(request, ("limit", "cursor"))
        limit, below = query.limit(), query.cursor()
        query.check()
        found = await self._context.store.replays(workspace, below, limit + 1)
        return json(page_found(found, limit, _view))

    async def show(self, request: web.Request) -> web.Response:
        """Show one replay."""
        workspace = self._context.enter(request)
        return json(_view(await self._one(request, workspace)))

    async def cancel(self, request: web.Request) -> web.Response:
        """End a replay; what it has sent stays sent, and one that has ended stays as it is."""
        workspace = self._context.enter(request, Role.OPERATOR)
        replay, actor = await self._one(request, workspace), caller(request).name
        noted = Noted("cancelled", ("replay", workspace, _id(replay.id)), None, None)
        line = self._context.registry.line(actor, noted)

        def told(ended: Replay) -> AuditEntry:
            return replace(line, after=as_json({"replayed": ended.made}))

        return json(_view(await self._context.replayer.cancel(replay.id, f"cancelled by {actor}", told)))

    async def _one(self, request: web.Request, workspace: str) -> Replay:
        number = ids.parse_id(ids.REPLAY, request.match_info["id"])
        replay = await self._context.store.replay_by_id(number) if number is not None else None
        if replay is None or replay.workspace != workspace:
            raise NotFoundError(f"there is no replay {request.match_info['id']!r} in the workspace {workspace!r}")
        return replay


def _problems(body: dict[str, Any]) -> Iterator[Problem]:
    """Say what is wrong with the rest of a body."""
    for name in body:
        if name not in _KNOWN:
            yield Problem(f"/{name}", f"is not known here; known are {', '.join(_KNOWN)}")
    rate, to = body.get("rate_per_second", RATE), body.get("destination")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= RATE_MAX:
        yield Problem("/rate_per_second", f"must be a number above 0, at most {RATE_MAX:g}")
    if to is not None and not isinstance(to, str):
        yield Problem("/destination", "must be the name of a destination, or null")
    for name in ("again", "dry_run"):
        if not isinstance(body.get(name, False), bool):
            yield Problem(f"/{name}", "must be true or false")


def _filter_problems(body: dict[str, Any], *, in_query: bool) -> Iterator[Problem]:
    """Say whether the filter is where it may be."""
    if in_query and "filter" in body:
        yield Problem("/filter", "stands in the query and in the body: give it once")
    if not in_query and "filter" not in body:
        yield Problem("/filter", "is needed, so that nothing is sent by mistake; {} means all")


def _id(number: int) -> str:
    return ids.format_id(ids.REPLAY, number)


def _view(replay: Replay) -> dict[str, Any]:
    return {
        "id": _id(replay.id),
        "state": replay.state.word,
        "reason": replay.reason or None,
        **orjson.loads(replay.request),
        "matched": replay.total,
        "replayed": replay.made,
        "left_out": replay.looked - replay.made,
        "requested_by": replay.actor,
        "created_at": rfc3339(ids.milliseconds(replay.id)),
        "ended_at": rfc3339_or_none(replay.ended_at_ms),
    }
