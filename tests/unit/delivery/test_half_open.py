"""What a lane promises while its breaker is open: it is never stuck, loses nothing that is in the air, and can be enabled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from alertd.model.delivery import DeliveryState, Outcome, OutcomeKind
from tests.unit.delivery.world import OK, REJECTED, RETRY, Scripted, passes, until

if TYPE_CHECKING:
    from tests.unit.delivery.world import World


async def test_a_rejected_probe_is_followed_by_the_next_one(world: World) -> None:
    """A receiver that is back and refuses one delivery gets the others: the lane does not wait for an end that was."""
    hook = Scripted(RETRY, REJECTED, OK)
    await world.start(world.spec(hook, failures=1, concurrency=1, cool_seconds=30, initial_seconds=60, jitter="none"))
    first, second, third = world.offer(3)
    await until(lambda: len(hook.sent) == 3, 1000)
    assert [round(at - hook.times[0]) for at in hook.times] == [0, 30, 30]
    await world.all_final()
    assert [world.store.state(each) for each in (first, second, third)] == [
        DeliveryState.DELIVERED,
        DeliveryState.DEAD,
        DeliveryState.DELIVERED,
    ]


@pytest.mark.parametrize("disabled", [False, True])
async def test_a_probe_in_the_air_is_not_given_up(world: World, *, disabled: bool) -> None:
    """What waited too long is dead, but for what is being attempted at that moment: that is what its answer says."""
    hook = Scripted(RETRY, OK)
    await world.start(
        world.spec(
            hook,
            failures=1,
            concurrency=1,
            cool_seconds=30,
            give_up_after_seconds=60,
            initial_seconds=1000,
            jitter="none",
        )
    )
    first, probe, waiting = world.offer(3)
    await until(lambda: len(hook.sent) == 1)
    hook.gate = asyncio.Event()
    await until(lambda: len(hook.sent) == 2, 1000)
    if disabled:
        await world.dispatcher.disable(1, "by hand")
    await passes(60)
    assert [world.store.state(each) for each in (first, waiting)] == [DeliveryState.DEAD] * 2
    hook.gate.set()
    await world.all_final()
    assert world.store.state(probe) is DeliveryState.DELIVERED


async def test_what_says_nothing_of_the_destination_opens_nothing(world: World) -> None:
    """One mailbox that is full keeps no letter from the others, however often it is tried; a probe that meets it frees the next."""
    full = Outcome(OutcomeKind.RETRY_LATER, 452, "mailbox full", is_well=True)
    hook = Scripted(full, full, full, RETRY, full, OK)
    await world.start(world.spec(hook, failures=1, concurrency=1, cool_seconds=30, initial_seconds=1000, jitter="none"))
    deliveries = world.offer(6)
    await until(lambda: len(hook.sent) == 6, 1000)
    assert [round(at - hook.times[0]) for at in hook.times] == [0, 0, 0, 0, 30, 30]
    await until(lambda: world.store.state(deliveries[-1]) is DeliveryState.DELIVERED)
    assert {world.store.state(each) for each in deliveries[:-1]} == {DeliveryState.RETRYING}


async def test_enabling_starts_the_breaker_anew(world: World) -> None:
    """Who says that a receiver is well again need not wait until the breaker has cooled."""
    hook = Scripted(RETRY, OK)
    await world.start(world.spec(hook, failures=1, concurrency=1, cool_seconds=3600, initial_seconds=1, jitter="none"))
    world.offer()
    await until(lambda: world.lane().rest.breaker.opened)
    await world.dispatcher.disable(1, "by hand")
    await passes(10)
    await world.dispatcher.enable(1)
    await world.all_final()
    assert hook.times[1] - hook.times[0] == pytest.approx(10, abs=1)


async def test_enabling_does_not_shorten_what_the_receiver_asked_for(world: World) -> None:
    """Its Retry-After stands, whatever people do meanwhile."""
    hook = Scripted(Outcome(OutcomeKind.RETRY_LATER, 429, "slow down", retry_after_seconds=60), OK)
    await world.start(world.spec(hook, concurrency=1, initial_seconds=1))
    world.offer(2)
    await until(lambda: world.store.states)
    await world.dispatcher.disable(1, "by hand")
    await passes(10)
    await world.dispatcher.enable(1)
    await world.all_final()
    assert min(hook.times[1:]) - hook.times[0] == pytest.approx(60, abs=1)
