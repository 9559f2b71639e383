"""What deciding depends on besides the ruleset, and what deciding changes of it. Values and plain mappings, no behaviour.

Times are milliseconds since 1970 as the daemon's clock says them (which never steps back while it runs), not those that
events carry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.verdict import VerdictCode

CooldownKey = tuple[int, str, str, str]
"""(subscription id, project, environment, event key)"""
RuleKey = tuple[int, str, str, str]
"""(number of a subscription, derived type or metric alert; project, environment, key); empty where it does not count."""


class Count(NamedTuple):
    """How often something has occurred, and until when the next occurrence belongs to the same count."""

    times: int
    until_ms: int


class Series(NamedTuple):
    """One value that a metric alert follows.

    Shapes: `value` is the last one, `seen_ms` when it arrived, `time_ms` the greatest time that an event of it carried
    (never later than its arrival); `since_ms` is when it went beyond the limit (None: it is good), `told_ms` when the
    alert fired or last reminded (None: it does not fire).
    """

    value: float
    seen_ms: int
    time_ms: int
    since_ms: int | None = None
    told_ms: int | None = None


@dataclass(slots=True)
class Changes:
    """What one plan, or one batch of them, changes of the state. A series that is None is forgotten."""

    counts: dict[RuleKey, Count] = field(default_factory=dict)
    series: dict[RuleKey, Series | None] = field(default_factory=dict)

    def take(self, other: Changes) -> None:
        """Lay later changes over these."""
        self.counts.update(other.counts)
        self.series.update(other.series)


@dataclass(slots=True)
class EngineState:
    """What the engine remembers.

    Shapes: `cooldowns` say until when a key rests; `closed` are the destinations that take nothing now (disabled, or
    without what they need to send at all), each with the verdict that it gives.
    """

    cooldowns: Mapping[CooldownKey, int] = field(default_factory=dict)
    closed: Mapping[int, VerdictCode] = field(default_factory=dict)
    counts: Mapping[RuleKey, Count] = field(default_factory=dict)
    series: Mapping[RuleKey, Series | None] = field(default_factory=dict)
