"""Forgetting: after how much quiet an issue may be as if it had never been.

An issue of which nothing was heard for the time that issues are kept is forgotten: no event came, nobody did anything
about it, nothing became of it. When it comes again it is new. What somebody decided so that it stays quiet, or stays one,
holds for longer (`DECIDED_MS` at least): it is muted, it was resolved in a release, it was put together of several. One that
is muted for a time is kept until that is over, and one with an incident that is open for as long as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from alertd.clock import DAY_MS
from alertd.model.issue import How, Issue, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.model.incident import Incident
    from alertd.model.issue import ProjectKey

DECIDED_MS: Final = 365 * DAY_MS
"""An issue about which somebody decided something that lasts is kept for so long at least, in milliseconds."""


class Age(NamedTuple):
    """What is old: now, and after how many milliseconds without a word an issue, or an incident that is over, is forgotten."""

    now_ms: int
    after_ms: int

    @property
    def before_ms(self) -> int:
        """What happened last before this time may be forgotten."""
        return self.now_ms - self.after_ms


class Forgotten(NamedTuple):
    """What one step of a walk forgot, by id, and the id to go on behind (None: this was the end).

    `emptied` are projects that have no issue any more: their ledgers have forgotten old releases too.
    """

    ids: Sequence[int]
    beyond: int | None
    emptied: Sequence[ProjectKey] = ()


def is_over(issue: Issue, acted_ms: int, age: Age) -> bool:
    """Tell whether an issue may be forgotten, of which something became last at `acted_ms` (0: long ago)."""
    if issue.mute is not None and issue.mute.until_ms is not None and issue.mute.until_ms > age.now_ms:
        return False
    heard_ms = max(issue.arrived_ms, issue.last_seen_ms, issue.since_ms, acted_ms)
    kept_ms = max(age.after_ms, DECIDED_MS) if is_decided(issue, age.now_ms) else age.after_ms
    return age.now_ms - heard_ms > kept_ms


def is_decided(issue: Issue, now_ms: int) -> bool:
    """Tell whether somebody decided about an issue what its next event would have to know."""
    if issue.shares is not None or issue.state_at(now_ms) is State.MUTED:
        return True
    return issue.state is State.RESOLVED and issue.resolution is not None and issue.resolution.how is not How.NOW


def is_past(incident: Incident, age: Age) -> bool:
    """Tell whether an incident may be forgotten: it has been over for as long."""
    return incident.is_over and (incident.resolved_ms or incident.last_event_ms) < age.before_ms
