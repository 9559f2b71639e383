"""How one destination stands at this moment, for the API and the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.clock import Clock
    from alertd.delivery.breaker import BreakerState
    from alertd.delivery.lane import Lane
    from alertd.model.destination import RetryOptions


@dataclass(frozen=True, slots=True)
class LaneSnapshot:
    """One lane as it is now.

    Shapes: `depth` of `capacity` deliveries are in memory, `in_flight` are the ids of those being attempted; `*_ms` are
    milliseconds since 1970 or None; `last_error` is the detail of the last failed attempt that is known, or empty;
    `rests_until_ms` is when an attempt may next begin, whatever the lane rests for (None: now, or when the attempt that
    probes has ended);
    `retry` is how often and how long it tries; `deaths` counts deliveries that died since the start;
    `learnt_rate_per_second` is the pace that refusals have taught, None without.
    """

    state: Literal["enabled", "disabled"]
    disabled_reason: str
    disabled_at_ms: int | None
    depth: int
    capacity: int
    in_flight: tuple[int, ...]
    breaker: BreakerState
    paused_until_ms: int | None
    last_success_at_ms: int | None
    last_failure_at_ms: int | None
    last_error: str
    retry: RetryOptions
    deaths: int = 0
    learnt_rate_per_second: float | None = None
    rests_until_ms: int | None = None


SWITCHED_OFF = "switched off in its configuration"
"""The reason shown for a destination whose `enabled` is false."""


def snapshot_of(lane: Lane, flying: Mapping[int, int], clock: Clock) -> LaneSnapshot:
    """Look at a lane; `flying` maps all deliveries in flight to their destinations."""
    own = lane.spec.destination_id
    now, now_ms = clock.monotonic(), clock.now_ms()
    wait = lane.rest.seconds(now_ms, now)
    learnt = lane.rest.learnt_rate(now)
    in_flight = tuple(i for i, where in flying.items() if where == own) if lane.backlog.flying else ()
    return LaneSnapshot(
        state="enabled" if lane.enabled else "disabled",
        disabled_reason=lane.disabled_reason or ("" if lane.spec.enabled else SWITCHED_OFF),
        disabled_at_ms=lane.disabled_at_ms,
        depth=lane.backlog.depth,
        capacity=lane.backlog.capacity,
        in_flight=in_flight,
        breaker=lane.rest.breaker.state(now),
        paused_until_ms=lane.rest.paused_until(now_ms),
        rests_until_ms=now_ms + round(wait * 1000) if 0 < wait < inf else None,
        last_success_at_ms=lane.last_success_ms,
        last_failure_at_ms=lane.last_failure_ms,
        last_error=lane.last_error,
        retry=lane.spec.options.retry,
        deaths=lane.meters.deaths,
        learnt_rate_per_second=None if learnt is None else round(learnt, 4),
    )
