"""Weighing: what the events of one commit make of issues and incidents, between the pipeline and the engine.

The pipeline asks for what is needed before it plans, weighs each event as it plans it, and keeps the outcome once it is
stored. What people and time do to issues and incidents goes the same way (`alertd.deeds`); merging and splitting take the same
lock, so that neither undoes the other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from alertd.engine.issues.batch import IssueRules, Loaded, Wanted, Weighed
from alertd.engine.issues.change_log import CHANGES_MAX, ChangeLogs, bounded
from alertd.engine.issues.changes import LOOK_BACK_MS, candidates
from alertd.engine.issues.commands import rest
from alertd.engine.issues.document import ISSUE, issue_document
from alertd.engine.issues.incidents import STANDARD, heed, settle
from alertd.engine.issues.news import News, concerns, take
from alertd.engine.issues.suspects import suspects
from alertd.engine.issues.telling import told_of_command, told_of_incident, told_of_issue
from alertd.engine.issues.working_set import WorkingSet
from alertd.engine.plan import Made, undecided
from alertd.model.compact import compact
from alertd.model.ids import format_id
from alertd.model.incident import IncidentState
from alertd.model.verdict import CLOSED
from alertd.store.issues import IncidentFilter, IssueEvent, IssueWrites

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from alertd.engine.issues.batch import IssueBatch
    from alertd.engine.issues.forgetting import Age, Forgotten
    from alertd.engine.issues.incidents import IncidentRule
    from alertd.engine.plan import Plan
    from alertd.engine.ruleset import Ruleset
    from alertd.model.change import Change
    from alertd.model.event import Event
    from alertd.model.incident import Incident, Suspect
    from alertd.model.issue import Issue, ProjectKey, Transition
    from alertd.store.issues import IssueStore
    from alertd.store.resource import AuditEntry

    Concerned = tuple[int, Event]
    """(number of the workspace, an event of it that concerns issues or incidents)"""

LOOK_MS: Final = 60_000
"""How often an open incident is looked at for what time does to it, in milliseconds."""


def concerned(ruleset: Ruleset, events: Iterable[Event]) -> list[Concerned]:
    """Pick the events of known workspaces that have something to say to issues or incidents."""
    known = ruleset.workspaces
    return [(known[e.workspace].id, e) for e in events if (e.facts or concerns(e.body)) and e.workspace in known]


def incident_rules(ruleset: Ruleset) -> Callable[[int], IncidentRule]:
    """Say what opens and ends incidents in a workspace, given its number; one that is gone keeps to the standard."""

    def rule(workspace_id: int) -> IncidentRule:
        own = ruleset.workspaces.get(ruleset.names[workspace_id][2])
        return STANDARD if own is None else own.incidents

    return rule


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person, or time, does to issues and incidents: stored with the events that tell of it, or not at all.

    `act` does it, perhaps more than once until it is stored, and returns the events; `issues` are those that it needs,
    `projects` those whose ledgers it needs.
    """

    act: Callable[[IssuesUnderWay], list[Made]]
    issues: tuple[int, ...] = ()
    projects: tuple[ProjectKey, ...] = ()


class Issues:
    """The issues of this process: those needed lately, open incidents, change logs, and the lock under which they change.

    `link` makes the address of an issue from its outside id.
    """

    def __init__(self, store: IssueStore, link: Callable[[str], str] = lambda issue_id: "") -> None:
        self._store = store
        self._link = link
        self._looked: dict[int, int] = {}
        self.memory = WorkingSet()
        self.logs = ChangeLogs()
        self.incidents: dict[int, Incident] = {}
        self.lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the open incidents."""
        which = IncidentFilter(limit=1000, states=(IncidentState.OPEN, IncidentState.ACKNOWLEDGED))
        while found := await self._store.incidents(which):
            self.incidents.update({incident.id: incident for incident in found})
            which = replace(which, below=found[-1].id)

    async def read(self, events: Sequence[Concerned], deeds: Sequence[Deed], now_ms: int) -> Loaded | None:
        """Read what events and deeds need; None when there are none. Raises StoreUnavailableError."""
        if not events and not deeds:
            return None
        logs = await self._logs({(own, event.project) for own, event in events}, now_ms)
        read = Loaded(incidents=self.incidents, logs=logs)
        for issue_id in {number for deed in deeds for number in deed.issues}:
            if (issue := await self._store.issue(issue_id)) is not None:
                read.issues[issue_id] = issue
        if ledgers := {project for deed in deeds for project in deed.projects}:
            await self._store.read_issues(Wanted(projects=ledgers), read)
        while wanted := self.memory.wanted(events, read):
            await self._store.read_issues(wanted, read)
        return read

    async def log(self, where: ProjectKey, now_ms: int) -> Sequence[Change]:
        """Return a project's change log, oldest first. Raises StoreUnavailableError."""
        return (await self._logs((where,), now_ms))[where]

    async def _logs(self, places: Collection[ProjectKey], now_ms: int) -> dict[ProjectKey, Sequence[Change]]:
        """Return the change logs of projects, reading all together those that are not in memory."""
        found = {where: log for where in places if (log := self.logs.get(where)) is not None}
        missing = [where for where in places if where not in found]
        if missing:
            read = await self._store.change_logs(missing, now_ms - LOOK_BACK_MS, CHANGES_MAX)
            for where in missing:
                known = self.logs.get(where)  # what a batch has kept meanwhile is the newer
                found[where] = bounded(read.get(where, [])) if known is None else known
                self.logs.keep(where, found[where])
        return found

    async def foresee(self, event: Event, ruleset: Ruleset, number: int, now_ms: int) -> list[Made]:
        """Give an event the trigger and issue that it would have now; return what would tell of it. Raises StoreUnavailableError."""
        if not (events := concerned(ruleset, [event])):
            return []
        async with self.lock:
            foreseen = self.begin(await self.read(events, (), now_ms) or Loaded(), ruleset, now_ms)
            try:
                found = foreseen.weigh(event, events[0][0], number)
                return [] if found is None else foreseen.planned(found, undecided(event, number, events[0][0]))
            finally:
                self.discard(foreseen)

    def begin(self, read: Loaded, ruleset: Ruleset, now_ms: int) -> IssuesUnderWay:
        """Begin a batch."""
        rules = IssueRules(incidents=incident_rules(ruleset))
        return IssuesUnderWay(self.memory.begin(read, rules), ruleset, now_ms, self.url)

    def keep(self, batch: IssuesUnderWay) -> None:
        """Take note that a batch was stored."""
        self.memory.keep(batch.issues)
        for where, log in batch.issues.logs.items():
            self.logs.keep(where, log)
        for incident in batch.issues.incidents.values():
            self.follow(incident)

    def discard(self, batch: IssuesUnderWay) -> None:
        """Take note that a batch was not stored: what it has changed is read again when it is needed."""
        self.memory.discard(batch.issues)

    def follow(self, incident: Incident) -> None:
        """Take note that an incident was stored."""
        if incident.is_over:
            self.incidents.pop(incident.id, None)
            self._looked.pop(incident.id, None)
        else:
            self.incidents[incident.id] = incident

    async def resting(self, ruleset: Ruleset, now_ms: int) -> list[Incident]:
        """Name the open incidents to which time alone does something now. Raises StoreUnavailableError."""
        found, rules = [], incident_rules(ruleset)
        for incident in [*self.incidents.values()]:
            if now_ms - self._looked.get(incident.id, 0) < LOOK_MS:
                continue
            self._looked[incident.id] = now_ms
            issue = None if incident.issue_id is None else await self._store.issue(incident.issue_id)
            rested = None if issue is None else rest(issue, now_ms)
            if rested is not issue or settle(incident, rested, now_ms, rules(incident.workspace_id)) is not None:
                found.append(incident)
        return found

    async def forget(self, age: Age, behind: int, limit: int) -> Forgotten:
        """Forget those of the next `limit` issues behind an id that are over. Raises StoreUnavailableError."""
        async with self.lock:
            forgotten = await self._store.forget_issues(age, behind, limit)
            for issue_id in forgotten.ids:
                self.memory.forget(issue_id)
            for project in forgotten.emptied:
                self.memory.forget_ledger(project)
        return forgotten

    def url(self, issue_id: int) -> str:
        """Return an issue's address."""
        return self._link(format_id(ISSUE, issue_id))


class IssuesUnderWay:
    """The issues of one batch."""

    def __init__(self, issues: IssueBatch, ruleset: Ruleset, now_ms: int, url: Callable[[int], str]) -> None:
        self.issues = issues
        self.rules = incident_rules(ruleset)
        self._ruleset = ruleset
        self._now_ms = now_ms
        self._url = url
        self._events: list[IssueEvent] = []
        self.audit: list[AuditEntry] = []

    @property
    def now_ms(self) -> int:
        """The time of the batch."""
        return self._now_ms

    def weigh(self, event: Event, workspace_id: int, number: int) -> Weighed | News | None:
        """Weigh an event and give it the trigger of what it caused; before it is planned."""
        found: Weighed | News | None = self.issues.weigh(event, workspace_id, number, self._now_ms)
        if found is None and concerns(event.body):
            found = take(self.issues, event, workspace_id, number, self._now_ms)
        event.trigger = None
        if found is not None:
            if found.transition is not None:
                event.trigger = found.transition.change.trigger
            if found.issue is not None:
                event.group = found.issue.key
        return found

    def planned(self, found: Weighed | News, plan: Plan) -> list[Made]:
        """Take note of the event's plan: its deliveries carry the issue; return the events that tell of what came of it."""
        if found.transition is None and not plan.deliveries and isinstance(found, Weighed) and not found.is_kept:
            plan.is_thinned = _is_done(plan)
            return []  # one of many, of which nobody is told
        issue, event, document = found.issue, plan.event, None
        if issue is not None and plan.deliveries:
            document = compact(orjson.dumps(self._document(issue, found.transition, event)))
            for delivery in plan.deliveries:
                delivery.issue = document
        weighed = None if isinstance(found, News) else found
        if issue is not None and (document is not None or (weighed is not None and weighed.is_kept)):
            self._events.append(IssueEvent(plan.number, issue.id, document, event.key))
        if weighed is not None and weighed.transition is None:  # one of many: nobody is told
            return []
        opened = found.opened if isinstance(found, News) else (found.incident,)
        made = [self.tell("opened", each, event.body.get("data") or {}) for each in opened if each is not None]
        if isinstance(found, News) and found.ended is not None:
            made.append(self.tell("resolved", found.ended))
        if issue is not None and found.transition is not None:
            made.append(self._told(issue, found.transition, event))
        return [each for each in made if each is not None]

    def tell(
        self, what: Literal["opened", "resolved"], incident: Incident, data: Mapping[str, Any] = MappingProxyType({})
    ) -> Made | None:
        """Make `incident.opened` or `incident.resolved`, where a channel asks for it."""
        workspace = self._ruleset.names[incident.workspace_id][2]
        if not self._is_heard(workspace, f"incident.{what}", incident.project, incident.environment):
            return None
        issue = None if incident.issue_id is None else self.issues.look(incident.issue_id)
        if issue is not None and what == "resolved" and issue.incident_id not in (None, incident.id):
            issue = None  # it was merged into one whose own incident goes on: nothing is said of that
        document = None if issue is None else issue_document(issue, self._now_ms, self._url(issue.id), incident)
        return Made(told_of_incident(what, incident, workspace, self._now_ms, data, document))

    def commanded(self, issue: Issue, transition: Transition, environment: str) -> list[Made]:
        """Take note of what a person made of an issue of the batch; return the events that tell of what came of it.

        Told is what alerts (`issue.unmuted`); with the issue its incident is resolved, and that is told too.
        """
        incident = None if issue.incident_id is None else self.issues.incident(issue.incident_id)
        made = []
        if incident is not None and not incident.is_over:
            heeded = self.issues.incidents[incident.id] = heed(incident, issue, transition)
            if heeded.is_over:
                issue.incident_id = None
                made.append(self.tell("resolved", heeded))
        workspace = self._ruleset.names[issue.workspace_id][2]
        kind = f"issue.{transition.change.word}"
        if transition.change.trigger is not None and self._is_heard(workspace, kind, issue.project, environment):
            document = issue_document(issue, self._now_ms, self._url(issue.id), incident)
            made.append(Made(told_of_command(issue, transition, workspace, environment, document)))
        return [each for each in made if each is not None]

    def _told(self, issue: Issue, transition: Transition, event: Event) -> Made | None:
        """Make `issue.new` and its like, where a channel asks for transitions."""
        place = issue.place(event.environment)
        if not self._is_heard(event.workspace, f"issue.{transition.change.word}", event.project, place):
            return None
        return Made(told_of_issue(event, issue, transition, self._document(issue, transition, event)))

    def _is_heard(self, workspace: str, kind: str, project: str, environment: str) -> bool:
        rules = self._ruleset.workspaces.get(workspace)
        return rules is not None and bool(rules.scope(kind, project, environment).candidates)

    def _document(self, issue: Issue, transition: Transition | None, event: Event) -> dict[str, Any]:
        """Write the issue with the suspects of its incident; without one, those of what has just become of it."""
        incident = None if issue.incident_id is None else self.issues.incident(issue.incident_id)
        suspected: Iterable[Suspect] = ()
        if incident is None and transition is not None and (log := self.issues.log(issue.workspace_id, issue.project)):
            now_ms = self._now_ms
            suspected = suspects(event.body["data"], candidates(log, now_ms, event.environment), now_ms)
        return issue_document(issue, self._now_ms, self._url(issue.id), incident, suspected)

    def writes(self) -> IssueWrites:
        """Say what is to be stored with the events."""
        issues = self.issues
        return IssueWrites(
            list(issues.issues.values()),
            issues.keys,
            issues.changed_ledgers(),
            list(issues.incidents.values()),
            issues.transitions,
            self._events,
            issues.changes,
            audit=self.audit,
        )


def _is_done(plan: Plan) -> bool:
    """Whether nobody will ask for all of an event that goes out to nobody: it was not to go out, and nothing comes of it."""
    if plan.makes or (plan.changes is not None and plan.changes.series):
        return False
    return not any(verdict.code in CLOSED or verdict.destinations for verdict in plan.verdicts)
