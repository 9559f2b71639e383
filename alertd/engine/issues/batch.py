"""A batch of issues: what the events of one commit make of them, to be stored with those events or not at all.

It works on copies, so that a batch that was not stored leaves no trace and can be planned again. Each issue is copied
once, however many of the batch's events are its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alertd.engine.issues.admission import ISSUES_PER_HOUR, OVERFLOW_KEY, admits, overflowing
from alertd.engine.issues.facts import facts_of
from alertd.engine.issues.incidents import STANDARD, follow, open_for_issue
from alertd.engine.issues.lifecycle import advance, begin
from alertd.engine.issues.sample import is_kept
from alertd.model.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence

    from alertd.engine.issues.facts import Facts
    from alertd.engine.issues.incidents import IncidentRule
    from alertd.model.change import Change
    from alertd.model.event import Event
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, IssueKey, Transition

ProjectKey = tuple[int, str]
"""(number of the workspace, project)"""


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
    """The settings of weighing: how many issues a project may begin in an hour, and what opens incidents, by project."""

    issues_per_hour: int = ISSUES_PER_HOUR
    incidents: Callable[[str], IncidentRule] = field(default=lambda _project: STANDARD)


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
        self.overflowed = 0
        self._seen: dict[IssueKey, tuple[Issue, Ledger]] = {}

    def weigh(self, event: Event, workspace_id: int, number: int, now_ms: int) -> Weighed | None:
        """Weigh one event, which has the number `number`; None when it bears no issue.

        The number becomes that of the issue and of the incident which it begins.
        """
        facts = facts_of(event, now_ms)
        if facts is None:
            return None
        where = (workspace_id, event.project, facts.key)
        seen = self._seen.get(where)
        if seen is None:
            return self._weigh_first(event, facts, where, number, now_ms)
        issue, ledger = seen
        transition = advance(issue, facts, ledger, now_ms)
        if transition is None:
            return Weighed(issue, None, None, is_kept(issue.count), is_overflow=False)
        return self._changed(issue, transition, event, number, is_overflow=False)

    def _weigh_first(self, event: Event, facts: Facts, where: IssueKey, number: int, now_ms: int) -> Weighed:
        """Weigh an event whose issue this batch has not seen yet."""
        ledger = self._ledger(where[0], where[1])
        issue, facts, is_overflow = self._issue(facts, ledger, now_ms)
        transition: Transition | None
        if issue is None:
            issue, transition = begin(facts, ledger, number, now_ms)
            self.issues[number] = issue
            self.keys[where[0], where[1], facts.key] = number
        else:
            transition = advance(issue, facts, ledger, now_ms)
        if not is_overflow:
            self._seen[where] = (issue, ledger)
        if transition is None:
            return Weighed(issue, None, None, is_kept(issue.count), is_overflow)
        return self._changed(issue, transition, event, number, is_overflow=is_overflow)

    def _changed(
        self, issue: Issue, transition: Transition, event: Event, number: int, *, is_overflow: bool
    ) -> Weighed:
        self.transitions.append((number, transition))
        incident = self._incident(issue, transition, event, number)
        return Weighed(issue, transition, incident, is_kept=True, is_overflow=is_overflow)

    def _ledger(self, workspace_id: int, project: str) -> Ledger:
        where = (workspace_id, project)
        ledger = self.ledgers.get(where)
        if ledger is None:
            known = self._loaded.ledgers.get(where)
            ledger = self.ledgers[where] = Ledger(workspace_id, project) if known is None else known.copy()
        return ledger

    def _issue(self, facts: Facts, ledger: Ledger, now_ms: int) -> tuple[Issue | None, Facts, bool]:
        """Find the issue of an event, None when it begins one; one that may not is the overflow's."""
        where = (ledger.workspace_id, ledger.project, facts.key)
        issue = self._known(where)
        if issue is not None or admits(ledger, now_ms, self._rules.issues_per_hour):
            return issue, facts, False
        self.overflowed += 1
        return self._known((*where[:2], OVERFLOW_KEY)), overflowing(facts), True

    def _known(self, key: IssueKey) -> Issue | None:
        issue_id = self.keys.get(key)
        if issue_id is None:
            issue_id = self._loaded.keys.get(key)
            if issue_id is None:
                return None
        issue = self.issues.get(issue_id)
        if issue is None:
            issue = self.issues[issue_id] = self._loaded.issues[issue_id].copy()
        return issue

    def _incident(self, issue: Issue, transition: Transition, event: Event, number: int) -> Incident | None:
        """Open an incident, or note the transition in the one that is open; return it only when it was opened."""
        trigger = transition.change.trigger
        if trigger is None:
            return None
        incident_id = issue.incident_id
        known = None
        if incident_id is not None:
            known = self.incidents.get(incident_id) or self._loaded.incidents.get(incident_id)
        if known is not None and not known.is_over:
            self.incidents[known.id] = follow(known, issue, transition)
            return None
        if not self._rules.incidents(event.project).opens(trigger, event.environment):
            return None
        log = self._loaded.logs.get((issue.workspace_id, issue.project), ())
        opened = open_for_issue(number, issue, transition, event.environment, event.body["data"], log)
        self.incidents[number] = opened
        issue.incident_id = number
        return opened
