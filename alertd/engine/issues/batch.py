"""A batch of issues: what the events of one commit make of them, to be stored with those events or not at all.

It changes the issues that it was given, and nobody else has them meanwhile: those of a batch that was not stored are
forgotten and read again (`IssueMemory.discard`), for copying each costs more than weighing its event. Ledgers,
of which a batch has few, are copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from alertd.engine.issues.admission import (
    ISSUES_PER_HOUR,
    NO_PROJECT,
    OVERFLOW_KEY,
    WHOLE,
    admits_in,
    admits_project,
    overflowing,
)
from alertd.engine.issues.change_log import added
from alertd.engine.issues.changes import news_within
from alertd.engine.issues.facts import facts_of
from alertd.engine.issues.incidents import OPEN_MAX, STANDARD, follow, open_for_issue
from alertd.engine.issues.lifecycle import advance, begin
from alertd.engine.issues.sample import is_kept
from alertd.model.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence

    from alertd.engine.issues.facts import Facts
    from alertd.engine.issues.incidents import IncidentRule
    from alertd.model.change import Change
    from alertd.model.event import Event
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, IssueKey, ProjectKey, Transition
    from alertd.model.subscription import Trigger


_NONE: Final = -1  # no issue's id


@dataclass(slots=True)
class Wanted:
    """What a batch needs of the store: issues by their keys, ledgers by their projects. False when that is nothing."""

    keys: set[IssueKey] = field(default_factory=set)
    projects: set[ProjectKey] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.keys or self.projects)


@dataclass(slots=True)
class Loaded:
    """What a batch knows beforehand: of the keys that were `asked` for the issues that exist, and the ledgers.

    Shapes: `issues` are by id, `keys` say whose each grouping key is (from a store: of every key that an issue has);
    `incidents` are the open ones by id; `logs` are the change logs, oldest first.
    """

    asked: Wanted = field(default_factory=Wanted)
    issues: MutableMapping[int, Issue] = field(default_factory=dict)
    keys: MutableMapping[IssueKey, int] = field(default_factory=dict)
    ledgers: MutableMapping[ProjectKey, Ledger] = field(default_factory=dict)
    incidents: Mapping[int, Incident] = field(default_factory=dict)
    logs: Mapping[ProjectKey, Sequence[Change]] = field(default_factory=dict)


@dataclass(slots=True)
class Weighed:
    """What became of one event: the issue as it then was, its transition if any, and the incident that it opened.

    `is_kept` says whether the event is one of the sample; `is_overflow` that it was not told apart from others.
    """

    issue: Issue
    transition: Transition | None
    incident: Incident | None
    is_kept: bool
    is_overflow: bool


@dataclass(slots=True)
class IssueRules:
    """The settings of weighing: how many issues a project may begin in an hour, and what opens incidents, by workspace."""

    issues_per_hour: int = ISSUES_PER_HOUR
    incidents: Callable[[int], IncidentRule] = field(default=lambda _workspace_id: STANDARD)


class IssueBatch:
    """The issues, ledgers and incidents that one batch changed, and what was new in it."""

    def __init__(self, loaded: Loaded, rules: IssueRules | None = None) -> None:
        self._loaded = loaded
        self._rules = rules or IssueRules()
        self.issues: dict[int, Issue] = {}
        self.keys: dict[IssueKey, int] = {}
        self.ledgers: dict[ProjectKey, Ledger] = {}
        self.incidents: dict[int, Incident] = {}
        self.transitions: list[tuple[int, Transition]] = []
        """(number of the event, transition) in order"""
        self.changes: list[tuple[int, int, Change]] = []
        """(number of the event, number of the workspace, change) in order"""
        self.logs: dict[ProjectKey, Sequence[Change]] = {}
        """The change logs to which something was added, as they then are."""
        self.overflowed = 0
        self.opened: list[Incident] = []
        """The incidents that were opened, as they were then."""
        self.unopened = 0
        """How many incidents were not opened because too many are open."""
        self._seen: dict[int, tuple[Issue, Ledger, Weighed | None]] = {}
        """Issues whose events came already, and what is said of one more to which nothing happens"""
        self._open: dict[int, int] = {}
        """How many incidents are open, by workspace, where any was to be opened"""

    def weigh(self, event: Event, workspace_id: int, number: int, now_ms: int) -> Weighed | None:
        """Weigh one event, which has the number `number`; None when it bears no issue.

        The number becomes that of the issue and of the incident which it begins.
        """
        facts = facts_of(event, now_ms)
        if facts is None:
            return None
        where = (workspace_id, event.project, facts.key)
        issue_id = self._loaded.keys.get(where)
        if issue_id is None:
            issue_id = self.keys.get(where, _NONE)
        seen = self._seen.get(issue_id)
        if seen is None:
            return self._weigh_first(event, facts, where, issue_id, number, now_ms)
        issue, ledger, usual = seen
        transition = advance(issue, facts, ledger, now_ms)
        if transition is not None:
            return self._changed(issue, transition, event, number, is_overflow=False)
        if _is_kept(issue, facts):
            return Weighed(issue, None, None, is_kept=True, is_overflow=False)
        if usual is None:
            usual = Weighed(issue, None, None, is_kept=False, is_overflow=False)
            self._seen[issue_id] = (issue, ledger, usual)
        return usual

    def _weigh_first(
        self, event: Event, facts: Facts, where: IssueKey, issue_id: int, number: int, now_ms: int
    ) -> Weighed:
        """Weigh an event whose issue this batch has not seen yet."""
        ledger, issue = self.ledgers.get(where[:2]), self.issue(issue_id)
        if ledger is None or issue is None:
            return self._weigh_strange(event, facts, where, number, now_ms)
        transition = advance(issue, facts, ledger, now_ms)
        if transition is not None:
            self._seen[issue_id] = (issue, ledger, None)
            return self._changed(issue, transition, event, number, is_overflow=False)
        found = Weighed(issue, None, None, _is_kept(issue, facts), False)
        self._seen[issue_id] = (issue, ledger, None if found.is_kept else found)
        return found

    def _weigh_strange(self, event: Event, facts: Facts, where: IssueKey, number: int, now_ms: int) -> Weighed:
        """Weigh an event whose issue is not known, or whose project this batch has not seen yet."""
        is_taken = self.takes_project(where[0], where[1])
        ledger = self.ledger(where[0], where[1] if is_taken else NO_PROJECT)
        issue, facts, is_overflow = self._issue(facts, ledger, now_ms, is_taken=is_taken)
        transition: Transition | None
        if issue is None:
            issue, transition = self._begin(facts, ledger, number, now_ms)
        else:
            transition = advance(issue, facts, ledger, now_ms)
        if not is_overflow:
            self._seen[issue.id] = (issue, ledger, None)
        if transition is None:
            return Weighed(issue, None, None, _is_kept(issue, facts), is_overflow)
        return self._changed(issue, transition, event, number, is_overflow=is_overflow)

    def _changed(
        self, issue: Issue, transition: Transition, event: Event, number: int, *, is_overflow: bool
    ) -> Weighed:
        self.transitions.append((number, transition))
        incident = self.incident_for(issue, transition, event, number)
        return Weighed(issue, transition, incident, is_kept=True, is_overflow=is_overflow)

    def begin(self, facts: Facts, workspace_id: int, project: str, number: int, now_ms: int) -> Issue | None:
        """Begin an issue of which others say that it is; None where it is known, or may not begin."""
        if not self.takes_project(workspace_id, project):
            return None
        ledger = self.ledger(workspace_id, project)
        known, _, is_overflow = self._issue(facts, ledger, now_ms, is_taken=True)
        return None if is_overflow or known is not None else self._begin(facts, ledger, number, now_ms)[0]

    def _begin(self, facts: Facts, ledger: Ledger, number: int, now_ms: int) -> tuple[Issue, Transition]:
        issue, transition = begin(facts, ledger, number, now_ms)
        self.issues[number] = issue
        self.keys[ledger.workspace_id, ledger.project, facts.key] = number
        return issue, transition

    def ledger(self, workspace_id: int, project: str) -> Ledger:
        """Return a project's ledger, to be changed."""
        where = (workspace_id, project)
        ledger = self.ledgers.get(where)
        if ledger is None:
            known = self._loaded.ledgers.get(where)
            ledger = self.ledgers[where] = Ledger(workspace_id, project) if known is None else known.copy()
        return ledger

    def takes_project(self, workspace_id: int, project: str) -> bool:
        """Tell whether a project is known, or is taken now; False when its workspace has too many."""
        where = (workspace_id, project)
        if project == NO_PROJECT or where in self.ledgers or where in self._loaded.ledgers:
            return True
        return admits_project(self.ledger(workspace_id, WHOLE))

    def changed_ledgers(self) -> dict[ProjectKey, Ledger]:
        """Return the ledgers that are not as they were."""
        known = self._loaded.ledgers
        return {where: ledger for where, ledger in self.ledgers.items() if ledger != known.get(where)}

    def _issue(self, facts: Facts, ledger: Ledger, now_ms: int, *, is_taken: bool) -> tuple[Issue | None, Facts, bool]:
        """Find the issue of an event, None when it begins one; one that may not is the overflow's."""
        where = (ledger.workspace_id, ledger.project, facts.key)
        if is_taken:
            issue = self.known(where)
            if issue is not None:
                return issue, facts, False
            whole = self.ledger(ledger.workspace_id, WHOLE)
            if admits_in(whole, ledger, now_ms, self._rules.issues_per_hour):
                return None, facts, False
        self.overflowed += 1
        return self.known((*where[:2], OVERFLOW_KEY)), overflowing(facts), True

    def known(self, key: IssueKey) -> Issue | None:
        """Return the issue that a key belongs to, to be changed; None when it is not known."""
        issue_id = self.keys.get(key)
        if issue_id is None:
            issue_id = self._loaded.keys.get(key)
            if issue_id is None:
                return None
        return self.issue(issue_id)

    def issue(self, issue_id: int) -> Issue | None:
        """Return an issue by its id, to be changed; None when it was not read."""
        issue = self.issues.get(issue_id)
        if issue is None:
            issue = self._loaded.issues.get(issue_id)
            if issue is not None:
                self.issues[issue_id] = issue
        return issue

    def look(self, issue_id: int) -> Issue | None:
        """Return an issue by its id as it now is, not to be changed; None when it was not read."""
        return self.issues.get(issue_id) or self._loaded.issues.get(issue_id)

    def put(self, issue: Issue) -> None:
        """Take an issue of the batch as it now is, in place of what was handed out to be changed."""
        self.issues[issue.id] = issue
        self._seen.pop(issue.id, None)

    def incident(self, incident_id: int) -> Incident | None:
        """Return an incident that is open, or was when the batch began, as it now is."""
        return self.incidents.get(incident_id) or self._loaded.incidents.get(incident_id)

    def open_incidents(self, workspace_id: int, project: str) -> Iterator[Incident]:
        """Give a project's open incidents as they now are."""
        for incident in ({**self._loaded.incidents, **self.incidents}).values():
            if (incident.workspace_id, incident.project) == (workspace_id, project) and not incident.is_over:
                yield incident

    def open(self, incident: Incident) -> Incident | None:
        """Take a new incident; None when too many are open in its workspace."""
        if not incident.is_over:
            own = incident.workspace_id
            count = self._open.get(own)
            if count is None:
                count = sum(each.workspace_id == own for each in self._loaded.incidents.values())
            if count >= OPEN_MAX:
                self.unopened += 1
                return None
            self._open[own] = count + 1
        self.opened.append(incident)
        self.incidents[incident.id] = incident
        return incident

    def log(self, workspace_id: int, project: str) -> Sequence[Change]:
        """Return a project's change log, oldest first."""
        where = (workspace_id, project)
        own = self.logs.get(where)
        return self._loaded.logs.get(where, ()) if own is None else own

    def note_change(self, number: int, workspace_id: int, change: Change, now_ms: int) -> None:
        """Add to a project's change log what the event with this number tells."""
        self.changes.append((number, workspace_id, change))
        log = self.log(workspace_id, change.project)
        self.logs[workspace_id, change.project] = added(log, change, now_ms)

    def incident_for(self, issue: Issue, transition: Transition, event: Event, number: int) -> Incident | None:
        """Open an incident, or note the transition in the one that is open; return it only when it was opened.

        What names no environment, as a webhook about an issue does, is where the issue was seen, when that is one place.
        """
        trigger = transition.change.trigger
        if trigger is None:
            return None
        known = None if issue.incident_id is None else self.incident(issue.incident_id)
        if known is not None and not known.is_over:
            self.incidents[known.id] = follow(known, issue, transition)
            return None
        log, environment = self.log(issue.workspace_id, issue.project), issue.place(event.environment)
        if not self._opens(trigger, issue.workspace_id, environment, log, transition.at_ms):
            return None
        opened = open_for_issue(number, issue, transition, environment, event.body["data"], log)
        taken = self.open(replace(opened, severity=event.severity.word))
        if taken is not None:
            issue.incident_id = number
        return taken

    def _opens(self, trigger: Trigger, workspace_id: int, environment: str, log: Sequence[Change], now_ms: int) -> bool:
        """Tell whether a transition opens an incident: where the rule says so, and shortly after something went live."""
        rule = self._rules.incidents(workspace_id)
        if rule.opens(trigger, environment):
            return True
        if trigger == "unmuted" or not log or not rule.follows_ms:
            return False
        return news_within(log, now_ms, environment, rule.follows_ms) is not None


def _is_kept(issue: Issue, facts: Facts) -> bool:
    """Tell whether an event is one of the sample: that of its own grouping key, which may be split off again."""
    return is_kept(issue.count if issue.shares is None else issue.shares[facts.key].events)
