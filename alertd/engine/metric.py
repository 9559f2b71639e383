"""Metric alerts: a number in events, followed for each (project, environment, key), beyond a limit for a while. Pure.

A value moves a series when it arrives (`weigh`); time alone moves it when a wait, a reminder or the wait for the next
value is over (`advance`, asked for what `due_at` says). What the clock does:

- Durations are counted from arrival to arrival on the daemon's own clock, never on the times that events carry.
- An event that is older than the newest one of its series came late and moves nothing, unless it is older by more than
  `LATE_MS`: then the sender's clock was set back, and the value counts.
- A `since_ms` or `told_ms` that lies ahead was written under a clock that was ahead: it counts from now.

Events that alertd makes carry no values for metric alerts, so that no alert can feed itself.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from alertd.clock import rfc3339
from alertd.engine.making import SOURCE, made_id, make_event
from alertd.engine.matcher import raw_value_of
from alertd.engine.plan import Made
from alertd.engine.state import Series
from alertd.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from alertd.engine.compiled import CompiledMetric, Told
    from alertd.engine.state import Changes, RuleKey
    from alertd.model.event import Event

PREFIX: Final = "met"
"""What the ids of all that is made here begin with, before a dash."""
LATE_MS: Final = 3_600_000
"""How much older than the newest an event may be to pass for a late one."""


class Said(StrEnum):
    """What an alert says: it fires, it still does, it is over, or no value comes any more."""

    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    STALE = "stale"


def weigh(
    metrics: Sequence[CompiledMetric],
    series: Mapping[RuleKey, Series | None],
    event: Event,
    now_ms: int,
    changes: Changes,
) -> tuple[Made, ...]:
    """Look at one event's values; note the series in `changes` and return what the alerts make."""
    return tuple(made for rule in metrics for made in _weigh(rule, series, event, now_ms, changes))


def _weigh(
    rule: CompiledMetric, series: Mapping[RuleKey, Series | None], event: Event, now_ms: int, changes: Changes
) -> Iterator[Made]:
    value = number_in(rule.field, event.body)
    if value is None:
        return
    key = (rule.id, event.project, event.environment, event.key)
    known = series.get(key)
    time_ms = min(_milliseconds(event.time, now_ms), now_ms)
    if known is not None and known.time_ms - LATE_MS <= time_ms < known.time_ms:
        return
    if known is not None and now_ms - known.seen_ms >= rule.forget_ms:
        if known.told_ms is not None:
            yield _made(rule, key, event.workspace, known, Said.STALE, now_ms)
        known = None
    moved, said = _move(rule, known, Series(value, now_ms, time_ms))
    changes.series[key] = moved
    if said is not None:
        shown = known._replace(value=value) if said is Said.RESOLVED and known is not None else moved
        yield _made(rule, key, event.workspace, shown, said, now_ms, event)


def _move(rule: CompiledMetric, known: Series | None, fresh: Series) -> tuple[Series, Said | None]:
    """Return the series with a fresh value, and what is to be said about it."""
    now_ms = fresh.seen_ms
    since = None if known is None else known.since_ms
    told = None if known is None else known.told_ms
    if not (fresh.value > rule.limit if rule.above else fresh.value < rule.limit):
        return fresh, None if told is None else Said.RESOLVED
    since = now_ms if since is None else min(since, now_ms)
    told = None if told is None else min(told, now_ms)
    beyond = fresh._replace(since_ms=since, told_ms=told)
    if told is None and now_ms - since >= rule.for_ms:
        return beyond._replace(told_ms=now_ms), Said.FIRING
    if told is not None and rule.reminder_ms and now_ms - told >= rule.reminder_ms:
        return beyond._replace(told_ms=now_ms), Said.REMINDER
    return beyond, None


def due_at(rule: CompiledMetric, series: Series) -> int | None:
    """When time alone moves a series, in milliseconds; None: never."""
    if series.since_ms is None:
        return None
    forgotten = series.seen_ms + rule.forget_ms
    if series.told_ms is None:
        return min(forgotten, series.since_ms + rule.for_ms)
    return min(forgotten, series.told_ms + rule.reminder_ms) if rule.reminder_ms else forgotten


def advance(
    rule: CompiledMetric, key: RuleKey, workspace: str, series: Series, now_ms: int
) -> tuple[Series | None, Made | None]:
    """Move a series that is due: return what it is now (None: forgotten) and what the alert makes."""
    if now_ms - series.seen_ms >= rule.forget_ms:
        if series.told_ms is None:
            return None, None
        return None, _made(rule, key, workspace, series, Said.STALE, now_ms)
    moved = series._replace(told_ms=now_ms)
    said = Said.FIRING if series.told_ms is None else Said.REMINDER
    return moved, _made(rule, key, workspace, moved, said, now_ms)


def told_of(metrics: Iterable[CompiledMetric], event: Event) -> Told | None:
    """Say whom alone an event concerns, when a metric alert has made it."""
    data = event.body.get("data")
    if event.body.get("source") != SOURCE or not event.id.startswith(PREFIX) or not isinstance(data, dict):
        return None
    return next((metric.told for metric in metrics if metric.name == data.get("metric_alert")), None)


def number_in(field: str, body: Mapping[str, Any]) -> float | None:
    """Read a number: a JSON number, or a label that is one; None for anything else."""
    value = raw_value_of(field, body)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and field.startswith("data."):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _milliseconds(time: str, now_ms: int) -> int:
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000)
    except (ValueError, OverflowError):
        return now_ms


def _made(
    rule: CompiledMetric,
    key: RuleKey,
    workspace: str,
    series: Series,
    said: Said,
    now_ms: int,
    cause: Event | None = None,
) -> Made:
    since, told = series.since_ms or now_ms, series.told_ms or now_ms
    fires = said in {Said.FIRING, Said.REMINDER}
    data: dict[str, Any] = {
        "metric_alert": rule.name,
        "state": Said.FIRING.value if fires else Said.RESOLVED.value,
        "reason": said.value,
        "field": rule.field,
        "value": series.value,
        "when": "above" if rule.above else "below",
        "limit": rule.limit,
        "since": rfc3339(since),
    }
    if cause is not None:
        data["cause"] = {"id": cause.id, "type": cause.type}
    event = make_event(
        type=rule.type if fires else rule.resolved_type,
        id=made_id(PREFIX, rule.name, *key[1:], since, told, said, "" if cause is None else cause.id),
        workspace=workspace,
        project=key[1],
        environment=key[2],
        severity=rule.severity if fires else Severity.INFO,
        time=rfc3339(now_ms),
        key=f"{rule.name}/{key[3]}",
        message=_message(rule, series, said, now_ms - since),
        data=data,
    )
    return Made(event, rule.told)


def _message(rule: CompiledMetric, series: Series, said: Said, lasted_ms: int) -> str:
    seconds = f"{round(lasted_ms / 1000, 1):g} s"
    if said in {Said.FIRING, Said.REMINDER}:
        side = "above" if rule.above else "below"
        lasted = f" for {seconds}" if lasted_ms else ""
        return f"{rule.field} is {series.value:g}, {side} {rule.limit:g}{lasted}"
    if said is Said.STALE:
        return f"{rule.field}: no value has come any more; it was {series.value:g}"
    return f"{rule.field} is {series.value:g} again, after {seconds} beyond {rule.limit:g}"
