"""What a lane promises when its destination is exchanged for another: only the present receiver's word counts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alertd.delivery.breaker import BreakerState
from alertd.model.delivery import DeliveryState, Outcome, OutcomeKind
from tests.unit.delivery.world import AMBIGUOUS, GONE, NAMING, OK, REJECTED, RETRY, Scripted, passes, until

if TYPE_CHECKING:
    from tests.unit.delivery.world import World

LATER = Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429", retry_after_seconds=86_000)
DOWN = Outcome(OutcomeKind.RETRY_LATER, 503, "returned 503", retry_after_seconds=86_000)
PLAIN = {"jitter": "none", "initial_seconds": 1}


async def _exchange_in_flight(world: World, old: Scripted, new: Scripted, **given: object) -> None:
    """Exchange the destination while the old one has an attempt, and let that end."""
    old.gate = asyncio.Event()
    await world.start(world.spec(old, **given))
    world.offer()
    await until(lambda: old.sent)
    await world.dispatcher.apply([world.spec(new, **given)], NAMING)
    old.gate.set()
    await until(lambda: old.closed)


async def test_gone_of_the_old_one_does_not_disable_the_new_one(world: World) -> None:
    """Its delivery goes to the new one instead."""
    new = Scripted()
    await _exchange_in_flight(world, Scripted(GONE), new, **PLAIN)
    await world.all_final()
    assert world.dispatcher.disabled == frozenset()
    assert len(new.sent) == 1
    (row,) = world.store.rows.values()
    assert row.state is DeliveryState.DELIVERED
    assert [attempt.outcome.kind for attempt in row.attempts] == [OutcomeKind.RETRY_LATER, OutcomeKind.DELIVERED]
    assert row.attempts[0].outcome.detail == "returned 410"


async def test_retry_after_of_the_old_one_pauses_nothing(world: World) -> None:
    """Neither the lane nor the delivery waits a day for somebody who is not asked any more."""
    new = Scripted()
    await _exchange_in_flight(world, Scripted(LATER), new, **PLAIN)
    await world.all_final(5)
    assert world.dispatcher.snapshot(1).paused_until_ms is None
    assert len(new.sent) == 1


async def test_what_the_old_one_rejected_stays_dead(world: World) -> None:
    """The message was refused, not the address."""
    await _exchange_in_flight(world, Scripted(REJECTED), Scripted(), **PLAIN)
    await world.all_final(5)
    assert [row.state for row in world.store.rows.values()] == [DeliveryState.DEAD]


@pytest.mark.parametrize("outcome", [RETRY, AMBIGUOUS])
async def test_failures_of_the_old_one_do_not_open_the_breaker(world: World, outcome: Outcome) -> None:
    """They are nobody's streak."""
    await _exchange_in_flight(world, Scripted(outcome), Scripted(), failures=1, cool_seconds=3600, **PLAIN)
    await world.all_final(5)
    assert world.dispatcher.snapshot(1).breaker is BreakerState.CLOSED


async def test_an_open_breaker_and_a_pause_end_with_the_receiver_that_caused_them(world: World) -> None:
    """The new one is tried at once, and the store forgets the pause."""
    new = Scripted()
    given = {"failures": 1, "cool_seconds": 3600, **PLAIN}
    await world.start(world.spec(Scripted(DOWN), **given))
    world.offer()
    await until(lambda: 1 in world.store.states and world.store.states[1].paused_until_ms)
    assert world.dispatcher.snapshot(1).breaker is BreakerState.OPEN
    await world.dispatcher.apply([world.spec(new, **given)], NAMING)
    world.offer()
    await until(lambda: new.sent, 1)
    assert world.dispatcher.snapshot(1).breaker is BreakerState.CLOSED
    labels = {"workspace": "default", "destination": "d1"}
    assert world.sample("alertd_breaker_open", **labels) == 0
    await until(lambda: world.store.states[1].paused_until_ms is None)


async def test_a_pace_ends_with_the_receiver_that_taught_it(world: World) -> None:
    """The new one may take as much as it likes, and is sent everything at once."""
    new = Scripted()
    await world.start(world.spec(Scripted(*[Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429")] * 3), **PLAIN))
    world.offer(3)
    await until(lambda: world.dispatcher.snapshot(1).learnt_rate_per_second)
    await world.dispatcher.apply([world.spec(new, **PLAIN)], NAMING)
    assert world.dispatcher.snapshot(1).learnt_rate_per_second is None
    world.offer(20)
    await until(lambda: len(new.sent) >= 20, 0.05)


async def test_a_late_success_of_the_old_one_does_not_close_the_new_breaker(world: World) -> None:
    """An open breaker waits for its own probe."""
    old, new = Scripted(OK), Scripted(RETRY)
    old.gate = asyncio.Event()
    given = {"failures": 1, "cool_seconds": 3600, "concurrency": 2, **PLAIN}
    await world.start(world.spec(old, **given))
    world.offer()
    await until(lambda: old.sent)
    await world.dispatcher.apply([world.spec(new, **given)], NAMING)
    world.offer()
    await until(lambda: world.dispatcher.snapshot(1).breaker is BreakerState.OPEN)
    old.gate.set()
    await until(lambda: old.closed)
    await passes(1)
    assert world.dispatcher.snapshot(1).breaker is BreakerState.OPEN


async def test_what_waited_for_the_old_one_goes_to_the_new_one_at_once(world: World) -> None:
    """Whoever has mended an address at night does not wait an hour for the next attempt."""
    new = Scripted()
    given = {"failures": 1, "cool_seconds": 3600, "jitter": "none", "initial_seconds": 3000}
    await world.start(world.spec(Scripted(RETRY), **given))
    world.offer()
    await until(lambda: world.dispatcher.snapshot(1).breaker is BreakerState.OPEN)
    await passes(1)
    await world.dispatcher.apply([world.spec(new, **given)], NAMING)
    await world.all_final(1)
    assert len(new.sent) == 1


async def test_what_waits_goes_at_once_when_somebody_enables(world: World) -> None:
    """Also where it was not disabled; a rest that the receiver asked for stands."""
    hook = Scripted(RETRY, OK, LATER)
    await world.start(world.spec(hook, jitter="none", initial_seconds=3000))
    world.offer()
    await until(lambda: hook.sent)
    await passes(1)
    await world.dispatcher.enable(1)
    await world.all_final(1)
    world.offer()
    await until(lambda: len(hook.sent) == 3)
    await passes(1)
    await world.dispatcher.enable(1)
    await passes(100)
    assert len(hook.sent) == 3


async def _exchange_for_the_same(world: World, old: Scripted, new: Scripted, **given: object) -> None:
    """Open a destination anew, as a reload does that touches the guard or a template, while the receiver stays."""
    first, second = (replace(world.spec(each, **given), receiver=("webhook", "here")) for each in (old, new))
    await world.start(first)
    world.offer()
    await until(lambda: old.sent)
    await world.dispatcher.apply([second], NAMING)


async def test_the_same_receiver_opened_anew_keeps_its_rest_and_its_pace(world: World) -> None:
    """Whoever widens the guard is no way around a Retry-After, nor around what refusals have taught."""
    told = Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429", retry_after_seconds=600)
    old, new = Scripted(told, told, told), Scripted()
    old.gate = asyncio.Event()
    first, second = (replace(world.spec(each, **PLAIN), receiver=("webhook", "here")) for each in (old, new))
    await world.start(first)
    world.offer(3)
    await until(lambda: len(old.sent) == 3)
    await world.dispatcher.apply([second], NAMING)
    old.gate.set()
    await until(lambda: old.closed)
    assert world.dispatcher.snapshot(1).paused_until_ms is not None
    assert world.dispatcher.snapshot(1).learnt_rate_per_second
    await passes(500)
    assert not new.sent
    await world.all_final(200)
    assert len(new.sent) == 3


async def test_the_same_receiver_opened_anew_stays_gone(world: World) -> None:
    """It said that it is gone, before or while it was opened anew; another template does not bring it back."""
    for gate in (None, asyncio.Event()):
        old, new = Scripted(GONE), Scripted()
        old.gate = gate
        await _exchange_for_the_same(world, old, new, **PLAIN)
        if gate is not None:
            gate.set()
        await until(lambda: world.dispatcher.disabled == {1})
        await world.dispatcher.apply([world.spec(Scripted(), **PLAIN)], NAMING)
        assert world.dispatcher.disabled == frozenset()


async def test_the_same_destination_with_new_options_keeps_its_rest(world: World) -> None:
    """A reload that exchanges nothing is no way around a receiver's Retry-After."""
    hook = Scripted(LATER)
    await world.start(world.spec(hook, **PLAIN))
    world.offer()
    await until(lambda: world.dispatcher.snapshot(1).paused_until_ms)
    await world.dispatcher.apply([world.spec(hook, concurrency=3, **PLAIN)], NAMING)
    assert world.dispatcher.snapshot(1).paused_until_ms is not None
