"""Derived types: events that follow from how often others have occurred. Pure.

An event is counted when it arrives. What a count makes has an id that follows from the event that caused it; that event
cannot be planned twice, for its own id is known by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.engine.making import made_id, make_event
from alertd.engine.plan import Made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from alertd.engine.compiled import CompiledDerived
    from alertd.engine.state import Changes, Count, RuleKey
    from alertd.model.event import Event

PREFIX: Final = "drv"
"""What the ids of all that is made here begin with, before a dash."""
_TOLD: Final = ("id", "type", "message", "url")
CAUSE_BYTES: Final = 65_536
"""An event that is larger is named as the cause without its data."""


def derive(
    derived: Sequence[CompiledDerived],
    counts: Mapping[RuleKey, Count],
    event: Event,
    now_ms: int,
    made: Made | None,
    changes: Changes,
) -> tuple[Made, ...]:
    """Count one event, `made` by alertd or not; note the counts in `changes` and return what they make.

    No derived type counts what it has made itself.
    """
    return tuple(_steps(derived, counts, event, now_ms, made or Made(event, depth=0), changes))


def _steps(
    derived: Sequence[CompiledDerived],
    counts: Mapping[RuleKey, Count],
    event: Event,
    now_ms: int,
    made: Made,
    changes: Changes,
) -> Iterator[Made]:
    for rule in derived:
        if rule.id == made.by:
            continue
        key = key_of(rule, event)
        counted = changes.counts[key] = rule.ladder.step(counts.get(key), now_ms)
        if rule.ladder.has(counted.times):
            yield Made(_event(rule, event, counted.times), None, made.depth + 1, rule.id)


def key_of(rule: CompiledDerived, event: Event) -> RuleKey:
    """Say what an event is counted under."""
    environment = event.environment if rule.by_environment else ""
    return (rule.id, event.project, environment, event.key if rule.by_key else "")


def derived_id(name: str, cause_id: str) -> str:
    """Return the id of the event that a derived type makes of another one."""
    return made_id(PREFIX, name, cause_id)


def _event(rule: CompiledDerived, cause: Event, count: int) -> Event:
    return make_event(
        type=rule.type,
        id=derived_id(rule.name, cause.id),
        workspace=cause.workspace,
        project=cause.project,
        environment=cause.environment,
        severity=cause.severity if rule.severity is None else rule.severity,
        time=cause.time,
        key=cause.key if rule.by_key else rule.type,
        message=f"{cause.type} has occurred {count} time{'s' if count > 1 else ''}",
        data={"derived_type": rule.name, "count": count, "cause": _cause(cause)},
        labels=cause.body.get("labels"),
    )


def _cause(cause: Event) -> dict[str, Any]:
    told: dict[str, Any] = {name: cause.body[name] for name in _TOLD if name in cause.body}
    if "data" in cause.body and len(cause.payload) <= CAUSE_BYTES:
        told["data"] = cause.body["data"]
    return told
