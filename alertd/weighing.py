"""Weighing: what the events of one commit make of issues, between the pipeline and the engine.

The pipeline asks for what is needed before it plans, weighs each event as it plans it, and keeps the outcome once it is
stored. Commands of people on issues take the same lock, so that neither undoes the other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from alertd.engine.issues.batch import Loaded
from alertd.engine.issues.document import ISSUE, issue_document
from alertd.engine.issues.facts import bears_issue
from alertd.engine.issues.incidents import STANDARD, settle
from alertd.engine.issues.working_set import WorkingSet
from alertd.engine.plan import Made
from alertd.model.event import from_payload
from alertd.model.ids import format_id
from alertd.store.issues import IssueEvent, IssueWrites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from alertd.engine.issues.batch import IssueBatch, Weighed
    from alertd.engine.plan import Plan
    from alertd.engine.ruleset import Ruleset
    from alertd.model.event import Event
    from alertd.model.incident import Incident
    from alertd.store.issues import IssueStore

    Bearing = tuple[int, Event]
    """(number of the workspace, an event of it that bears an issue)"""


def bearing(ruleset: Ruleset, events: Iterable[Event]) -> list[Bearing]:
    """Pick the events that bear issues."""
    return [(ruleset.workspaces[event.workspace].id, event) for event in events if bears_issue(event.body)]


class Issues:
    """The issues of this process: those needed lately, open incidents, and the lock under which they change.

    `link` makes the address of an issue from its outside id.
    """

    def __init__(self, store: IssueStore, link: Callable[[str], str] = lambda issue_id: "") -> None:
        self._store = store
        self._link = link
        self.memory = WorkingSet()
        self.incidents: dict[int, Incident] = {}
        self.lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the open incidents."""
        below = None
        while found := await self._store.incidents(None, is_open=True, below=below, limit=1000):
            self.incidents.update({incident.id: incident for incident in found})
            below = found[-1].id

    async def read(self, bearing: Sequence[Bearing]) -> Loaded | None:
        """Read what events need that bear issues; None when there are none. Raises StoreUnavailableError."""
        if not bearing:
            return None
        read = Loaded(incidents=self.incidents)
        while wanted := self.memory.wanted(bearing, read):
            await self._store.read_issues(wanted, read)
        return read

    def begin(self, read: Loaded, ruleset: Ruleset, now_ms: int) -> IssuesUnderWay:
        """Begin a batch."""
        return IssuesUnderWay(self.memory.begin(read), ruleset, now_ms, self.url)

    def keep(self, batch: IssuesUnderWay) -> None:
        """Take note that a batch was stored."""
        self.memory.keep(batch.issues)
        for incident in batch.issues.incidents.values():
            self.follow(incident)

    def follow(self, incident: Incident) -> None:
        """Take note that an incident was stored."""
        if incident.is_over:
            self.incidents.pop(incident.id, None)
        else:
            self.incidents[incident.id] = incident

    async def settle(self, now_ms: int) -> None:
        """Resolve the incidents that have become quiet. Raises StoreUnavailableError."""
        quiet = [n for n in self.incidents.values() if now_ms - n.last_event_ms >= STANDARD.quiet_ms]
        for incident in quiet:
            async with self.lock:
                known = self.incidents.get(incident.id)
                issue = None if incident.issue_id is None else await self._store.issue(incident.issue_id)
                settled = None if known is None else settle(known, issue, now_ms)
                if settled is not None:
                    await self._store.write_issues(IssueWrites(incidents=[settled]))
                    self.follow(settled)

    def url(self, issue_id: int) -> str:
        """Return an issue's address."""
        return self._link(format_id(ISSUE, issue_id))


class IssuesUnderWay:
    """The issues of one batch."""

    def __init__(self, issues: IssueBatch, ruleset: Ruleset, now_ms: int, url: Callable[[int], str]) -> None:
        self.issues = issues
        self._ruleset = ruleset
        self._now_ms = now_ms
        self._url = url
        self._events: list[IssueEvent] = []

    def weigh(self, event: Event, workspace_id: int, number: int) -> Weighed | None:
        """Weigh an event and give it the trigger of what it caused; before it is planned."""
        weighed = self.issues.weigh(event, workspace_id, number, self._now_ms)
        transition = weighed.transition if weighed else None
        event.trigger = transition.change.trigger if transition else None
        return weighed

    def planned(self, weighed: Weighed, plan: Plan) -> list[Made]:
        """Take note of the event's plan: its deliveries carry the issue; return the event that tells of a transition."""
        issue = weighed.issue
        document = None
        if plan.deliveries:
            incident = self._incident(weighed)
            document = orjson.dumps(issue_document(issue, self._now_ms, self._url(issue.id), incident))
            for delivery in plan.deliveries:
                delivery.issue = document
        if weighed.is_kept or document is not None:
            self._events.append(IssueEvent(plan.number, issue.id, document))
        return self._made(weighed, plan.event)

    def _incident(self, weighed: Weighed) -> Incident | None:
        number = weighed.issue.incident_id
        return weighed.incident or (self.issues.incidents.get(number) if number is not None else None)

    def _made(self, weighed: Weighed, event: Event) -> list[Made]:
        """Make `issue.new` and its like, where a channel asks for transitions."""
        transition = weighed.transition
        if transition is None:
            return []
        kind = f"issue.{transition.change.word}"
        scope = self._ruleset.workspaces[event.workspace].scope(kind, event.project, event.environment)
        if not scope.candidates:
            return []
        issue = weighed.issue
        body = {
            "type": kind,
            "id": f"{event.id[:200]}:{kind}",
            "workspace": event.workspace,
            "project": event.project,
            "environment": event.environment,
            "source": "alertd",
            "severity": event.severity.word,
            "time": event.time,
            "key": event.key,
            "message": f"{issue.short_id} {issue.title}: {transition.why}",
            "data": {"issue": issue_document(issue, self._now_ms, self._url(issue.id), self._incident(weighed))},
        }
        said = {name: value for name, value in body.items() if value}
        return [Made(from_payload(orjson.dumps(said)))]

    def writes(self) -> IssueWrites:
        """Say what is to be stored with the events."""
        issues = self.issues
        return IssueWrites(
            list(issues.issues.values()),
            issues.keys,
            issues.ledgers,
            list(issues.incidents.values()),
            issues.transitions,
            self._events,
        )
