"""What issues ask of a store: themselves by their keys, their projects' ledgers, what became of them, open incidents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.issues.batch import Loaded, ProjectKey, Wanted
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, IssueKey, Transition
    from alertd.model.ledger import Ledger


@dataclass(frozen=True, slots=True)
class IssueEvent:
    """An event of an issue that is kept; `body` is the issue as it then was, where the event went out."""

    event_number: int
    issue_id: int
    body: bytes | None = None


@dataclass(slots=True)
class IssueWrites:
    """What is to be stored of issues, all of it or nothing. `transitions` come with the numbers of what caused them."""

    issues: Sequence[Issue] = ()
    keys: Mapping[IssueKey, int] = field(default_factory=dict)
    ledgers: Mapping[ProjectKey, Ledger] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    transitions: Sequence[tuple[int, Transition]] = ()
    events: Sequence[IssueEvent] = ()


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

    async def issue_number(self, workspace_id: int, project: str, number: int) -> int | None:
        """The id of the issue with this number in a project, whose name may be in any case."""

    async def ledger(self, workspace_id: int, project: str) -> Ledger | None:
        """One project's ledger."""

    async def transitions(self, issue_id: int, limit: int) -> list[tuple[int, Transition]]:
        """The newest transitions of an issue, newest first."""

    async def issue_events(self, issue_id: int, limit: int) -> list[int]:
        """The numbers of the newest events that are kept of an issue, newest first."""

    async def incidents(
        self, workspace_id: int | None, *, is_open: bool | None, below: int | None, limit: int
    ) -> list[Incident]:
        """Up to `limit` incidents, newest first; `workspace_id` None: of all workspaces."""

    async def incident(self, incident_id: int) -> Incident | None:
        """One incident."""
