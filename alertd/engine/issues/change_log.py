"""Change logs in memory: what lately went into the code of the projects that were asked for; the truth is the store's.

A log is a sequence of changes, oldest first, of the last days (`changes.LOOK_BACK_MS`) and bounded by its commits. It is
never changed in place: adding to it makes another one.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alertd.engine.issues.changes import CANDIDATES_MAX, LOOK_BACK_MS
from alertd.model.change import ChangeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.model.change import Change
    from alertd.model.issue import ProjectKey

CHANGES_MAX: Final = 1_000
"""Greatest number of changes of one log; the oldest are forgotten first."""
PROJECTS_MAX: Final = 1_000
"""Greatest number of logs in memory; the one not needed for longest is forgotten first."""


def is_repeat(log: Sequence[Change], change: Change) -> bool:
    """Tell whether a log has a change already: one deployment is reported by several, one window by each incident.

    A push comes once by the webhook of its repository and once by that of its organisation.
    """
    if change.kind is ChangeKind.WINDOW:
        where = (change.kind, change.environment, change.at_ms)
        return any((each.kind, each.environment, each.at_ms) == where for each in log)
    if not change.key:
        return False
    if change.kind is ChangeKind.PUSH:
        return _is_pushed(log, change)
    return any(each.kind is change.kind and each.key == change.key for each in log)


def _is_pushed(log: Sequence[Change], push: Change) -> bool:
    """Tell whether a log has a push from one commit to another that was not taken back since, as a forced one may.

    One that was told quietly is noted again when it is told aloud: that opens the incident, and commits count once.
    """
    branch, _, before = push.key.rpartition(":")
    for each in reversed(log):
        if each.kind is not ChangeKind.PUSH:
            continue
        if (each.key, each.revision) == (push.key, push.revision) and (push.quiet or not each.quiet):
            return True
        if each.revision == before and each.key.rpartition(":")[0] == branch:
            return False
    return False


def added(log: Sequence[Change], change: Change, now_ms: int) -> list[Change]:
    """Return a log with one more change at its place, without what is too old or too much."""
    found = [each for each in log if now_ms - each.at_ms <= LOOK_BACK_MS]
    if len(change.commits) > CANDIDATES_MAX:
        change = replace(change, commits=change.commits[-CANDIDATES_MAX:])
    insort(found, change, key=_at)
    return bounded(found)


def bounded(log: Sequence[Change]) -> list[Change]:
    """Return the newest changes of a log that are within its bounds."""
    commits, kept = 0, 0
    for each in reversed(log[-CHANGES_MAX:]):
        commits += len(each.commits)
        if commits > CANDIDATES_MAX and kept:
            break
        kept += 1
    return [*log[len(log) - kept :]]


def _at(change: Change) -> int:
    return change.at_ms


class ChangeLogs:
    """The logs of the projects that were needed last."""

    def __init__(self, most: int = PROJECTS_MAX) -> None:
        self._most = most
        self._logs: dict[ProjectKey, Sequence[Change]] = {}

    def __len__(self) -> int:
        return len(self._logs)

    def get(self, project: ProjectKey) -> Sequence[Change] | None:
        """Return a project's log; None when it is not in memory."""
        log = self._logs.pop(project, None)
        if log is not None:
            self._logs[project] = log
        return log

    def keep(self, project: ProjectKey, log: Sequence[Change]) -> None:
        """Hold a log that was read, or one that was stored."""
        self._logs.pop(project, None)
        self._logs[project] = log
        while len(self._logs) > self._most:
            del self._logs[next(iter(self._logs))]
