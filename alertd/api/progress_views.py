"""How far the rules that make events have come with one event, for people and programs: numbers, and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.api.grounds import shown
from alertd.clock import rfc3339, rfc3339_or_none
from alertd.engine.progress import Counted, Measured, Stand

if TYPE_CHECKING:
    from alertd.engine.compiled import CompiledMetric
    from alertd.engine.progress import Progress
    from alertd.engine.state import Series


def progress_view(progress: Progress) -> dict[str, Any]:
    """Show one. Of a stored event `count` and `next` are null: what was counted then is not kept."""
    return _counted(progress) if isinstance(progress, Counted) else _measured(progress)


def _counted(progress: Counted) -> dict[str, Any]:
    return {
        "kind": "derived_type",
        "name": progress.rule.name,
        "count": None if progress.later else progress.count,
        "next": None if progress.later else progress.following,
        "value": None,
        "due_at": None,
        "detail": _counted_in_words(progress),
    }


def _measured(progress: Measured) -> dict[str, Any]:
    rule, series = progress.rule, progress.series
    return {
        "kind": "metric_alert",
        "name": rule.name,
        "count": None,
        "next": None,
        "value": progress.value,
        "due_at": rfc3339_or_none(progress.due_ms),
        "detail": _measured_in_words(progress),
        "state": progress.stand.value,
        "field": rule.field,
        "when": "above" if rule.above else "below",
        "limit": rule.limit,
        "for_seconds": rule.for_ms / 1000,
        "since": None if series is None else rfc3339_or_none(series.since_ms),
    }


def _counted_in_words(progress: Counted) -> str:
    following = (
        f"number {progress.following} makes an event" if progress.following else "none makes one until it is quiet"
    )
    if not progress.later:
        return f"occurrence number {progress.count}; {following}"
    counted = "1 occurrence is" if progress.count == 1 else f"{progress.count or 'no'} occurrences are"
    return f"by now {counted} counted; {following}"


def _measured_in_words(progress: Measured) -> str:
    rule, series, field = progress.rule, progress.series, progress.rule.field
    if progress.value is None:
        if progress.stand is Stand.MISSING:
            return f"the event has no {field}, so the alert does not look at it"
        return f"{field} is {shown(progress.found)}, which is no number, so the alert does not look at it"
    said = f"{field} is {progress.value:g}"
    if progress.stand is Stand.LATE:
        return f"{said}, but the event is older than the newest of its series, and moves nothing"
    if progress.stand is Stand.OVER:
        return f"{said}, {_good(rule)}: the alert fired, and is over now"
    said = f"{said}, {_good(rule) if progress.stand is Stand.GOOD else _beyond(rule)}"
    if progress.later and (series is None or progress.now is not None or series.value != progress.value):
        lasts = f" (the alert fires when that lasts for {_seconds(rule.for_ms)})" if _waits(progress) else ""
        return f"{said}{lasts}; by now {_by_now(progress.now or rule, series)}"
    return said if series is None else f"{said}{_since(rule, series, fires=progress.stand is Stand.FIRES)}"


def _waits(progress: Measured) -> bool:
    """Whether a value beyond the limit alone does not make the alert fire."""
    return progress.stand is Stand.BEYOND and progress.rule.for_ms > 0


def _by_now(rule: CompiledMetric, series: Series | None) -> str:
    if series is None:
        return "no value is followed any more"
    if series.since_ms is None:
        return f"the value is {series.value:g}"
    holds = series.value > rule.limit if rule.above else series.value < rule.limit
    side = _beyond(rule) if holds else "beyond the limit before it was changed,"
    return f"the value is {series.value:g}, {side}{_since(rule, series)}"


def _since(rule: CompiledMetric, series: Series, *, fires: bool = False) -> str:
    """Say since when a value is beyond the limit, and what is still missing until it `fires`; empty when it is not."""
    if series.since_ms is None:
        return ""
    since = f" since {rfc3339(series.since_ms)}"
    if fires:
        return (
            f"{since}, for {_seconds(rule.for_ms)} or longer: the alert fires" if rule.for_ms else ": the alert fires"
        )
    if series.told_ms is not None:
        return f"{since}: the alert fires already{_reminder(rule, series.told_ms)}"
    at = rfc3339(series.since_ms + rule.for_ms)
    unless = f"unless a value comes before that is {_good(rule)}"
    return f"{since}, not yet for {_seconds(rule.for_ms)}: the alert fires at {at} {unless}"


def _reminder(rule: CompiledMetric, told_ms: int) -> str:
    if not rule.reminder_ms:
        return ", and says no more until it is over"
    return f", and reminds at {rfc3339(told_ms + rule.reminder_ms)}"


def _beyond(rule: CompiledMetric) -> str:
    return f"{'above' if rule.above else 'below'} {rule.limit:g}"


def _good(rule: CompiledMetric) -> str:
    return f"not {_beyond(rule)}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g} s"
