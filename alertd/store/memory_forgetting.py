"""What nobody has heard of for long, and rulesets that explain nothing any more, deleted from the store in memory."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from alertd.engine.issues.forgetting import Forgotten, is_over, is_past
from alertd.engine.issues.stored import decode_issue, decode_ledger, encode_ledger
from alertd.model.ids import first_of, milliseconds
from alertd.store.memory_replays import MemoryReplays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.engine.issues.forgetting import Age
    from alertd.model.issue import Issue, ProjectKey


class MemoryForgetting(MemoryReplays):
    """What the retention of issues and of rulesets asks."""

    async def forget_issues(self, age: Age, behind: int, limit: int) -> Forgotten:
        """Delete those of the next issues that are over."""
        self._write()
        below = first_of(age.before_ms)
        looked = sorted(number for number in self._issues if behind < number < below)[:limit]
        self._transitions = [t for t in self._transitions if t[0] >= below or t[1].issue_id not in looked]
        acted = {each.issue_id: milliseconds(number) for number, each in sorted(self._transitions, key=itemgetter(0))}
        gone = [n for n in looked if self._is_over(decode_issue(self._issues[n]), acted, age)]
        projects = dict.fromkeys(_project(self._issues.pop(number)) for number in gone)
        self._issue_keys = {key: number for key, number in self._issue_keys.items() if number not in gone}
        dropped = {*gone, *(number for number, (into, _) in self._formers.items() if into in gone)}
        self._formers = {number: known for number, known in self._formers.items() if number not in dropped}
        self._transitions = [each for each in self._transitions if each[1].issue_id not in dropped]
        left = {_project(stored) for stored in self._issues.values()}
        emptied = [project for project in projects if project not in left]
        for project in emptied:
            self._shorten(project, age.before_ms)
        return Forgotten(gone, looked[-1] if len(looked) == limit else None, emptied)

    def _shorten(self, project: ProjectKey, before_ms: int) -> None:
        if project in self._ledgers:
            ledger = decode_ledger(self._ledgers[project])
            ledger.forget_releases(before_ms)
            self._ledgers[project] = encode_ledger(ledger)

    def _is_over(self, issue: Issue, acted: Mapping[int, int], age: Age) -> bool:
        incident = None if issue.incident_id is None else self._incidents.get(issue.incident_id)
        return is_over(issue, acted.get(issue.id, 0), age) and (incident is None or incident.is_over)

    async def forget_incidents(self, age: Age, behind: int, limit: int) -> Forgotten:
        """Delete those of the next incidents that are past."""
        self._write()
        looked = sorted(number for number in self._incidents if behind < number < first_of(age.before_ms))[:limit]
        gone = [number for number in looked if is_past(self._incidents[number], age)]
        for number in gone:
            del self._incidents[number]
        return Forgotten(gone, looked[-1] if len(looked) == limit else None)

    async def forget_changes(self, before_ms: int, limit: int) -> int:
        """Delete old changes."""
        self._write()
        old = sorted((each.at_ms, number) for number, (_, each) in self._changes.items() if each.at_ms < before_ms)
        for _, number in old[:limit]:
            del self._changes[number]
        return len(old[:limit])

    async def forget_samples(self, limit: int) -> int:
        """Delete entries of samples whose events are no longer there."""
        self._write()
        oldest = min(self._events, default=None)
        lost = sorted(number for number in self._issue_events if oldest is None or number < oldest)[:limit]
        for number in lost:
            del self._issue_events[number]
        return len(lost)

    async def forget_revisions(self) -> int:
        """Delete rulesets that decided about nothing that is still there."""
        self._write()
        newest = max(self._revisions, default=0)
        oldest = self._events[min(self._events)].revision if self._events else newest
        gone = [revision for revision in self._revisions if revision < oldest]
        for revision in gone:
            del self._revisions[revision]
        return len(gone)


def _project(stored: bytes) -> ProjectKey:
    issue = decode_issue(stored)
    return issue.workspace_id, issue.project
