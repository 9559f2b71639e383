"""Change logs in memory: what lately went into the code of the projects that were asked for; the truth is the store's.

A log is a sequence of changes, oldest first, of the last days (`changes.LOOK_BACK_MS`) and bounded by its commits. It is
never changed in place: adding to it makes another one. What several reports say of one thing is one change.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alertd.engine.issues.changes import CANDIDATES_MAX, LOOK_BACK_MS
from alertd.model.change import FILES_MAX, ChangeKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from alertd.model.change import Change, Commit
    from alertd.model.issue import ProjectKey

CHANGES_MAX: Final = 1_000
"""Greatest number of changes of one log; the oldest are forgotten first."""
PROJECTS_MAX: Final = 1_000
"""Greatest number of logs in memory; the one not needed for longest is forgotten first."""


def is_repeat(log: Sequence[Change], change: Change) -> bool:
    """Tell whether a log has a change already: one deployment is reported by several, one window by each incident.

    A window that names further commits, or further files of them, is none, nor is what was told quietly and now is aloud.
    A push comes once by the webhook of its repository and once by that of its organisation.
    """
    if change.kind is ChangeKind.PUSH:
        return bool(change.key) and _is_pushed(log, change)
    known = known_in(log, change)
    return known is not None and _joined(known, change) == known


def known_in(log: Sequence[Change], change: Change) -> Change | None:
    """Return what a log has of what another report tells of; None when that is new, or nothing says what it is."""
    name = _name(change)
    return None if name is None else next((each for each in log if _name(each) == name), None)


def _name(change: Change) -> Hashable | None:
    """Say which window (of one place and time there is one), deployment or release it is; None where nothing says so."""
    if change.kind is ChangeKind.WINDOW:
        return change.kind, change.environment, change.at_ms
    return None if change.kind is ChangeKind.PUSH or not change.key else (change.kind, change.key)


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
    insort(found, change, key=_at)
    return bounded(found)


def bounded(log: Sequence[Change]) -> list[Change]:
    """Return the newest changes of a log that are within its bounds, each once."""
    log = _whole(log)
    commits, kept = 0, 0
    for each in reversed(log[-CHANGES_MAX:]):
        commits += len(each.commits)
        if commits > CANDIDATES_MAX and kept:
            break
        kept += 1
    return [*log[len(log) - kept :]]


def _whole(log: Sequence[Change]) -> list[Change]:
    """Return a log in which all reports of one thing are one change, at the place of the first, within its bounds."""
    found: dict[Hashable, Change] = {}
    for place, change in enumerate(log):
        name = _name(change)
        name = place if name is None else name
        known = found.get(name)
        found[name] = _trimmed(change) if known is None else _joined(known, change)
    return [*found.values()]


def _joined(known: Change, change: Change) -> Change:
    """Add to a change the commits, and the files of its commits, that another report of it names; the same if it has all."""
    named = {commit.id: commit for commit in change.commits}
    joined: list[Commit] = []
    older = _older(known, named)
    for commit in known.commits:
        joined += older.pop(commit.id, ())
        joined.append(_with_files(commit, named[commit.id]) if commit.id in named else commit)
    joined += older[""]
    return _trimmed(replace(known, commits=tuple(joined), quiet=known.quiet and change.quiet))


def _older(known: Change, named: Mapping[str, Commit]) -> dict[str, list[Commit]]:
    """Return the commits of another report that are not known, each under the known one before which it was named; "": none."""
    ids = {commit.id for commit in known.commits}
    older: dict[str, list[Commit]] = {}
    fresh: list[Commit] = []
    for commit_id, commit in named.items():
        if commit_id not in ids:
            fresh.append(commit)
        elif fresh:
            older[commit_id], fresh = fresh, []
    return {**older, "": fresh}


def _trimmed(change: Change) -> Change:
    """Return a change with the newest of its commits that are within bounds."""
    if len(change.commits) <= CANDIDATES_MAX:
        return change
    return replace(change, commits=change.commits[-CANDIDATES_MAX:])


def _with_files(known: Commit, commit: Commit) -> Commit:
    if commit.file_count <= known.size and {*known.files}.issuperset(commit.files):
        return known
    files = tuple(dict.fromkeys((*known.files, *commit.files)))[:FILES_MAX]
    return replace(known, files=files, file_count=max(known.file_count, commit.file_count, len(files)))


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
