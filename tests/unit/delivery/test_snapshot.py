"""Until when a lane rests, as it is shown: whatever it rests for."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING

from alertd.delivery.breaker import BreakerState
from alertd.model.delivery import Outcome, OutcomeKind
from tests.unit.delivery.world import NAMING, OK, RETRY, LoopClock, Scripted, passes, until

if TYPE_CHECKING:
    from tests.unit.delivery.world import World

SLOW_DOWN = Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429", retry_after_seconds=60)


def rest_seconds(world: World) -> int:
    """How long the lane rests yet, in whole seconds; 0: it does not."""
    until_ms = world.dispatcher.snapshot(1).rests_until_ms
    return 0 if until_ms is None else ceil((until_ms - LoopClock().now_ms()) / 1000)


async def test_an_open_breaker_says_when_it_probes(world: World) -> None:
    """And while its probe is under way nobody knows."""
    hook = Scripted(RETRY, OK)
    await world.start(world.spec(hook, failures=1, cool_seconds=600))
    assert rest_seconds(world) == 0
    world.offer()
    await until(lambda: world.dispatcher.snapshot(1).breaker is BreakerState.OPEN)
    assert rest_seconds(world) == 600
    await passes(100)
    assert rest_seconds(world) == 500
    hook.gate = asyncio.Event()
    await until(lambda: len(hook.sent) == 2, 600)
    now = world.dispatcher.snapshot(1)
    assert (now.breaker, now.rests_until_ms) == (BreakerState.HALF_OPEN, None)
    hook.gate.set()
    await world.all_final()


async def test_what_a_receiver_asked_for_and_a_rate_are_rests(world: World) -> None:
    """The longer one counts."""
    hook = Scripted(SLOW_DOWN, OK)
    await world.start(world.spec(hook, rate_per_second=0.01, jitter="none", initial_seconds=1))
    world.offer()
    await until(lambda: world.dispatcher.snapshot(1).paused_until_ms)
    assert rest_seconds(world) == 100
    await world.dispatcher.apply([world.spec(hook, jitter="none", initial_seconds=1)], NAMING)
    assert rest_seconds(world) == 60
    await world.all_final()
    assert rest_seconds(world) == 0
