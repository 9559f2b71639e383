"""An issue: error events that are the same problem, and what people said should become of it.

Its state is told in one word: `new`, `ongoing`, `regressed`, `escalating`, `muted` or `resolved`; the first four are
unresolved. Stored is what was decided; that a problem is no longer new after `SETTLED_MS`, or that a mute has run out,
is derived from the time. What becomes of an issue is decided in `alertd.engine.issues`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from alertd.clock import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.model.subscription import Trigger
    from alertd.model.traffic import Traffic

SETTLED_MS: Final = 7 * DAY_MS
"""After so long an issue that is new, regressed or escalating is ongoing, in milliseconds."""
ENVIRONMENTS_MAX: Final = 32
"""Greatest number of environments that are kept of one issue."""
RELEASES_MAX: Final = 64
"""Greatest number of releases that are kept of one issue."""
KEYS_MAX: Final = 100
"""Greatest number of issues that may be merged into one."""

ProjectKey = tuple[int, str]
"""(number of the workspace, project): whose issues, ledger and change log these are."""
IssueKey = tuple[int, str, str]
"""(number of the workspace, project, grouping key): what an error event belongs to. An event's `key` is the last part."""


class State(IntEnum):
    """What an issue is; the numbers are what the store keeps."""

    NEW = 0
    ONGOING = 1
    REGRESSED = 2
    ESCALATING = 3
    MUTED = 4
    RESOLVED = 5

    @property
    def word(self) -> str:
        """The word used in the API and in alerts."""
        return _WORDS[self]

    @property
    def is_unresolved(self) -> bool:
        """Whether it is a problem that nobody has put aside."""
        return self < State.MUTED


_WORDS: Final = tuple(state.name.lower() for state in State)
_MUTED: Final = State.MUTED  # looking a member up in its class costs as much as all else here


class How(IntEnum):
    """In which release an issue was resolved; the numbers are what the store keeps."""

    NOW = 0
    IN_RELEASE = 1
    IN_NEXT_RELEASE = 2

    @property
    def word(self) -> str:
        """The word used in the API."""
        return _HOW_WORDS[self]


_HOW_WORDS: Final = ("now", "in_release", "in_next_release")


class Resolution(NamedTuple):
    """How an issue was resolved: `release` is the one given, or, for the next one, the newest that was known; by whom."""

    how: How
    release: str
    at_ms: int
    by: str


class Mute(NamedTuple):
    """How an issue was muted: until a time, until its count reaches a number, until it spikes; whichever comes first.

    With none of the three it is muted until somebody unmutes it.
    """

    until_ms: int | None
    until_count: int | None
    until_spike: bool
    at_ms: int
    by: str


class Share(NamedTuple):
    """What one grouping key brought to an issue that was merged, and the title of its latest event.

    `users` is a sketch (`alertd.engine.issues.distinct`).
    """

    events: int
    first_seen_ms: int
    last_seen_ms: int
    users: bytes
    title: str


class Change(IntEnum):
    """What can become of an issue; the numbers are what the store keeps."""

    NEW = 0
    REGRESSION = 1
    UNMUTED = 2
    SPIKE = 3
    RESOLVED = 4
    MUTED = 5
    ASSIGNED = 6
    MERGED = 7
    SPLIT = 8
    REOPENED = 9

    @property
    def word(self) -> str:
        """The word used in the API and in the types of events (`issue.new`)."""
        return _CHANGE_WORDS[self]

    @property
    def trigger(self) -> Trigger | None:
        """The trigger that subscriptions name, None for what never alerts."""
        return _TRIGGERS.get(self)


_CHANGE_WORDS: Final = tuple(change.name.lower() for change in Change)
_TRIGGERS: Final[dict[Change, Trigger]] = {
    Change.NEW: "new",
    Change.REGRESSION: "regression",
    Change.UNMUTED: "unmuted",
    Change.SPIKE: "spike",
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of one issue: what it was and is, when, why in words, and by whom (empty: by an event)."""

    issue_id: int
    change: Change
    before: State | None
    after: State
    at_ms: int
    why: str
    by: str = ""


@dataclass(slots=True)
class Issue:
    """One problem of one project.

    Shapes: `id` as in `alertd.model.ids`; `number` counts in the project; `key` is the grouping key it was begun with;
    `level` is Sentry's word, `title`, `culprit` and `last_event_id` are the latest event's; `since_ms` is when `state`
    began; times are milliseconds since 1970; `users` is a sketch; `incident_id` is the open incident's; `shares` maps
    all its keys to their shares once it was merged, else None; `traffic` is None until its second event; `arrived_ms` is
    when its last event arrived, whatever time that carried.
    """

    id: int
    workspace_id: int
    project: str
    number: int
    key: str
    title: str
    culprit: str
    level: str
    state: State
    since_ms: int
    first_seen_ms: int
    last_seen_ms: int
    count: int
    last_event_id: str
    first_release: str = ""
    last_release: str = ""
    environments: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    users: bytes = b""
    assignee: str = ""
    regressions: int = 0
    incident_id: int | None = None
    resolution: Resolution | None = None
    mute: Mute | None = None
    shares: dict[str, Share] | None = None
    traffic: Traffic | None = None
    arrived_ms: int = 0

    def copy(self) -> Issue:
        """Return an equal one that shares nothing that can change."""
        return Issue(
            self.id,
            self.workspace_id,
            self.project,
            self.number,
            self.key,
            self.title,
            self.culprit,
            self.level,
            self.state,
            self.since_ms,
            self.first_seen_ms,
            self.last_seen_ms,
            self.count,
            self.last_event_id,
            self.first_release,
            self.last_release,
            self.environments,
            self.releases,
            self.users,
            self.assignee,
            self.regressions,
            self.incident_id,
            self.resolution,
            self.mute,
            None if self.shares is None else dict(self.shares),
            None if self.traffic is None else self.traffic.copy(),
            self.arrived_ms,
        )

    @property
    def short_id(self) -> str:
        """Its name for people, e.g. `SHOP-42`."""
        return short_id(self.project, self.number)

    @property
    def keys(self) -> Iterable[str]:
        """All grouping keys whose events it takes."""
        return (self.key,) if self.shares is None else self.shares

    def place(self, environment: str) -> str:
        """Return the environment of what is said of it; of what names none, the one where it was seen, if that is one."""
        return environment or (self.environments[0] if len(self.environments) == 1 else "")

    def state_at(self, now_ms: int) -> State:
        """What it is at a time: a mute may have run out, and nothing stays new for ever."""
        state = self.state
        if state < _MUTED:
            return State.ONGOING if now_ms - self.since_ms >= SETTLED_MS else state
        mute = self.mute
        if state == _MUTED and mute is not None and mute.until_ms is not None and now_ms >= mute.until_ms:
            return State.ONGOING
        return state


def short_id(project: str, number: int) -> str:
    """Name an issue for people: `SHOP-42`; without a project `ISSUE-42`."""
    return f"{project.upper() or 'ISSUE'}-{number}"
