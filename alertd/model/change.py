"""A change: one entry of a project's change log, something that went into its code or onto its machines.

Made of what others report: pushes, deployments and releases of GitHub, change windows of incidents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from alertd.model.worded import Worded

COMMITS_MAX: Final = 2048
"""Greatest number of commits of one change: the most that GitHub sends."""
FILES_MAX: Final = 500
"""Greatest number of files that are kept of one commit; `Commit.file_count` says how many there were."""


class ChangeKind(Worded):
    """What was reported; the numbers are what the store keeps."""

    PUSH = 0
    DEPLOY = 1
    RELEASE = 2
    WINDOW = 3

    @property
    def is_live(self) -> bool:
        """Whether it says that code went live, not only that it was written."""
        return self is not ChangeKind.PUSH


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `files` are paths in the repository; empty is what nobody said."""

    id: str
    at_ms: int
    author: str = ""
    message: str = ""
    files: tuple[str, ...] = ()
    file_count: int = 0
    is_merge: bool = False
    url: str = ""

    @property
    def size(self) -> int:
        """How many files it changed."""
        return max(self.file_count, len(self.files))


@dataclass(frozen=True, slots=True)
class Change:
    """One entry.

    Shapes: `revision` is the commit that it ends at (push: the new head; deploy: what runs now), empty when nobody said;
    `environment` is empty for one that concerns all; `commits` are oldest first, those that a push or a window names;
    `key` is the same for all reports of one deployment or release (empty: nobody said), of a push it is its branch and, behind
    the last colon, the commit from which it went on; `quiet`: whoever sends it wants no incidents because of deployments.
    """

    kind: ChangeKind
    project: str
    at_ms: int
    environment: str = ""
    revision: str = ""
    name: str = ""
    author: str = ""
    url: str = ""
    commits: tuple[Commit, ...] = ()
    key: str = ""
    quiet: bool = False


def encode_change(change: Change) -> bytes:
    """Write a change in its stored form, JSON with what is empty left out of its commits."""
    return orjson.dumps(
        (
            change.kind,
            change.project,
            change.at_ms,
            change.environment,
            change.revision,
            change.name,
            change.author,
            change.url,
            [_commit_row(commit) for commit in change.commits],
            change.key,
            change.quiet,
        )
    )


def decode_change(stored: bytes) -> Change:
    """Read a change back."""
    kind, project, at_ms, environment, revision, name, author, url, commits, key, quiet = orjson.loads(stored)
    brought = tuple(_commit(row) for row in commits)
    return Change(ChangeKind(kind), project, at_ms, environment, revision, name, author, url, brought, key, quiet)


def _commit_row(commit: Commit) -> list[Any]:
    row: list[Any] = [
        commit.id,
        commit.at_ms,
        commit.author,
        commit.message,
        commit.files,
        commit.file_count,
        commit.is_merge,
        commit.url,
    ]
    while not row[-1] and len(row) > 2:  # noqa: PLR2004 - an id and a time are always there
        row.pop()
    return row


def _commit(row: list[Any]) -> Commit:
    if len(row) > 4:  # noqa: PLR2004 - the place of the files
        row[4] = tuple(row[4])
    return Commit(*row)
