"""The working set: issues that were needed lately, in memory; the truth is the store's.

It saves reading, nothing more: it holds what was stored, so that anything may be forgotten at any time. Only the batch
under way changes what it holds, and what that has changed is forgotten when it was not stored. It is bounded by the
number of issues; what was not needed longest goes first. One process that writes the same issues by another way
(a command over the API) replaces them here, or forgets them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Protocol

from alertd.engine.issues.admission import NO_PROJECT, OVERFLOW_KEY, WHOLE
from alertd.engine.issues.batch import IssueBatch, Loaded, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.engine.issues.batch import IssueRules
    from alertd.model.event import Event
    from alertd.model.issue import Issue, IssueKey, ProjectKey
    from alertd.model.ledger import Ledger

ISSUES_MAX: Final = 10_000
"""Greatest number of issues in memory; the default of a setting."""
LEDGERS_MAX: Final = 1_000
"""Greatest number of ledgers in memory."""


class IssueMemory(Protocol):
    """What the pipeline asks of a memory of issues."""

    def wanted(self, events: Iterable[tuple[int, Event]], read: Loaded) -> Wanted:
        """Name what has yet to be read before events can be weighed, which bear issues, each with its workspace's number.

        To be asked again after each reading, until it wants nothing: then a batch can begin, at once.
        """

    def begin(self, read: Loaded, rules: IssueRules | None = None) -> IssueBatch:
        """Begin a batch on what is in memory and what was read."""

    def keep(self, batch: IssueBatch) -> None:
        """Take note that a batch was stored."""

    def discard(self, batch: IssueBatch) -> None:
        """Take note that a batch was not stored: what it has changed is to be read again."""

    def replace(self, issue: Issue) -> None:
        """Take note that an issue was stored by another way."""

    def forget(self, issue_id: int) -> None:
        """Take note that an issue is no more, or is not to be trusted."""


class WorkingSet:
    """The memory of one process: the issues needed last, at most `most` of them, and those of the batch under way."""

    def __init__(self, most: int = ISSUES_MAX) -> None:
        self._most = most
        self._issues: OrderedDict[int, Issue] = OrderedDict()
        self._keys: dict[IssueKey, int] = {}
        self._ledgers: dict[ProjectKey, Ledger] = {}
        self.evicted = 0
        """How many issues were forgotten to keep the bound, in all."""

    def __len__(self) -> int:
        return len(self._issues)

    def wanted(self, events: Iterable[tuple[int, Event]], read: Loaded) -> Wanted:
        """Name what has yet to be read before events can be weighed, which bear issues, each with its workspace's number."""
        self._shrink()
        keys = {(workspace_id, event.project, event.key) for workspace_id, event in events}
        projects = {key[:2] for key in keys}
        unknown = keys.difference(self._keys)
        unknown |= {(*key[:2], OVERFLOW_KEY) for key in unknown}.difference(self._keys)
        if any(project not in self._ledgers for project in projects):
            owners = {workspace_id for workspace_id, _ in projects}
            unknown |= {(own, NO_PROJECT, OVERFLOW_KEY) for own in owners}.difference(self._keys)
            projects |= {(own, NO_PROJECT) for own in owners}
        projects |= {(key[0], WHOLE) for key in unknown}
        return Wanted(unknown - read.asked.keys, projects.difference(self._ledgers) - read.asked.projects)

    def begin(self, read: Loaded, rules: IssueRules | None = None) -> IssueBatch:
        """Begin a batch on what is in memory and what was read; what is in memory is the newer."""
        for issue_id, issue in read.issues.items():
            if issue_id not in self._issues:
                self._put(issue)
        for project, ledger in read.ledgers.items():
            self._ledgers.setdefault(project, ledger)
        known = Loaded(read.asked, self._issues, self._keys, self._ledgers, read.incidents, read.logs)
        return IssueBatch(known, rules)

    def keep(self, batch: IssueBatch) -> None:
        """Take note that a batch was stored."""
        issues = self._issues
        for issue_id, issue in batch.issues.items():
            if issues.get(issue_id) is issue:
                issues.move_to_end(issue_id)
            else:
                self._put(issue)
        for project, ledger in batch.ledgers.items():
            self._ledgers.pop(project, None)
            self._ledgers[project] = ledger
        self._shrink()

    def discard(self, batch: IssueBatch) -> None:
        """Take note that a batch was not stored: what it has changed is to be read again."""
        for issue_id in batch.issues:
            self.forget(issue_id)

    def replace(self, issue: Issue) -> None:
        """Take note that an issue was stored by another way; whoever stored it keeps theirs."""
        self._put(issue.copy())

    def keep_ledger(self, ledger: Ledger) -> None:
        """Take note that a ledger was stored by another way."""
        self._ledgers[ledger.workspace_id, ledger.project] = ledger

    def forget_ledger(self, project: ProjectKey) -> None:
        """Take note that a ledger is not to be trusted."""
        self._ledgers.pop(project, None)

    def forget(self, issue_id: int) -> None:
        """Take note that an issue is no more, or is not to be trusted."""
        issue = self._issues.pop(issue_id, None)
        if issue is None:
            return
        keys = self._keys
        for key in issue.keys:
            where = (issue.workspace_id, issue.project, key)
            if keys.get(where) == issue_id:
                del keys[where]

    def _put(self, issue: Issue) -> None:
        """Hold an issue as the one that was needed last."""
        issue_id, keys = issue.id, self._keys
        if issue_id in self._issues:
            self.forget(issue_id)
        self._issues[issue_id] = issue
        for key in issue.keys:
            keys[issue.workspace_id, issue.project, key] = issue_id

    def _shrink(self) -> None:
        while len(self._issues) > self._most:
            self.forget(next(iter(self._issues)))
            self.evicted += 1
        while len(self._ledgers) > LEDGERS_MAX:
            del self._ledgers[next(iter(self._ledgers))]
