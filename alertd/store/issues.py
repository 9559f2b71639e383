"""What issues ask of a store: themselves by their keys, their projects' ledgers, what became of them, open incidents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from alertd.engine.issues.batch import Loaded, Wanted
    from alertd.engine.issues.forgetting import Age, Forgotten
    from alertd.model.change import Change
    from alertd.model.incident import Incident, IncidentKind, IncidentState
    from alertd.model.issue import Issue, IssueKey, ProjectKey, Transition
    from alertd.model.ledger import Ledger
    from alertd.store.resource import AuditEntry


@dataclass(slots=True)
class IssueEvent:
    """An event of an issue that is kept: its grouping key, and in `body` the issue as it then was, where it went out.

    Not frozen only because freezing costs a microsecond an event; nobody changes one.
    """

    event_number: int
    issue_id: int
    body: bytes | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Reshaped:
    """What merging and splitting do beside changing issues.

    Shapes: `merged` are issues that are no more, each with the number of the one that it went into; `revived` are numbers
    of such issues that are there again, `followed` of those that now are part of another one, with its number; `moved` are (from,
    to, grouping keys) of events that are kept; those of a merged issue go with it.
    """

    merged: Sequence[tuple[Issue, int]] = ()
    revived: Sequence[int] = ()
    followed: Sequence[tuple[int, int]] = ()
    moved: Sequence[tuple[int, int, frozenset[str]]] = ()


@dataclass(slots=True)
class IssueWrites:
    """What is to be stored of issues, all of it or nothing.

    `transitions` come with the numbers of what caused them, `changes` with those of the events that told of them, and of
    their workspaces; `audit` says who did it, where a person did.
    """

    issues: Sequence[Issue] = ()
    keys: Mapping[IssueKey, int] = field(default_factory=dict)
    ledgers: Mapping[ProjectKey, Ledger] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    transitions: Sequence[tuple[int, Transition]] = ()
    events: Sequence[IssueEvent] = ()
    changes: Sequence[tuple[int, int, Change]] = ()
    reshaped: Reshaped | None = None
    audit: Sequence[AuditEntry] = ()


@dataclass(frozen=True, slots=True)
class IssueFilter:
    """Which issues, newest first. None: any. `below` continues a page; `states` are their stored numbers."""

    workspace_id: int
    below: int | None = None
    limit: int = 50
    project: str | None = None
    level: str | None = None
    assignee: str | None = None
    states: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents, newest first. None: any, of all workspaces. `below` continues a page."""

    workspace_id: int | None = None
    below: int | None = None
    limit: int = 50
    project: str | None = None
    environment: str | None = None
    kind: IncidentKind | None = None
    states: tuple[IncidentState, ...] | None = None


class IssueStore(Protocol):
    """What the pipeline and the API need of issues."""

    async def read_issues(self, wanted: Wanted, into: Loaded) -> None:
        """Read what is wanted, and note in `into` what was asked for, found or not."""

    async def write_issues(self, writes: IssueWrites) -> None:
        """Store changes outside a commit, in one transaction."""

    async def issues(self, which: IssueFilter) -> list[Issue]:
        """Up to `limit` issues, newest first."""

    async def issue(self, issue_id: int) -> Issue | None:
        """One issue."""

    async def issues_numbered(self, workspace_id: int, projects: Collection[str], number: int) -> list[int]:
        """The ids of the issues with this number in projects with one of these names, in whatever case, oldest first.

        Of one that was merged it is the one into which it was.
        """

    async def merged_into(self, issue_id: int) -> int | None:
        """The id of the issue that one was merged into; None when it was not."""

    async def former_issues(self, issue_id: int) -> list[Issue]:
        """The issues that were merged into one, each as it was before, oldest first."""

    async def change_logs(
        self, projects: Collection[ProjectKey], since_ms: int, limit: int
    ) -> dict[ProjectKey, list[Change]]:
        """The newest `limit` changes of each of some projects since a time, oldest first; those without any are left out."""

    async def forget_changes(self, before_ms: int, limit: int) -> int:
        """Delete up to `limit` of the changes that happened before a time; return how many."""

    async def forget_issues(self, age: Age, behind: int, limit: int) -> Forgotten:
        """Look at the next `limit` issues behind an id that are old enough, and delete those that are over.

        Their keys and transitions go with them, and the issues that were merged into them; events that are kept of them
        go with the history. Of all that were looked at, transitions as old are deleted. Keeps each project's ledger, so that no number is given twice.
        """

    async def forget_incidents(self, age: Age, behind: int, limit: int) -> Forgotten:
        """Look at the next `limit` incidents behind an id that are old enough, and delete those that are past."""

    async def forget_samples(self, limit: int) -> int:
        """Delete up to `limit` entries of samples whose events are no longer there; return how many."""

    async def ledger(self, workspace_id: int, project: str) -> Ledger | None:
        """One project's ledger."""

    async def transitions(self, issue_id: int, limit: int) -> list[tuple[int, Transition]]:
        """The newest transitions of an issue, newest first."""

    async def issue_events(self, issue_id: int, limit: int) -> list[int]:
        """The numbers of the newest events that are kept of an issue, newest first."""

    async def newest_events(self, issue_id: int) -> dict[str, int]:
        """The number of the newest event that is kept of each grouping key of an issue (empty: of whatever it had then)."""

    async def incidents(self, which: IncidentFilter) -> list[Incident]:
        """One page of incidents."""

    async def incident(self, incident_id: int) -> Incident | None:
        """One incident."""
