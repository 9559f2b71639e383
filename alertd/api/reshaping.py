"""Merging and splitting of issues over HTTP.

Issues that are one problem become one; its names and state are those of the issue that was named first, and the names of
the others go on leading to it. What was merged can be split again, by its grouping keys, or, undoing it, by the name of the
issue that it was.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import structlog
from pydantic import Field, model_validator

from alertd.api import examples
from alertd.api.auth import caller
from alertd.api.context import json, read_body
from alertd.api.issues import Issues
from alertd.api.operation import Operation, ref, route
from alertd.api.resources import BELOW
from alertd.deeds import acting
from alertd.delivery.persistence import to_the_end
from alertd.engine.issues import incidents
from alertd.engine.issues.document import ISSUE
from alertd.engine.issues.facts import facts_of
from alertd.engine.issues.merging import Parts, merge, moved, split
from alertd.errors import IntakeFullError, InvalidError, NotFoundError, Problem, StoreUnavailableError
from alertd.model.event import from_payload
from alertd.model.fields import Resource
from alertd.model.ids import format_id
from alertd.model.issue import KEYS_MAX, Change, State
from alertd.model.ledger import Ledger
from alertd.model.token import Role
from alertd.resources.change import Noted
from alertd.runtime import look_away
from alertd.store.issues import IssueWrites, Reshaped
from alertd.weighing import Deed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence

    from aiohttp import web

    from alertd.api.context import Context
    from alertd.engine.issues.facts import Facts
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, Transition
    from alertd.store.resource import AuditEntry
    from alertd.submission import Accepted

Name = Annotated[str, Field(min_length=1, max_length=256)]
_log = structlog.get_logger("alertd.api")


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
        for name, handler, summary, body, example in (
            ("merge", self.merge, "Merge issues into this one", MERGE, examples.MERGE),
            (
                "split",
                self.split,
                "Split what is another problem off an issue; the answer is the issue that it makes",
                SPLIT,
                examples.SPLIT,
            ),
        ):
            documented = Operation(
                summary, "issues", Role.OPERATOR, body=body, answers={200: ref("Issue")}, errors=(409,), example=example
            )
            route(app, "POST", f"{BELOW}/issues/{{id}}/{name}", handler, documented)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Keep batches away. Raises IntakeFullError at the end of the daemon: a commit may still be under way then.

        Nobody waits for it any more, so what is read now may be from before it.
        """
        pipeline = self._context.pipeline
        async with pipeline.issues.lock:
            if pipeline.stopping:
                raise IntakeFullError
            yield

    async def _others(self, names: Sequence[str], workspace: str) -> list[Issue]:
        """Find the issues that a body names. Raises InvalidError with all that there are not, ConflictError."""
        found: list[Issue] = []
        problems: list[Problem] = []
        for place, name in enumerate(names):
            try:
                found.append(await self._issues.find(name, workspace))
            except NotFoundError:
                problems.append(Problem(f"/issues/{place}", f"unknown issue {name!r}"))
        if problems:
            raise InvalidError(problems)
        return found

    async def merge(self, request: web.Request) -> web.Response:
        """Merge issues into one."""
        workspace = self._context.enter(request, Role.OPERATOR)
        given = await read_body(request, Merge)
        by, now_ms = caller(request).name, self._context.clock.now_ms()
        async with self._alone():
            into = await self._issues.find(request.match_info["id"], workspace)
            others = await self._others(given.issues, workspace)
            found, transition = merge(into, others, now_ms, by)
            adopted = self._adopt(found, others)
            why = f"merged into {found.short_id}"
            gone = [moved(each, Change.MERGED, why, now_ms, by) for each in others]
            going = [each for each in adopted if each.id != found.incident_id]
            ended = self._end(
                going, lambda known: incidents.resolve(known, now_ms, by, why) if known.issue_id == found.id else None
            )
            reshaped = Reshaped(merged=[(each, found.id) for each in others])
            told = self._lines(by, "merged", workspace, (found, *others), {"into": found.short_id})
            await self._store([found], [transition, *gone], reshaped, adopted, told)
        await _heard(ended, found)
        return json(await self._issues.whole(found))

    def _end(
        self, going: Sequence[Incident], act: Callable[[Incident], Incident | None]
    ) -> asyncio.Future[list[Accepted]] | None:
        """Queue the end of incidents before anything is stored, so that a full queue refuses all of it. Raises IntakeFullError."""
        if not going:
            return None
        deeds = [acting(each, act, []) for each in going]
        needed = tuple(number for deed in deeds for number in deed.issues)
        ended = self._context.pipeline.do(
            Deed(lambda under_way: [made for deed in deeds for made in deed.act(under_way)], needed)
        )
        ended.add_done_callback(look_away)  # whoever could not store the merge does not wait
        return ended

    def _adopt(self, found: Issue, others: Sequence[Issue]) -> list[Incident]:
        """Let the open incidents of all be those of the merged issue; return those that change.

        It follows the first, and none at all when it is resolved.
        """
        known, changed = self._context.pipeline.issues.incidents, []
        is_resolved = found.state is State.RESOLVED
        if is_resolved or found.incident_id not in known:
            found.incident_id = None
        for other in others:
            incident = None if other.incident_id is None else known.get(other.incident_id)
            if incident is not None:
                if not is_resolved:
                    found.incident_id = found.incident_id or incident.id
                changed.append(replace(incident, issue_id=found.id))
        return changed

    async def split(self, request: web.Request) -> web.Response:
        """Split grouping keys off an issue."""
        workspace = self._context.enter(request, Role.OPERATOR)
        given = await read_body(request, Split)
        context, by, now_ms = self._context, caller(request).name, self._context.clock.now_ms()
        async with self._alone():
            issue = await self._issues.find(request.match_info["id"], workspace)
            formers = await context.store.former_issues(issue.id)
            keys, former = _chosen(given, issue, formers)
            parts = Parts(former, *await self._latest(issue, keys, now_ms))
            ledger = await context.store.ledger(issue.workspace_id, issue.project) or Ledger(
                issue.workspace_id, issue.project
            )
            remaining, made, transition = split(issue, keys, ledger, context.ids.take(), now_ms, by, parts)
            came = moved(made, Change.SPLIT, f"split off {issue.short_id}", now_ms, by)
            revived = [] if former is None else [former.id]
            followed = [(each.id, made.id) for each in _following(formers, former, keys, issue)]
            reshaped = Reshaped(revived=revived, followed=followed, moved=[(issue.id, made.id, frozenset(keys))])
            returned = self._give_back(remaining, made, former)
            told = self._lines(by, "split", workspace, (issue, made), {"from": issue.short_id, "keys": sorted(keys)})
            await self._store([remaining, made], [transition, came], reshaped, returned, told, ledger)
        return json(await self._issues.whole(made))

    def _give_back(self, remaining: Issue, made: Issue, former: Issue | None) -> list[Incident]:
        """Let the incident that a former issue brought be its own again, as long as it is open; return it."""
        own = None if former is None else former.incident_id
        incident = None if own is None else self._context.pipeline.issues.incidents.get(own)
        if incident is None or remaining.incident_id != own:
            return []
        made.incident_id, remaining.incident_id = own, None
        return [replace(incident, issue_id=made.id)]

    async def _latest(self, issue: Issue, keys: Collection[str], now_ms: int) -> tuple[Facts | None, Facts | None]:
        """Read what the newest kept event of the keys that are taken says, and that of those that remain."""
        newest = await self._context.store.newest_events(issue.id)
        taken = [number for key, number in newest.items() if (key or issue.key) in keys]
        remaining = [number for key, number in newest.items() if (key or issue.key) not in keys]
        return await self._facts(max(taken, default=0), now_ms), await self._facts(max(remaining, default=0), now_ms)

    async def _facts(self, number: int, now_ms: int) -> Facts | None:
        row = await self._context.store.event_by_number(number) if number else None
        return None if row is None else facts_of(from_payload(row["payload"]), now_ms)

    def _lines(
        self, by: str, action: str, workspace: str, issues: Iterable[Issue], after: dict[str, Any]
    ) -> list[AuditEntry]:
        """Say in the log of changes of each issue what was done to all."""
        noted = (Noted(action, ("issue", workspace, each.short_id), None, after) for each in issues)
        return [self._context.registry.line(by, each) for each in noted]

    async def _store(
        self,
        issues: Sequence[Issue],
        transitions: Sequence[Transition],
        reshaped: Reshaped,
        changed: Sequence[Incident],
        audit: Sequence[AuditEntry],
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
            audit=audit,
        )
        await to_the_end(self._keep(writes, reshaped))

    async def _keep(self, writes: IssueWrites, reshaped: Reshaped) -> None:
        """Store changes and know them, both or neither: the batches that follow must not go on with what was before."""
        issues = self._context.pipeline.issues
        await self._context.store.write_issues(writes)
        for incident in writes.incidents:
            issues.follow(incident)
        for gone, _ in reshaped.merged:
            issues.memory.forget(gone.id)
        for ledger in writes.ledgers.values():
            issues.memory.keep_ledger(ledger)
        for issue in writes.issues:
            issues.memory.replace(issue)


def _chosen(given: Split, issue: Issue, formers: Sequence[Issue]) -> tuple[set[str], Issue | None]:
    """Name the grouping keys that are to be split off, and the former issue that they were or are left of. Raises InvalidError."""
    if given.keys is not None:
        keys, own = {*given.keys}, {*issue.keys}
        unknown = [place for place, key in enumerate(given.keys) if key not in own]
        if unknown:
            said = f"is no grouping key of {issue.short_id}"
            raise InvalidError([Problem(f"/keys/{place}", said) for place in unknown])
        exact = [each for each in formers if {*each.keys} == keys]
        left = [each for each in formers if _left(each, issue) == keys]
        return keys, next(iter(exact), None) or max(left, key=lambda each: len([*each.keys]), default=None)
    name = (given.issue or "").upper()
    for former in formers:
        if name in (former.short_id, format_id(ISSUE, former.id).upper()):
            keys = _left(former, issue)
            if not keys:
                raise InvalidError(
                    [Problem("/issue", f"nothing of it is left in {issue.short_id}: its keys were split off")]
                )
            return keys, former
    raise InvalidError([Problem("/issue", f"was not merged into {issue.short_id}")])


def _left(former: Issue, issue: Issue) -> set[str]:
    """Name the keys of a former issue that have not been split off the one into which it was merged."""
    return {*former.keys}.intersection(issue.keys)


def _following(formers: Sequence[Issue], former: Issue | None, keys: set[str], issue: Issue) -> list[Issue]:
    """Name the former issues whose names go with what is split off: those within it, and those of which the rest is."""
    whole = keys if former is None else keys.union(former.keys)
    others = [each for each in formers if each is not former]
    return [
        each for each in others if whole.issuperset(each.keys) or (_left(each, issue) and _left(each, issue) <= keys)
    ]


async def _heard(ended: asyncio.Future[list[Accepted]] | None, issue: Issue) -> None:
    """Wait until incidents are over; where that cannot be stored they are the merged issue's, and end with its quiet."""
    try:
        if ended is not None:
            await ended
    except StoreUnavailableError as error:
        _log.warning("incidents.left_open", issue=issue.short_id, error=str(error))
