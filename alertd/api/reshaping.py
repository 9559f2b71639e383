"""Merging and splitting of issues over HTTP.

Issues that are one problem become one; its names and state are those of the issue that was named first, and the names of
the others go on leading to it. What was merged can be split again, by its grouping keys, or, undoing it, by the name of the
issue that it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, model_validator

from alertd.api.auth import caller, require
from alertd.api.context import json, read_body
from alertd.api.issues import Issues
from alertd.api.operation import Operation, ref, route
from alertd.api.query import Query
from alertd.api.resources import BELOW
from alertd.engine.issues import incidents
from alertd.engine.issues.document import ISSUE
from alertd.engine.issues.merging import merge, moved, split
from alertd.errors import InvalidError, Problem
from alertd.model.fields import Resource
from alertd.model.ids import format_id
from alertd.model.issue import KEYS_MAX, Change
from alertd.model.ledger import Ledger
from alertd.model.token import Role
from alertd.resources.change import Noted
from alertd.store.issues import IssueWrites, Reshaped
from alertd.weighing import acting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from alertd.api.context import Context
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, Transition

Name = Annotated[str, Field(min_length=1, max_length=256)]


class Merge(Resource):
    """Which issues, by id or short id, are merged into the one that is named in the path."""

    issues: Annotated[tuple[Name, ...], Field(min_length=1, max_length=KEYS_MAX)]


class Split(Resource):
    """What is split off: grouping keys of the issue, or what another issue, by id or short id, was before it was merged."""

    keys: Annotated[tuple[Name, ...], Field(min_length=1, max_length=KEYS_MAX)] | None = None
    issue: Name | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Split:
        if (self.keys is None) == (self.issue is None):
            raise ValueError("either keys or an issue")
        return self


MERGE: Final = Merge.model_json_schema()
SPLIT: Final = Split.model_json_schema()


class Reshaping:
    """`merge` and `split` of `/api/v1/workspaces/{workspace}/issues/{id}`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._issues = Issues(context)

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        for name, handler, summary, body in (
            ("merge", self.merge, "Merge issues into this one", MERGE),
            (
                "split",
                self.split,
                "Split what is another problem off an issue; the answer is the issue that it makes",
                SPLIT,
            ),
        ):
            documented = Operation(
                summary, "issues", Role.OPERATOR, body=body, answers={200: ref("Issue")}, errors=(409,)
            )
            route(app, "POST", f"{BELOW}/issues/{{id}}/{name}", handler, documented)

    def _enter(self, request: web.Request) -> str:
        require(request, Role.OPERATOR, request.match_info["workspace"])
        Query(request, ()).check()
        return self._context.workspace(request)

    async def merge(self, request: web.Request) -> web.Response:
        """Merge issues into one."""
        workspace = self._enter(request)
        given: Merge = await read_body(request, Merge)
        context, by, now_ms = self._context, caller(request).name, self._context.clock.now_ms()
        async with context.pipeline.issues.lock:
            into = await self._issues.find(request.match_info["id"], workspace)
            others = [await self._issues.find(name, workspace) for name in given.issues]
            found, transition = merge(into, others, now_ms, by)
            adopted = self._adopt(found, others)
            why = f"merged into {found.short_id}"
            gone = [moved(each, Change.MERGED, why, now_ms, by) for each in others]
            merged = [(each, found.id) for each in others]
            await self._store([found], [transition, *gone], Reshaped(merged=merged), adopted)
            for other in others:
                context.pipeline.issues.memory.forget(other.id)
            context.pipeline.issues.memory.replace(found)
        for incident in adopted:
            if incident.id != found.incident_id:
                await context.pipeline.do(acting(incident, lambda known: incidents.resolve(known, now_ms, by), []))
        for name in (found.short_id, *(other.short_id for other in others)):
            await context.registry.note(by, Noted("merged", ("issue", workspace, name), None, {"into": found.short_id}))
        return json(await self._issues.whole(found))

    def _adopt(self, found: Issue, others: Sequence[Issue]) -> list[Incident]:
        """Let the open incidents of all be those of the merged issue, which follows the first; return those that change."""
        known, changed = self._context.pipeline.issues.incidents, []
        if found.incident_id not in known:
            found.incident_id = None
        for other in others:
            incident = None if other.incident_id is None else known.get(other.incident_id)
            if incident is not None:
                found.incident_id = found.incident_id or incident.id
                changed.append(replace(incident, issue_id=found.id))
        return changed

    async def split(self, request: web.Request) -> web.Response:
        """Split grouping keys off an issue."""
        workspace = self._enter(request)
        given: Split = await read_body(request, Split)
        context, by, now_ms = self._context, caller(request).name, self._context.clock.now_ms()
        async with context.pipeline.issues.lock:
            issue = await self._issues.find(request.match_info["id"], workspace)
            formers = await context.store.former_issues(issue.id)
            keys = _keys(given, issue, formers)
            former = next((each for each in formers if {*each.keys} == keys), None)
            ledger = await context.store.ledger(issue.workspace_id, issue.project) or Ledger(
                issue.workspace_id, issue.project
            )
            remaining, made, transition = split(issue, keys, ledger, context.ids.take(), now_ms, by, former)
            came = moved(made, Change.SPLIT, f"split off {issue.short_id}", now_ms, by)
            revived = [] if former is None else [former.id]
            followed = [(each.id, made.id) for each in formers if each is not former and keys.issuperset(each.keys)]
            reshaped = Reshaped(revived=revived, followed=followed, moved=[(issue.id, made.id, frozenset(keys))])
            await self._store([remaining, made], [transition, came], reshaped, (), ledger)
            context.pipeline.issues.memory.keep_ledger(ledger)
            context.pipeline.issues.memory.replace(remaining)
            context.pipeline.issues.memory.replace(made)
        for name in (issue.short_id, made.short_id):
            after = {"from": issue.short_id, "keys": sorted(keys)}
            await context.registry.note(by, Noted("split", ("issue", workspace, name), None, after))
        return json(await self._issues.whole(made))

    async def _store(
        self,
        issues: Sequence[Issue],
        transitions: Sequence[Transition],
        reshaped: Reshaped,
        changed: Sequence[Incident],
        ledger: Ledger | None = None,
    ) -> None:
        context = self._context
        writes = IssueWrites(
            issues,
            {(each.workspace_id, each.project, key): each.id for each in issues for key in each.keys},
            {} if ledger is None else {(ledger.workspace_id, ledger.project): ledger},
            changed,
            [(context.ids.take(), each) for each in transitions],
            reshaped=reshaped,
        )
        await context.store.write_issues(writes)
        for incident in changed:
            context.pipeline.issues.follow(incident)


def _keys(given: Split, issue: Issue, formers: Sequence[Issue]) -> set[str]:
    """Name the grouping keys that are to be split off. Raises InvalidError."""
    if given.keys is not None:
        return {*given.keys}
    name = (given.issue or "").upper()
    for former in formers:
        if name in (former.short_id, format_id(ISSUE, former.id).upper()):
            return {*former.keys}
    raise InvalidError([Problem("/issue", f"was not merged into {issue.short_id}")])
