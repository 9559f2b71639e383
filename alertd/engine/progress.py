"""Progress: how far the rules that make events (derived types, metric alerts) have come with one event. Pure.

Of an event that is only thought of it is what the event would do (`foreseen`); of a stored one what the event says, and how
the rules stand by now (`by_now`), since what they remembered when it was decided is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from alertd.engine.derive import key_of
from alertd.engine.lineage import is_made, made_by
from alertd.engine.matcher import raw_value_of
from alertd.engine.metric import due_at, number_in, weigh
from alertd.engine.state import Changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.engine.compiled import CompiledDerived, CompiledMetric
    from alertd.engine.plan import Plan
    from alertd.engine.rules import WorkspaceRules
    from alertd.engine.state import EngineState, Series
    from alertd.model.event import Event


class Stand(StrEnum):
    """How a metric alert stands with an event.

    `missing`: the event has no such field; `no_number`: what is there is none; `late`: the event is older than the newest
    of its series, and moves nothing; `good`; `waiting`: beyond the limit, not yet for long enough; `fires`: with this very
    event; `firing`: it does already; `over`: the value is good again. Of a stored event `beyond` says nothing but that.
    """

    MISSING = "missing"
    NO_NUMBER = "no_number"
    LATE = "late"
    GOOD = "good"
    WAITING = "waiting"
    FIRES = "fires"
    FIRING = "firing"
    OVER = "over"
    BEYOND = "beyond"


@dataclass(frozen=True, slots=True)
class Counted:
    """How far a derived type has come.

    Shapes: `count` is that of this event, or of the last one by now (`later`; 0: none counts any more), `following` the next
    one that makes an event (0: none until a quiet period).
    """

    rule: CompiledDerived
    count: int
    following: int
    later: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """How a metric alert stands with an event.

    Shapes: `found` is what the event has at the alert's field, `value` the same as a number (None: it is none); `series` is
    what is followed once the event has been looked at, or by now (`later`; None: nothing is), `due_ms` when time alone
    moves that (None: never), `now` the alert as it follows that today, where this is not `rule`, which looked at the event.
    """

    rule: CompiledMetric
    stand: Stand
    found: Any
    value: float | None
    series: Series | None = None
    due_ms: int | None = None
    later: bool = False
    now: CompiledMetric | None = None


Progress = Counted | Measured


def foreseen(rules: WorkspaceRules, state: EngineState, decided: Plan, now_ms: int) -> Iterator[Progress]:
    """Say what a plan moves; `state` is as it was before."""
    event = decided.event
    if decided.changes is None or event.is_simulated:
        return
    scope = rules.scope(event.type, event.project, event.environment)
    for derived in scope.derived:
        counted = decided.changes.counts.get(key_of(derived, event))
        if counted is not None:
            yield Counted(derived, *derived.ladder.position(counted.times))
    for metric in () if is_made(event) else scope.metrics:
        key = (metric.id, event.project, event.environment, event.key)
        yield _foreseen(metric, event, state.series.get(key), decided.changes.series.get(key), now_ms)


def _foreseen(rule: CompiledMetric, event: Event, before: Series | None, after: Series | None, now_ms: int) -> Measured:
    found, value = raw_value_of(rule.field, event.body), number_in(rule.field, event.body)
    if value is None:
        return Measured(rule, _absent(found), found, None)
    if after is None:
        return Measured(rule, Stand.LATE, found, value, before)
    told_before = before is not None and before.told_ms is not None and now_ms - before.seen_ms < rule.forget_ms
    if after.since_ms is None:
        stand = Stand.OVER if told_before else Stand.GOOD
    elif after.told_ms is None:
        stand = Stand.WAITING
    else:
        stand = Stand.FIRING if told_before else Stand.FIRES
    return Measured(rule, stand, found, value, after, due_at(rule, after))


def by_now(
    then: WorkspaceRules, now: WorkspaceRules | None, state: EngineState, event: Event, now_ms: int
) -> Iterator[Progress]:
    """Say of a stored event what the rules that decided about it (`then`) saw in it, and how they stand now.

    `now` are the rules of today (None: the workspace is gone).
    """
    if event.is_simulated:
        return
    scope = then.scope(event.type, event.project, event.environment)
    for derived in scope.derived:
        if not made_by(derived, event):
            counted = state.counts.get(key_of(derived, event))
            times = counted.times if counted is not None and now_ms < counted.until_ms else 0
            yield Counted(derived, *derived.ladder.position(times), later=True)
    for metric in () if is_made(event) else scope.metrics:
        yield _by_now(metric, None if now is None else now.metrics.get(metric.id), state, event)


def _by_now(then: CompiledMetric, now: CompiledMetric | None, state: EngineState, event: Event) -> Measured:
    found, value = raw_value_of(then.field, event.body), number_in(then.field, event.body)
    if value is None:
        return Measured(then, _absent(found), found, None, later=True)
    stand = Stand.BEYOND if _is_beyond(then, event) else Stand.GOOD
    series = None if now is None else state.series.get((now.id, event.project, event.environment, event.key))
    due_ms = None if now is None or series is None else due_at(now, series)
    return Measured(then, stand, found, value, series, due_ms, later=True, now=None if now == then else now)


def _is_beyond(rule: CompiledMetric, event: Event) -> bool:
    """Whether the value of an event alone is beyond the limit, as the alert itself would say."""
    changes = Changes()
    weigh((rule,), {}, event, 0, changes)
    return any(series is not None and series.since_ms is not None for series in changes.series.values())


def _absent(found: Any) -> Stand:
    return Stand.MISSING if found is None else Stand.NO_NUMBER
