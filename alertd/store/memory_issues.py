"""Issues, in memory; kept in their stored form, so that nobody changes what is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alertd.engine.issues.stored import decode_issue, decode_ledger, encode_issue, encode_ledger
from alertd.store.memory_resources import MemoryResources

if TYPE_CHECKING:
    from collections.abc import Collection

    from alertd.engine.issues.batch import Loaded, Wanted
    from alertd.model.change import Change
    from alertd.model.incident import Incident
    from alertd.model.issue import Issue, IssueKey, ProjectKey, Transition
    from alertd.model.ledger import Ledger
    from alertd.store.issues import IncidentFilter, IssueEvent, IssueFilter, IssueWrites, Reshaped


class MemoryIssues(MemoryResources):
    """What the pipeline and the API ask."""

    def __init__(self) -> None:
        super().__init__()
        self._issues: dict[int, bytes] = {}
        self._issue_keys: dict[IssueKey, int] = {}
        self._ledgers: dict[ProjectKey, bytes] = {}
        self._incidents: dict[int, Incident] = {}
        self._transitions: list[tuple[int, Transition]] = []
        self._issue_events: dict[int, IssueEvent] = {}
        self._formers: dict[int, tuple[int, bytes]] = {}
        self._changes: dict[int, tuple[int, Change]] = {}

    def _take_issues(self, writes: IssueWrites) -> None:
        if writes.reshaped is not None:
            self._reshape(writes.reshaped)
        self._issues.update({issue.id: encode_issue(issue) for issue in writes.issues})
        self._issue_keys.update(writes.keys)
        self._ledgers.update({key: encode_ledger(ledger) for key, ledger in writes.ledgers.items()})
        self._incidents.update({incident.id: incident for incident in writes.incidents})
        self._transitions += writes.transitions
        self._issue_events.update({event.event_number: event for event in writes.events})
        self._changes.update({number: (own, each) for number, own, each in writes.changes})
        self._audit += writes.audit

    def _reshape(self, reshaped: Reshaped) -> None:
        for issue, into in reshaped.merged:
            for number, (before, stored) in list(self._formers.items()):
                if before == issue.id:
                    self._formers[number] = (into, stored)
            self._formers[issue.id] = (into, encode_issue(issue))
            del self._issues[issue.id]
            own = issue.key if issue.shares is None else ""
            self._move(issue.id, into, None, own)
        for number in reshaped.revived:
            self._formers.pop(number, None)
        for number, into in reshaped.followed:
            self._formers[number] = (into, self._formers[number][1])
        for before, after, keys in reshaped.moved:
            self._move(before, after, keys)

    def _move(self, before: int, after: int, keys: frozenset[str] | None, own: str = "") -> None:
        for number, event in self._issue_events.items():
            if event.issue_id == before and (keys is None or event.key in keys):
                self._issue_events[number] = replace(event, issue_id=after, key=event.key or own)

    async def read_issues(self, wanted: Wanted, into: Loaded) -> None:
        """Read what is wanted."""
        for key in wanted.keys:
            issue_id = self._issue_keys.get(key)
            if issue_id is not None:
                issue = decode_issue(self._issues[issue_id])
                into.issues[issue_id] = issue
                into.keys.update({(issue.workspace_id, issue.project, own): issue_id for own in issue.keys})
        for project in wanted.projects:
            if project in self._ledgers:
                into.ledgers[project] = decode_ledger(self._ledgers[project])
        into.asked.keys |= wanted.keys
        into.asked.projects |= wanted.projects

    async def write_issues(self, writes: IssueWrites) -> None:
        """Store changes outside a commit."""
        self._write()
        self._take_issues(writes)

    async def issues(self, which: IssueFilter) -> list[Issue]:
        """Up to `limit` issues, newest first."""
        found = [decode_issue(self._issues[n]) for n in sorted(self._issues, reverse=True)]
        return [issue for issue in found if _fits(issue, which)][: which.limit]

    async def issue(self, issue_id: int) -> Issue | None:
        """One issue."""
        stored = self._issues.get(issue_id)
        return None if stored is None else decode_issue(stored)

    async def issues_numbered(self, workspace_id: int, projects: Collection[str], number: int) -> list[int]:
        """The ids of the issues with this number in projects with one of these names."""
        wanted = {(workspace_id, project.lower(), number) for project in projects}
        every = [*self._issues.items(), *self._formers.values()]
        found = {issue_id for issue_id, stored in every if _short(decode_issue(stored)) in wanted}
        return sorted(found)

    async def merged_into(self, issue_id: int) -> int | None:
        """The id of the issue that one was merged into."""
        known = self._formers.get(issue_id)
        return None if known is None else known[0]

    async def former_issues(self, issue_id: int) -> list[Issue]:
        """The issues that were merged into one."""
        return [decode_issue(stored) for _, (into, stored) in sorted(self._formers.items()) if into == issue_id]

    async def change_logs(
        self, projects: Collection[ProjectKey], since_ms: int, limit: int
    ) -> dict[ProjectKey, list[Change]]:
        """The newest changes of each project, oldest first."""
        found: dict[ProjectKey, list[Change]] = {}
        for own, each in sorted(self._changes.values(), key=lambda told: told[1].at_ms):
            if (own, each.project) in projects and each.at_ms >= since_ms:
                found.setdefault((own, each.project), []).append(each)
        return {project: log[-limit:] for project, log in found.items()}

    async def ledger(self, workspace_id: int, project: str) -> Ledger | None:
        """One project's ledger."""
        stored = self._ledgers.get((workspace_id, project))
        return None if stored is None else decode_ledger(stored)

    async def transitions(self, issue_id: int, limit: int) -> list[tuple[int, Transition]]:
        """The newest transitions of an issue."""
        own = [each for each in self._transitions if each[1].issue_id == issue_id]
        return sorted(own, key=lambda each: each[0], reverse=True)[:limit]

    async def issue_events(self, issue_id: int, limit: int) -> list[int]:
        """The numbers of the newest events that are kept of an issue."""
        own = (number for number, event in self._issue_events.items() if event.issue_id == issue_id)
        return sorted(own, reverse=True)[:limit]

    async def newest_events(self, issue_id: int) -> dict[str, int]:
        """The newest event that is kept of each grouping key."""
        return {e.key: number for number, e in sorted(self._issue_events.items()) if e.issue_id == issue_id}

    async def incidents(self, which: IncidentFilter) -> list[Incident]:
        """One page of incidents."""
        newest = sorted(self._incidents.items(), reverse=True)
        return [incident for _, incident in newest if _is_of(incident, which)][: which.limit]

    async def incident(self, incident_id: int) -> Incident | None:
        """One incident."""
        return self._incidents.get(incident_id)


def _short(issue: Issue) -> tuple[int, str, int]:
    """What names an issue for people."""
    return issue.workspace_id, issue.project.lower(), issue.number


def _is_of(incident: Incident, which: IncidentFilter) -> bool:
    return (
        which.workspace_id in (None, incident.workspace_id)
        and (which.below is None or incident.id < which.below)
        and which.project in (None, incident.project)
        and which.environment in (None, incident.environment)
        and which.kind in (None, incident.kind)
        and (which.states is None or incident.state in which.states)
    )


def _fits(issue: Issue, which: IssueFilter) -> bool:
    return (
        issue.workspace_id == which.workspace_id
        and (which.below is None or issue.id < which.below)
        and which.project in (None, issue.project)
        and which.level in (None, issue.level)
        and which.assignee in (None, issue.assignee)
        and (which.states is None or issue.state in which.states)
    )
