"""`intake.http.rate_per_second`: how much is taken at once, and how long the others are told to wait."""

from __future__ import annotations

import pytest

from alertd.clock import SystemClock
from alertd.intake.http import EventIntake
from alertd.intake.rate import RateLimit
from alertd.model.event import Bounds
from tests.unit.api.bench import running


class StillClock(SystemClock):
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 100.0

    def monotonic(self) -> float:
        """Where it was put."""
        return self.seconds


def test_a_second_s_worth_passes_at_once_and_no_more() -> None:
    """Then as many as the rate gives, one after the other."""
    clock = StillClock()
    limit = RateLimit(10, clock)
    assert [limit.take(1) for _ in range(10)] == [0] * 10
    assert limit.take(1) == pytest.approx(0.1)
    clock.seconds += 0.1 + 1e-9
    assert limit.take(1) == 0
    assert limit.take(1) > 0


def test_a_large_body_passes_and_is_paid_for_afterwards() -> None:
    """One body may overdraw, so that it is not refused for ever; what it lent is waited for."""
    clock = StillClock()
    limit = RateLimit(10, clock)
    assert limit.take(1000) == 0
    assert limit.take(1) == pytest.approx(99.1)
    clock.seconds += 99
    assert limit.take(1) == pytest.approx(0.1)


def test_a_refusal_costs_nothing() -> None:
    """Who is refused and comes back in time is taken, however often others tried meanwhile."""
    clock = StillClock()
    limit = RateLimit(1, clock)
    limit.take(1)
    wait = max(limit.take(1) for _ in range(100))
    clock.seconds += wait
    assert limit.take(1) == 0


@pytest.mark.parametrize("rate", [0.01, 1, 50_000])
def test_a_quiet_time_saves_up_one_second(rate: float) -> None:
    """At least one event, however slow the rate."""
    clock = StillClock()
    limit = RateLimit(rate, clock)
    clock.seconds += 10_000
    taken = 0
    while not limit.take(1):
        taken += 1
    assert taken == max(1, rate)


async def test_too_fast_is_not_too_full() -> None:
    """429 names the setting and the whole seconds to wait; the metric tells it from a full intake."""
    async with running() as call:
        owners = (getattr(route.handler, "__self__", None) for route in call.bench.app.router.routes())
        intake = next(owner for owner in owners if isinstance(owner, EventIntake))
        intake.reconfigure(Bounds(), RateLimit(0.1, call.bench.clock))
        await call.sent({"type": "t"})
        status, problem, headers = await call.full("POST", "/api/v1/events", json={"type": "t"})
        assert (status, headers["Retry-After"]) == (429, "10")
        assert "intake.http.rate_per_second" in problem["detail"]
        value = call.bench.metrics.registry.get_sample_value
        assert value("alertd_intake_refused_total", {"reason": "rate"}) == 1
        assert value("alertd_intake_refused_total", {"reason": "full"}) is None
