"""Issues over HTTP: listed, shown with what became of them, resolved, muted, unmuted, assigned."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, model_validator

from alertd.api.auth import caller, require
from alertd.api.context import json, read_body
from alertd.api.examples import ASSIGN, MUTE, RESOLVE
from alertd.api.operation import PAGE, Operation, Parameter, page_of, ref, route
from alertd.api.query import Query, refuse_unknown, write_cursor
from alertd.api.resources import BELOW
from alertd.clock import rfc3339
from alertd.deeds import Command, commanding
from alertd.engine.issues import commands
from alertd.engine.issues.changes import candidates
from alertd.engine.issues.document import ISSUE, issue_document
from alertd.engine.issues.facts import bears_issue, moment
from alertd.engine.issues.merging import shares_of
from alertd.engine.issues.suspects import suspects
from alertd.errors import ConflictError, NotFoundError
from alertd.model import ids
from alertd.model.event import from_payload
from alertd.model.fields import PositiveSeconds, Resource
from alertd.model.issue import How, Issue, State
from alertd.model.token import Role
from alertd.resources.change import Noted
from alertd.store.issues import IssueFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from alertd.api.context import Context
    from alertd.deeds import Act
    from alertd.engine.issues.commands import Outcome
    from alertd.model.incident import Suspect
    from alertd.model.issue import Share, Transition
    from alertd.model.ledger import Ledger
    from alertd.store.resource import AuditEntry

HISTORY_MAX: Final = 100
"""Transitions and events that an issue shows."""
_SHORT: Final = re.compile(r"(.+)-([1-9][0-9]{0,12})", re.ASCII)
_WAITING: Final = tuple(int(state) for state in State if state is not State.RESOLVED)
_WORDS: Final = {state.word: (int(state),) for state in State} | {State.ONGOING.word: _WAITING, "unresolved": _WAITING}
"""Words that a list is filtered by, and the stored states that they may stand for: what time alone has settled is ongoing."""
TRIES_MAX: Final = 5
"""How often an issue that is merged into another at the same moment is looked for."""
ROUNDS_MAX: Final = 20
"""How often a page of a list is filled up before it is answered as it is, with a cursor to go on."""
_SHOWN: Final = {state.word: frozenset({state}) for state in State} | {
    "unresolved": frozenset(state for state in State if state.is_unresolved)
}


class Resolve(Resource):
    """How an issue is resolved: at once, in a release, or in the one after the newest that is known."""

    release: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    in_next_release: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Resolve:
        if self.release is not None and self.in_next_release:
            raise ValueError("a release or in_next_release, not both")
        return self


class Mute(Resource):
    """Until when an issue is muted: for a time, until so many more events, until it spikes; nothing: until it is unmuted."""

    for_seconds: PositiveSeconds | None = None
    events: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None
    until_spike: bool = False


class Assign(Resource):
    """Whose it is; null: nobody's."""

    assignee: Annotated[str, Field(min_length=1, max_length=200)] | None


class Issues:
    """`/api/v1/workspaces/{workspace}/issues`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        path, one, shape = f"{BELOW}/issues", f"{BELOW}/issues/{{id}}", ref("Issue")
        query = (
            Parameter("state", "only issues in this state; unresolved: any but muted and resolved"),
            *(Parameter(name, f"only issues with this {name}") for name in ("project", "level", "assignee")),
            *PAGE,
        )
        listed = Operation("List issues", "issues", query=query, answers={200: page_of(shape)}, errors=(503,))
        route(app, "GET", path, self.index, listed)
        for at, handler, summary, errors in (
            (one, self.show, "Show an issue, by its id or short id", (409, 503)),
            ("/api/v1/issues/{id}", self.follow, "Show an issue of any workspace: links lead here", (503,)),
        ):
            route(app, "GET", at, handler, Operation(summary, "issues", answers={200: shape}, errors=errors))
        for name, handler, summary, body, example in (
            ("resolve", self.resolve, "Resolve an issue", Resolve.model_json_schema(), RESOLVE),
            ("mute", self.mute, "Mute an issue", Mute.model_json_schema(), MUTE),
            ("unmute", self.unmute, "Unmute an issue", None, None),
            ("assign", self.assign, "Give an issue to somebody", Assign.model_json_schema(), ASSIGN),
        ):
            documented = Operation(
                summary,
                "issues",
                Role.OPERATOR,
                body=body,
                body_needed=name == "assign",
                example=example,
                answers={200: shape},
                errors=(409,),
            )
            route(app, "POST", f"{one}/{name}", handler, documented)

    async def index(self, request: web.Request) -> web.Response:
        """List issues, newest first."""
        workspace, query = (
            self._context.enter(request),
            Query(request, ("state", "project", "level", "assignee", "limit", "cursor")),
        )
        word, limit = query.word("state", tuple(_WORDS)), query.limit()
        which = IssueFilter(
            self._context.workspace_number(workspace),
            query.cursor(),
            limit + 1,
            query.text("project"),
            query.text("level"),
            query.text("assignee"),
            None if word is None else _WORDS.get(word),
        )
        query.check()
        found, below = await self._fill(which, frozenset(State) if word is None else _SHOWN[word], limit)
        return json({"items": [self._view(issue) for issue in found], "next_cursor": below})

    async def _fill(self, which: IssueFilter, states: frozenset[State], limit: int) -> tuple[list[Issue], str | None]:
        """Find issues that now are in a state, up to a limit; and where to go on."""
        found: list[Issue] = []
        now_ms = self._context.clock.now_ms()
        for _ in range(ROUNDS_MAX):
            page = await self._context.store.issues(which)
            for issue in page[: which.limit - 1]:
                which = replace(which, below=issue.id)
                if commands.rest(issue, now_ms).state_at(now_ms) in states:
                    found.append(issue)
                if len(found) == limit:
                    break
            if len(page) < which.limit and (not page or which.below == page[-1].id):
                return found, None
            if len(found) == limit:
                break
        return found, write_cursor(which.below or 0)

    async def show(self, request: web.Request) -> web.Response:
        """Show one with its transitions and the newest of its events that are kept."""
        workspace = self._context.enter(request)
        return json(await self.whole(await self.find(request.match_info["id"], workspace)))

    async def follow(self, request: web.Request) -> web.Response:
        """Show one of whatever workspace the token may see, by its id: the address in messages."""
        own, name = caller(request).workspace, request.match_info["id"]
        require(request, Role.VIEWER, own)
        refuse_unknown(request)
        number = ids.parse_id(ISSUE, name)
        issue = None if number is None else await self._at(number)
        if issue is None or own not in (None, self._context.names.workspace(issue.workspace_id)):
            raise NotFoundError(f"there is no issue {name!r}")
        return json(await self.whole(issue))

    async def resolve(self, request: web.Request) -> web.Response:
        """Resolve an issue."""
        workspace, by = self._context.enter(request, Role.OPERATOR), caller(request).name
        given = await read_body(request, Resolve)
        how = How.IN_RELEASE if given.release else How.IN_NEXT_RELEASE if given.in_next_release else How.NOW

        def act(issue: Issue, ledger: Ledger, now_ms: int) -> Outcome:
            return commands.resolve(issue, how, given.release or "", ledger, now_ms, by)

        return await self._act(request, workspace, "resolved", act)

    async def mute(self, request: web.Request) -> web.Response:
        """Mute an issue."""
        workspace, by = self._context.enter(request, Role.OPERATOR), caller(request).name
        given = await read_body(request, Mute)

        def act(issue: Issue, ledger: Ledger, now_ms: int) -> Outcome:
            until = None if given.for_seconds is None else now_ms + round(given.for_seconds * 1000)
            return commands.mute(
                issue, now_ms, by, until_ms=until, more_events=given.events, until_spike=given.until_spike
            )

        return await self._act(request, workspace, "muted", act)

    async def unmute(self, request: web.Request) -> web.Response:
        """Unmute an issue."""
        workspace, by = self._context.enter(request, Role.OPERATOR), caller(request).name

        def act(issue: Issue, ledger: Ledger, now_ms: int) -> Outcome:
            return commands.unmute(issue, now_ms, by)

        return await self._act(request, workspace, "unmuted", act)

    async def assign(self, request: web.Request) -> web.Response:
        """Give an issue to somebody."""
        workspace, by = self._context.enter(request, Role.OPERATOR), caller(request).name
        given = await read_body(request, Assign)

        def act(issue: Issue, ledger: Ledger, now_ms: int) -> Outcome:
            return commands.assign(issue, given.assignee or "", now_ms, by)

        return await self._act(request, workspace, "assigned", act)

    async def _act(self, request: web.Request, workspace: str, action: str, act: Act) -> web.Response:
        """Do what is asked in the order of the events, with what tells of it and its line in the audit log.

        It is done to the issue of that name, or to the one into which it is merged meanwhile.
        """
        context, by, name = self._context, caller(request).name, request.match_info["id"]

        def line(issue: Issue) -> AuditEntry:
            return context.registry.line(by, Noted(action, ("issue", workspace, issue.short_id), None, None))

        done: list[Outcome | ConflictError] = []
        for _ in range(TRIES_MAX):
            issue = await self.find(name, workspace)
            command = Command(act, await self._place(issue), context.ids.take, line)
            await context.pipeline.do(commanding(issue, command, done))
            for outcome in done:
                if isinstance(outcome, ConflictError):
                    raise outcome
                return json(await self.whole(outcome[0]))
        raise NotFoundError(f"there is no issue {name!r} in the workspace {workspace!r} any more")

    async def _place(self, issue: Issue) -> str:
        """Return the environment of the newest of its events that is kept, "" when it is not known."""
        for number in await self._context.store.issue_events(issue.id, 1):
            row = await self._context.store.event_by_number(number)
            return "" if row is None else from_payload(row["payload"]).environment
        return ""

    async def find(self, name: str, workspace: str) -> Issue:
        """Return an issue by its id or short id, also the one into which one of that name was merged.

        Raises NotFoundError; ConflictError where projects whose names differ only in their case have the same short id.
        """
        number = ids.parse_id(ISSUE, name)
        short = _SHORT.fullmatch(name)
        if number is None and short is not None:
            number = await self._numbered(name, workspace, short[1], int(short[2]))
        issue = await self._at(number) if number is not None else None
        if issue is None or issue.workspace_id != self._context.workspace_number(workspace):
            raise NotFoundError(f"there is no issue {name!r} in the workspace {workspace!r}")
        return issue

    async def _numbered(self, name: str, workspace: str, project: str, number: int) -> int | None:
        """Return the id of the one issue with a short id; those of no project and those of a project `issue` look alike."""
        projects = ("", project) if project.upper() == "ISSUE" else (project,)
        own = self._context.workspace_number(workspace)
        found = await self._context.store.issues_numbered(own, projects, number)
        if len(found) > 1:
            every = ", ".join(ids.format_id(ISSUE, each) for each in found)
            raise ConflictError(f"{name!r} is the short id of more issues than one; name it by its id: {every}")
        return found[0] if found else None

    async def _at(self, number: int) -> Issue | None:
        """Return an issue, or the one into which it was merged."""
        store = self._context.store
        issue = await store.issue(number)
        if issue is None:
            into = await store.merged_into(number)
            issue = None if into is None else await store.issue(into)
        return issue

    def _view(self, issue: Issue, suspected: Sequence[Suspect] = ()) -> dict[str, Any]:
        issues, now_ms = self._context.pipeline.issues, self._context.clock.now_ms()
        incident = issues.incidents.get(issue.incident_id) if issue.incident_id is not None else None
        rested = commands.rest(issue, now_ms)
        return issue_document(rested, now_ms, issues.url(issue.id), incident, suspected)

    async def whole(self, issue: Issue) -> dict[str, Any]:
        """Write an issue with all that is known of it."""
        store = self._context.store
        rows = await store.transitions(issue.id, HISTORY_MAX)
        numbers = await store.issue_events(issue.id, HISTORY_MAX)
        formers = await store.former_issues(issue.id)
        return {
            **self._view(issue, await self._suspects(issue, rows, numbers)),
            "keys": [_share(key, share) for key, share in shares_of(issue).items()],
            "merged": [{"id": ids.format_id(ISSUE, each.id), "short_id": each.short_id} for each in formers],
            "transitions": [
                {
                    "change": each.change.word,
                    "before": None if each.before is None else each.before.word,
                    "after": each.after.word,
                    "at": rfc3339(each.at_ms),
                    "why": each.why,
                    "by": each.by or None,
                }
                for _, each in rows
            ],
            "alerts": [ids.format_id(ids.ALERT, number) for number in numbers],
        }

    async def _suspects(
        self, issue: Issue, rows: Sequence[tuple[int, Transition]], numbers: Sequence[int]
    ) -> Sequence[Suspect]:
        """Rank the commits that were live when the issue last became news; nothing where an incident knows."""
        context, now_ms = self._context, self._context.clock.now_ms()
        log = await context.pipeline.issues.log((issue.workspace_id, issue.project), now_ms)
        if not log or issue.incident_id in context.pipeline.issues.incidents:
            return ()
        news = next((number for number, each in rows if each.change.trigger is not None), None)
        for number in numbers[:1] if news is None else (news, *(each for each in numbers if each < news)):
            row = await context.store.event_by_number(number)
            event = None if row is None else from_payload(row["payload"])
            if event is not None and bears_issue(event.body):  # Sentry may have said it, without a stack
                at_ms = moment(event.time, now_ms)
                return suspects(event.body["data"], candidates(log, at_ms, event.environment), at_ms)
        return ()


def _share(key: str, share: Share) -> dict[str, Any]:
    return {
        "key": key,
        "title": share.title,
        "event_count": share.events,
        "first_seen": rfc3339(share.first_seen_ms),
        "last_seen": rfc3339(share.last_seen_ms),
    }
