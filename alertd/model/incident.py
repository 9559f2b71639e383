"""An incident: something worth waking somebody for, with what is known about why.

It is `open`, `acknowledged` or `resolved`. What opens and resolves one is decided in `alertd.engine.issues.incidents`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from alertd.model.worded import Worded

REPORTED: Final = "incident.reported"
"""The type of the events that report one."""
TIMELINE_MAX: Final = 100
"""Greatest number of entries of a timeline: the first are kept, the oldest of the others are dropped and counted."""
TIMELINE_HEAD: Final = 20
"""So many of the first entries are kept."""


class IncidentKind(Worded):
    """What it is about; the numbers are what the store keeps."""

    ISSUE = 0
    DEPLOY = 1
    REPORTED = 2
    SIMULATED = 3


class IncidentState(Worded):
    """How far it is; the numbers are what the store keeps."""

    OPEN = 0
    ACKNOWLEDGED = 1
    RESOLVED = 2


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One part of how severe an incident is: its name, its points, and why in words."""

    name: str
    points: int
    why: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline: when, what (`opened`, `spike`, `deploy`, `acknowledged` …), in words, and by whom."""

    at_ms: int
    what: str
    text: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A commit that may have done it. `score` is from 0 to 1, `reasons` are in words, the strongest first."""

    commit_id: str
    score: float
    reasons: tuple[str, ...]
    author: str = ""
    message: str = ""
    at_ms: int = 0
    url: str = ""


class Shipped(NamedTuple):
    """A commit that a deployment brought: its message's first line, and who wrote it."""

    id: str
    message: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Deploy:
    """Something that went live shortly before: when, what (name or revision), where, a link, and what it brought.

    `commits` are the newest of what it brought, newest first; `commit_count` says how many there were.
    """

    at_ms: int
    name: str
    environment: str = ""
    url: str = ""
    revision: str = ""
    commits: tuple[Shipped, ...] = ()
    commit_count: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident.

    Shapes: `id` as in `alertd.model.ids`; `cause` is the trigger that opened it, empty where none did; `score` is the
    sum of `parts`, at most 100; times are milliseconds since 1970, None for what has not happened; `last_event_ms` is
    when its issue was last seen; `omitted` counts dropped entries of the timeline; `test` marks one that was simulated;
    `severity` is the word of the event that opened it.
    """

    id: int
    workspace_id: int
    project: str
    environment: str
    kind: IncidentKind
    title: str
    opened_ms: int
    last_event_ms: int
    state: IncidentState = IncidentState.OPEN
    issue_id: int | None = None
    cause: str = ""
    key: str = ""
    url: str = ""
    parts: tuple[ScorePart, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    timeline: tuple[Moment, ...] = ()
    omitted: int = 0
    acknowledged_ms: int | None = None
    acknowledged_by: str = ""
    resolved_ms: int | None = None
    resolved_by: str = ""
    test: bool = False
    severity: str = "error"

    @property
    def score(self) -> int:
        """How severe it is, from 0 to 100."""
        return min(100, sum(part.points for part in self.parts))

    @property
    def is_over(self) -> bool:
        """Whether it is resolved."""
        return self.state is IncidentState.RESOLVED
