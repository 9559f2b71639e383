"""What the dispatcher promises to the pipeline, to operators and to a stop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from alertd.errors import ConflictError, NotFoundError, StoreUnavailableError
from alertd.model.delivery import DeliveryState, Outcome, OutcomeKind
from alertd.model.ids import DELIVERY, format_id
from alertd.store.base import DestinationState
from tests.conformance.resource_suite import entry
from tests.unit.delivery.world import GONE, NAMING, OK, REJECTED, RETRY, Scripted, World, passes, until

if TYPE_CHECKING:
    from collections.abc import Collection

    from alertd.destinations.base import Message

WHERE = {"workspace": "default", "destination": "d1"}


# ---------------------------------------------------------------------- start


async def test_pending_work_is_delivered_after_a_start(world: World) -> None:
    """What the store has from an earlier life goes out, due retries with it."""
    hook = Scripted()
    world.deliveries(30)
    await world.start(world.spec(hook, capacity=10))
    await world.all_final()
    assert len(hook.sent) == len(set(hook.sent)) == 30


async def test_a_retry_of_an_earlier_life_waits_for_its_time(world: World) -> None:
    """Due times are durable."""
    hook = Scripted()
    (delivery,) = world.deliveries()
    row = world.store.rows[delivery.id].delivery
    row.next_at_ms += 100_000
    await world.start(world.spec(hook))
    await passes(99)
    assert not hook.sent
    await world.all_final()
    assert hook.times[0] - 1000 == pytest.approx(100, abs=0.2)


async def test_many_lanes_start_together_and_none_starves(world: World) -> None:
    """Fifty lanes with work: a few pages at a time, one page each before any lane has its second one."""
    hooks = {number: Scripted() for number in range(1, 51)}
    for number in hooks:
        world.deliveries(40, number)
    await world.start(*(world.spec(hook, number, capacity=10) for number, hook in hooks.items()))
    await world.all_final()
    assert all(len(hook.sent) == 40 for hook in hooks.values())
    assert len({number for number, _ in world.store.pages[:50]}) == 50
    assert world.store.reading_most <= 4


async def test_work_of_destinations_that_are_no_more_is_cancelled(world: World) -> None:
    """At the start, with the reason; the log names the destination, which only the store still knows."""
    lost = world.deliveries(3, 9)
    with capture_logs() as logs:
        await world.start(world.spec(Scripted()))
        await world.all_final()
        await until(lambda: bool(logs))
    assert {world.store.rows[each.id].reason for each in lost} == {"destination_removed"}
    [said] = [line for line in logs if line["event"] == "destination.removed"]
    assert (said["workspace"], said["destination"], said["cancelled"]) == ("default", "d9", 3)
    assert said["log_level"] == "warning"


async def test_a_removal_that_cancels_nothing_is_no_warning(world: World) -> None:
    """Only what was lost to somebody deserves a second look."""
    await world.start(world.spec(Scripted()))
    with capture_logs() as logs:
        await world.dispatcher.apply([], NAMING)
        await until(lambda: bool(logs))
    [said] = [line for line in logs if line["event"] == "destination.removed"]
    assert (said["cancelled"], said["log_level"]) == (0, "info")


async def test_what_was_disabled_or_paused_stays_so_over_a_restart(world: World) -> None:
    """Disabled stays disabled, and a receiver's Retry-After goes on."""
    now = world.clock.now_ms()
    world.store.states = {1: DestinationState("gone: 410", now), 2: DestinationState(paused_until_ms=now + 50_000)}
    first, second = Scripted(), Scripted()
    world.deliveries(1, 1)
    world.deliveries(1, 2)
    await world.start(world.spec(first, 1), world.spec(second, 2), world.spec(Scripted(), 3, enabled=False))
    assert world.dispatcher.disabled == world.disabled[-1] == {1, 3}
    await passes(49)
    assert not second.sent
    await passes(2)
    assert len(second.sent) == 1
    assert not first.sent


async def test_a_bound_that_is_lowered_ends_a_pause(world: World) -> None:
    """A receiver that asked for a day is asked again as soon as the new bound says; that is stored as well."""
    later = Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429", retry_after_seconds=80_000)
    spec = world.spec(Scripted(later, OK))
    await world.start(spec)
    world.offer()
    await until(lambda: world.store.states.get(1, DestinationState()).paused_until_ms)
    retry = spec.options.retry.model_copy(update={"retry_after_max_seconds": 60})
    await world.dispatcher.apply([replace(spec, options=spec.options.model_copy(update={"retry": retry}))], NAMING)
    (fresh,) = world.offer()
    await until(lambda: world.store.states[1].paused_until_ms == pytest.approx(world.clock.now_ms() + 60_000, abs=2000))
    await until(lambda: world.store.state(fresh) is DeliveryState.DELIVERED, 62)


async def test_a_pause_from_a_wrong_clock_is_bounded(world: World) -> None:
    """A time far in the future that the store kept rests no longer than Retry-After ever may."""
    world.store.states = {1: DestinationState(paused_until_ms=world.clock.now_ms() + 10**12)}
    hook = Scripted()
    world.deliveries()
    await world.start(world.spec(hook, retry_after_max_seconds=60))
    await world.all_final(62)


# ---------------------------------------------------------------------- reload


async def test_a_new_destination_gets_a_lane(world: World) -> None:
    """A reload adds."""
    hook, other = Scripted(), Scripted()
    await world.start(world.spec(hook))
    await world.dispatcher.apply([world.spec(hook), world.spec(other, 2)], NAMING)
    world.offer(1, 2)
    await world.all_final()
    assert len(other.sent) == 1


async def test_a_changed_destination_ends_its_attempts_on_the_old_one(world: World) -> None:
    """The old one is closed after them; what comes next goes to the new one."""
    old, new = Scripted(), Scripted()
    old.gate = asyncio.Event()
    await world.start(world.spec(old, concurrency=2))
    world.offer(5)
    await until(lambda: len(old.sent) == 2)
    await world.dispatcher.apply([world.spec(new, concurrency=5)], NAMING)
    await until(lambda: len(new.sent) == 3)
    assert old.closed == 0
    old.gate.set()
    await world.all_final()
    assert (len(old.sent), len(new.sent), old.closed, new.closed) == (2, 3, 1, 0)


async def test_new_options_hold_at_once(world: World) -> None:
    """A smaller bound gives deliveries back to the store, none is lost."""
    hook = Scripted(seconds=0.1)
    await world.start(world.spec(hook, concurrency=1, capacity=100))
    world.offer(50)
    await passes(0.05)
    await world.dispatcher.apply([world.spec(hook, concurrency=4, capacity=6)], NAMING)
    assert world.lane().backlog.depth <= 6
    await world.all_final()
    assert hook.flying_most == 4
    assert len(hook.sent) == len(set(hook.sent)) == 50


async def test_a_removed_destination_ends_what_is_in_flight(world: World) -> None:
    """The rest is cancelled, the destination closed, its gauges gone."""
    hook = Scripted(OK, RETRY)
    hook.gate = asyncio.Event()
    await world.start(world.spec(hook, concurrency=2))
    first, second, *rest = world.offer(5)
    await until(lambda: len(hook.sent) == 2)
    await world.dispatcher.apply([], NAMING)
    await passes(10)
    assert not world.store.state(first).final
    hook.gate.set()
    await world.all_final()
    assert world.store.state(first) is DeliveryState.DELIVERED
    assert {world.store.state(each) for each in (second, *rest)} == {DeliveryState.CANCELLED}
    assert {world.store.rows[each.id].reason for each in rest} == {"destination_removed"}
    await until(lambda: hook.closed)
    assert len(hook.sent) == 2
    assert world.sample("alertd_deliveries_total", **WHERE, state="cancelled") == 4
    assert world.metrics.registry.get_sample_value("alertd_lane_depth", WHERE) is None
    with pytest.raises(NotFoundError):
        world.dispatcher.snapshot(1)


async def test_a_destination_that_comes_back_begins_anew(world: World) -> None:
    """Removed and added again while attempts were in flight: the old work is cancelled, the new is delivered."""
    old, new = Scripted(seconds=1), Scripted()
    await world.start(world.spec(old, concurrency=1))
    before = world.offer(3)
    await until(lambda: old.sent)
    await world.dispatcher.apply([], NAMING)
    await world.dispatcher.apply([world.spec(new)], NAMING)
    after = world.offer(3)
    await world.all_final()
    assert [world.store.state(each).word for each in before] == ["delivered", "cancelled", "cancelled"]
    assert {world.store.state(each) for each in after} == {DeliveryState.DELIVERED}


async def test_a_destination_that_comes_back_waits_for_no_attempt(world: World) -> None:
    """A reload ends though the last attempt hangs; what was in flight is not sent again, and cancelled when it failed.

    What there is to see is the new one's: its breaker is closed, though the former one's opened.
    """
    old, new = Scripted(RETRY), Scripted()
    early = old.gate = asyncio.Event()
    await world.start(world.spec(old, concurrency=2, failures=2))
    (failed,) = world.offer()
    await until(lambda: len(old.sent) == 1)
    late = old.gate = asyncio.Event()
    hanging, waiting = world.offer(2)
    await until(lambda: len(old.sent) == 2)
    await world.dispatcher.apply([], NAMING)
    early.set()
    await until(lambda: world.store.state(failed) is DeliveryState.RETRYING)
    async with asyncio.timeout(60):
        await world.dispatcher.apply([world.spec(new, capacity=5)], NAMING)
    assert world.store.state(waiting) is DeliveryState.CANCELLED
    after = world.offer(30)
    await until(lambda: all(world.store.state(each) is DeliveryState.DELIVERED for each in after))
    await passes(1000)
    assert (world.store.state(failed), world.store.state(hanging)) == (DeliveryState.RETRYING, DeliveryState.PENDING)
    late.set()
    await world.all_final()
    assert {world.store.state(each) for each in (failed, hanging)} == {DeliveryState.CANCELLED}
    assert sorted(new.sent) == [format_id(DELIVERY, each.id) for each in after]
    await until(lambda: old.closed)
    assert world.sample("alertd_deliveries_total", **WHERE, state="cancelled") == 3
    shown = [
        world.metrics.registry.get_sample_value(f"alertd_{name}", WHERE)
        for name in ("lane_depth", "lane_capacity", "breaker_open", "destination_disabled")
    ]
    assert shown == [0, 5, 0, 0]


async def test_a_destination_may_go_and_come_back_again(world: World) -> None:
    """While an attempt of its first life still hangs: each life sends what is its own, and all of them end."""
    hooks = [Scripted() for _ in range(3)]
    gate = hooks[0].gate = asyncio.Event()
    await world.start(world.spec(hooks[0]))
    lives = [world.offer(1)]
    await until(lambda: hooks[0].sent)
    for hook in hooks[1:]:
        await world.dispatcher.apply([], NAMING)
        async with asyncio.timeout(60):
            await world.dispatcher.apply([world.spec(hook)], NAMING)
        lives.append(world.offer(3))
        await until(lambda: all(world.store.state(each).final for each in lives[-1]))
    gate.set()
    await world.all_final()
    assert [hook.sent for hook in hooks] == [[format_id(DELIVERY, each.id) for each in life] for life in lives]
    await until(lambda: [hook.closed for hook in hooks] == [1, 1, 0])
    await world.dispatcher.apply([], NAMING)
    await until(lambda: hooks[2].closed)
    assert world.metrics.registry.get_sample_value("alertd_lane_capacity", WHERE) is None


async def test_a_cancel_that_fails_brings_nothing_to_a_later_life(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's cancel was under way when the destination went: what it was for is not sent after the return."""
    old, new, asked = Scripted(), Scripted(), asyncio.Event()
    gate = old.gate = asyncio.Event()
    await world.start(world.spec(old, concurrency=1))
    _, waiting = world.offer(2)
    await until(lambda: old.sent)

    async def fail(*_: object) -> None:
        await asked.wait()
        raise StoreUnavailableError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "cancel", fail)
        cancelling = asyncio.ensure_future(world.dispatcher.cancel(waiting.id, 1))
        await passes(1)
        await world.dispatcher.apply([], NAMING)
        await world.dispatcher.apply([world.spec(new)], NAMING)
        asked.set()
        with pytest.raises(StoreUnavailableError):
            await cancelling
    await passes(5)
    gate.set()
    await world.all_final()
    assert new.sent == []
    assert world.store.state(waiting) is DeliveryState.CANCELLED


async def test_what_is_made_after_a_return_outlives_a_late_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of the old rules comes while another destination is still being swept: that, too, is cancelled first."""
    gates = {1: asyncio.Event(), 2: asyncio.Event()}
    sweep = world.store.cancel_destination

    async def gated(destination_id: int, reason: str, held: Collection[int]) -> int:
        await gates[destination_id].wait()
        return await sweep(destination_id, reason, held)

    monkeypatch.setattr(world.store, "cancel_destination", gated)
    back = [world.spec(Scripted(), number) for number in (1, 2)]
    await world.start(*(world.spec(Scripted(), number) for number in (1, 2)))
    gates[2].set()
    await world.dispatcher.apply([], NAMING)
    await passes(1)
    gates[2].clear()
    applying = asyncio.ensure_future(world.dispatcher.apply(back, NAMING))
    await passes(1)
    (late,) = world.offer(1, 2)
    gates[1].set()
    await passes(1)
    assert not applying.done()
    gates[2].set()
    await applying
    (fresh,) = world.offer(1, 2)
    await world.all_final()
    assert [world.store.state(each).word for each in (late, fresh)] == ["cancelled", "delivered"]


async def test_a_former_life_opens_no_breaker(world: World) -> None:
    """While one of its attempts still hangs, another that fails says nothing of the destination that came back."""
    old = Scripted(RETRY)
    early = old.gate = asyncio.Event()
    await world.start(world.spec(old, concurrency=2, failures=1))
    world.offer()
    await until(lambda: len(old.sent) == 1)
    late = old.gate = asyncio.Event()
    world.offer()
    await until(lambda: len(old.sent) == 2)
    await world.dispatcher.apply([], NAMING)
    await world.dispatcher.apply([world.spec(Scripted())], NAMING)
    early.set()
    await passes(300)
    assert world.metrics.registry.get_sample_value("alertd_breaker_open", WHERE) == 0
    late.set()
    await world.all_final()


async def test_a_late_batch_for_a_lane_that_leaves_is_counted(world: World) -> None:
    """What comes while an attempt hangs is cancelled at once, and the metric says so."""
    hook = Scripted()
    hook.gate = asyncio.Event()
    await world.start(world.spec(hook, concurrency=1))
    world.offer()
    await until(lambda: hook.sent)
    await world.dispatcher.apply([], NAMING)
    await passes(1)
    world.offer(3)
    await until(lambda: world.sample("alertd_deliveries_total", **WHERE, state="cancelled") == 3)
    hook.gate.set()
    await world.all_final()


async def test_a_lane_that_leaves_after_an_outage_asks_one_thing_after_the_other(world: World) -> None:
    """Thousands were attempted and could not be stored: another outage is one line in the log, not one for each."""
    hook = Scripted()
    await world.start(world.spec(hook, concurrency=10, capacity=3000))
    world.store.unavailable = True
    world.offer(2000)
    await until(lambda: len(hook.sent) == 2000)
    await world.dispatcher.apply([], NAMING)
    world.store.unavailable = False
    await until(lambda: sum(world.store.batches) == 2000)
    with capture_logs() as logs:
        world.store.unavailable = True
        await passes(30)
        world.store.unavailable = False
        await world.all_final()
        await until(lambda: hook.closed)
    assert len([line for line in logs if line.get("waiting") == "removal"]) <= 2


@pytest.mark.parametrize("while_running", [True, False])
async def test_what_disabled_a_destination_goes_with_it(world: World, *, while_running: bool) -> None:
    """One that comes back begins anew after a restart, too: whoever removed it meant what it was, 410 and pause included."""
    kept = DestinationState("gone: 410", world.clock.now_ms(), world.clock.now_ms() + 600_000)
    world.store.states = {1: kept, 2: kept}
    stays = world.spec(Scripted(), 2)
    await world.start(*([world.spec(Scripted(), 1)] if while_running else []), stays)
    await world.dispatcher.apply([stays], NAMING)
    await until(lambda: world.store.states[1] == DestinationState())
    await world.dispatcher.apply([world.spec(Scripted(), 1), stays], NAMING)
    assert world.dispatcher.disabled == {2}
    await world.stop()
    again = World(store=world.store)
    await again.start(again.spec(Scripted(), 1), again.spec(Scripted(), 2))
    assert again.dispatcher.disabled == {2}
    await again.stop()


@pytest.mark.parametrize(
    ("reason", "is_another", "waits"),
    [("gone: 410", True, False), ("gone: 410", False, True), ("by Ann", True, True), ("by Ann: gone: 1", True, True)],
)
async def test_another_secret_or_address_lifts_what_the_receiver_said(
    world: World, reason: str, *, is_another: bool, waits: bool
) -> None:
    """What waited is sent to what the destination is now; what a person disabled, and what did not change, stays so."""
    world.store.states = {1: DestinationState(reason, world.clock.now_ms())}
    before, after = Scripted(), Scripted()
    spec = world.spec(before)
    await world.start(spec)
    world.offer(2)
    await world.dispatcher.apply([world.spec(after) if is_another else replace(spec, name="new name")], NAMING)
    await passes(1)
    assert (world.dispatcher.disabled, len(after.sent), before.sent) == ({1} if waits else set(), 0 if waits else 2, [])
    assert world.store.states[1].disabled_reason == (reason if waits else "")


async def test_what_is_committed_for_a_destination_just_removed_is_cancelled(world: World) -> None:
    """A batch that was planned with the old rules leaves nothing behind."""
    await world.start(world.spec(Scripted()))
    await world.dispatcher.apply([], NAMING)
    await passes(1)
    (late,) = world.offer()
    await world.all_final()
    assert world.store.state(late) is DeliveryState.CANCELLED


# ---------------------------------------------------------------------- operators


async def test_a_disabled_destination_keeps_its_work_and_enabling_resumes(world: World) -> None:
    """What is in flight ends; what waits stays pending; the reason is kept."""
    hook = Scripted(seconds=1)
    await world.start(world.spec(hook, concurrency=1))
    world.offer(3)
    await until(lambda: hook.sent)
    await world.dispatcher.disable(1, "by hand")
    assert world.store.states[1].disabled_reason == "by hand"
    world.offer(2)
    await passes(100)
    assert len(hook.sent) == 1
    assert world.dispatcher.snapshot(1).depth == 0
    await world.dispatcher.enable(1)
    await world.all_final()
    assert len(hook.sent) == 5


async def test_what_waits_too_long_for_a_disabled_destination_is_dead(world: World) -> None:
    """After `give_up_after_seconds`, with the reason; younger ones go on waiting."""
    hook = Scripted()
    await world.start(world.spec(hook, give_up_after_seconds=100))
    await world.dispatcher.disable(1, "by hand")
    old = world.offer(2)
    await passes(60)
    young = world.offer(2)
    await passes(60)
    assert {world.store.state(each) for each in old} == {DeliveryState.DEAD}
    assert {world.store.rows[each.id].reason for each in old} == {"gave_up"}
    assert {world.store.state(each) for each in young} == {DeliveryState.PENDING}
    assert world.sample("alertd_deliveries_total", **WHERE, state="dead") == 2
    await world.dispatcher.enable(1)
    await world.all_final()
    assert len(hook.sent) == 2


async def test_what_waits_too_long_behind_an_open_breaker_is_dead(world: World) -> None:
    """The backlog of a destination that never recovers does not grow for ever; probes go on."""
    hook = Scripted(RETRY)
    await world.start(world.spec(hook, failures=1, concurrency=1, give_up_after_seconds=300, cool_seconds=30))
    old = world.offer(500)
    await passes(320)
    assert {world.store.state(each) for each in old} == {DeliveryState.DEAD}
    assert len(hook.sent) < 20


async def test_enabling_what_the_configuration_switched_off_is_a_conflict(world: World) -> None:
    """Its file says so."""
    await world.start(world.spec(Scripted(), enabled=False))
    with pytest.raises(ConflictError):
        await world.dispatcher.enable(1)
    assert world.dispatcher.snapshot(1).disabled_reason == "switched off in its configuration"


async def test_disabling_with_a_full_disk_holds_and_is_stored_later(world: World) -> None:
    """It is in force at once, the caller hears that it is not kept yet, and then it is."""
    await world.start(world.spec(Scripted()))
    world.store.unavailable = True
    with pytest.raises(StoreUnavailableError):
        await world.dispatcher.disable(1, "by hand")
    assert world.dispatcher.disabled == {1}
    world.store.unavailable = False
    await until(lambda: 1 in world.store.states)


async def test_a_test_message_takes_the_real_way_and_stores_nothing(world: World) -> None:
    """Also to a disabled destination; its outcome and time come back."""
    hook = Scripted(REJECTED, ValueError("oops"), seconds=0.5)
    await world.start(world.spec(hook, enabled=False))
    outcome, seconds = await world.dispatcher.test(1, _message())
    assert outcome is REJECTED
    assert seconds == pytest.approx(0.5)
    assert (await world.dispatcher.test(1, _message()))[0].kind is OutcomeKind.AMBIGUOUS
    assert world.store.rows == {}
    with pytest.raises(NotFoundError):
        await world.dispatcher.test(99, _message())


async def test_a_destination_under_test_is_closed_after_it(world: World) -> None:
    """A reload does not pull it away."""
    hook = Scripted(seconds=1)
    await world.start(world.spec(hook))
    testing = asyncio.ensure_future(world.dispatcher.test(1, _message()))
    await passes(0.5)
    await world.dispatcher.apply([world.spec(Scripted())], NAMING)
    await passes(0.1)
    assert not hook.closed
    assert (await testing)[0] is OK
    await until(lambda: hook.closed == 1)


async def test_a_replay_is_offered_like_a_fresh_delivery(world: World) -> None:
    """A new delivery that names its origin."""
    hook = Scripted(REJECTED, OK)
    await world.start(world.spec(hook))
    (dead,) = world.offer()
    await world.all_final()
    again = await world.store.replay(dead.id, world.ids.take(), world.clock.now_ms())
    world.dispatcher.offer((again,))
    await world.all_final()
    assert world.store.state(again) is DeliveryState.DELIVERED
    assert len(hook.sent) == 2


async def test_a_cancelled_delivery_is_not_sent(world: World) -> None:
    """Neither one in memory, nor one in the store alone, nor one in a page that is just being read."""
    world.store.delay = lambda: 0.05
    hook = Scripted(seconds=1)
    await world.start(world.spec(hook, concurrency=1, capacity=3))
    deliveries = world.offer(8)
    await until(lambda: hook.sent)
    in_memory, stored, last = deliveries[1], deliveries[5], deliveries[7]
    await world.dispatcher.cancel(in_memory.id)
    await world.dispatcher.cancel(stored.id)
    await world.dispatcher.cancel(stored.id)
    await until(lambda: world.lane().backlog.reading)
    await world.dispatcher.cancel(last.id, 1)
    await world.all_final()
    await passes(5)
    cancelled = {format_id(DELIVERY, each.id) for each in (in_memory, stored, last)}
    assert not cancelled & set(hook.sent)
    assert len(hook.sent) == 5
    assert world.sample("alertd_deliveries_total", **WHERE, state="cancelled") == 2


async def test_a_cancel_hands_its_line_to_the_store(world: World) -> None:
    """Who cancels what is cancelled already or just then, or is refused, leaves none; only what was done is counted."""
    world.store.delay = lambda: 0.05
    await world.start(world.spec(Scripted(RETRY, seconds=1), concurrency=1))
    flying, waiting = world.offer(2)
    await until(lambda: world.dispatcher.in_flight)
    lines = [entry(number, kind="delivery") for number in range(4)]
    first = asyncio.ensure_future(world.dispatcher.cancel(waiting.id, 1, lines[0]))
    await passes(0.01)
    await world.dispatcher.cancel(waiting.id, 1, lines[1])
    assert first.done()
    with pytest.raises(ConflictError, match="in flight"):
        await world.dispatcher.cancel(flying.id, 1, lines[2])
    await world.dispatcher.cancel(waiting.id, 1, lines[3])
    assert world.store.lines == lines[:1]
    assert world.sample("alertd_deliveries_total", **WHERE, state="cancelled") == 1


async def test_a_cancel_does_what_the_one_before_it_could_not(world: World) -> None:
    """Of those that waited for one that failed the first tries again, and the others find it done."""
    world.store.delay = lambda: 0.05
    await world.start(world.spec(Scripted(RETRY, seconds=1), concurrency=1))
    _, waiting = world.offer(2)
    await until(lambda: world.dispatcher.in_flight)
    lines = [entry(number, kind="delivery") for number in range(3)]
    world.store.unavailable = True
    failing, *others = [asyncio.ensure_future(world.dispatcher.cancel(waiting.id, 1, line)) for line in lines]
    with pytest.raises(StoreUnavailableError):
        await failing
    world.store.unavailable = False
    await asyncio.gather(*others)
    assert (world.store.state(waiting), world.store.lines) == (DeliveryState.CANCELLED, lines[1:2])


async def test_a_lane_that_is_removed_during_a_cancel_still_ends(world: World) -> None:
    """The delivery that was being cancelled does not hold the removal for ever."""
    world.store.delay = lambda: 0.05
    hook = Scripted(seconds=1)
    await world.start(world.spec(hook, concurrency=1))
    _, second = world.offer(2)
    await until(lambda: hook.sent)
    cancelling = asyncio.ensure_future(world.dispatcher.cancel(second.id))
    await passes(0.01)
    await world.dispatcher.apply([], NAMING)
    await cancelling
    await world.all_final()
    await until(lambda: hook.closed, 5)


async def test_what_is_in_flight_or_final_cannot_be_cancelled(world: World) -> None:
    """A conflict; and what does not exist is not found."""
    hook = Scripted(seconds=1)
    await world.start(world.spec(hook))
    (delivery,) = world.offer()
    await until(lambda: hook.sent)
    assert delivery.id in world.dispatcher.in_flight
    assert world.dispatcher.snapshot(1).in_flight == (delivery.id,)
    with pytest.raises(ConflictError):
        await world.dispatcher.cancel(delivery.id)
    await passes(1.001)
    assert delivery.id not in world.dispatcher.in_flight
    with pytest.raises(ConflictError):
        await world.dispatcher.cancel(delivery.id)
    await world.all_final()
    with pytest.raises(ConflictError):
        await world.dispatcher.cancel(delivery.id)
    with pytest.raises(NotFoundError):
        await world.dispatcher.cancel(1)


async def test_a_cancel_that_failed_changes_nothing(world: World) -> None:
    """The delivery goes out when the disk has room again."""
    hook = Scripted(seconds=1)
    await world.start(world.spec(hook, concurrency=1))
    _, second = world.offer(2)
    await until(lambda: hook.sent)
    world.store.unavailable = True
    with pytest.raises(StoreUnavailableError):
        await world.dispatcher.cancel(second.id)
    world.store.unavailable = False
    await world.all_final()
    assert world.store.state(second) is DeliveryState.DELIVERED


async def test_the_snapshot_shows_successes_and_failures(world: World) -> None:
    """When and why, since the start."""
    hook = Scripted(OK, RETRY)
    await world.start(world.spec(hook, concurrency=1))
    world.offer()
    await world.all_final()
    await passes(10)
    world.offer()
    await until(lambda: len(hook.sent) == 2)
    await passes(0)
    now = world.dispatcher.snapshot(1)
    assert now.last_failure_at_ms is not None
    assert now.last_success_at_ms is not None
    assert now.last_failure_at_ms - now.last_success_at_ms >= 10_000
    assert now.last_error == "returned 503"
    assert (now.state, now.breaker, now.capacity, now.paused_until_ms) == ("enabled", "closed", 1000, None)


async def test_those_who_follow_hear_that_outcomes_are_stored(world: World) -> None:
    """The hub rings once they can be read."""
    await world.start(world.spec(Scripted(OK)))
    ring = world.hub.next_ring()
    world.offer()
    await world.all_final()
    await asyncio.wait_for(ring.wait(), 20)


# ---------------------------------------------------------------------- stop


async def test_a_stop_lets_attempts_end_and_stores_them(world: World) -> None:
    """Within the drain; nothing new begins."""
    hook = Scripted(seconds=3)
    await world.start(world.spec(hook, concurrency=2))
    deliveries = world.offer(5)
    await until(lambda: len(hook.sent) == 2)
    await world.stop()
    assert [world.store.state(each).word for each in deliveries] == ["delivered"] * 2 + ["pending"] * 3
    assert hook.closed == 1
    assert len(hook.sent) == 2


async def test_an_attempt_that_the_stop_cuts_is_not_counted() -> None:
    """No attempt is recorded; the delivery is as it was, and the next life attempts it as number 1."""
    world = World(drain_seconds=2)
    hook = Scripted(seconds=100)
    await world.start(world.spec(hook))
    (delivery,) = world.offer()
    await until(lambda: hook.sent)
    began = asyncio.get_running_loop().time()
    await world.stop()
    assert asyncio.get_running_loop().time() - began == pytest.approx(2, abs=0.1)
    row = world.store.rows[delivery.id]
    assert (row.state, row.attempts, hook.cut) == (DeliveryState.PENDING, [], 1)
    again = World(store=world.store)
    second = Scripted()
    await again.start(again.spec(second))
    await again.all_final()
    await again.stop()
    assert second.messages[0].attempt == 1


async def test_a_hard_stop_stores_what_was_delivered(world: World) -> None:
    """Cancelled in the middle: what was delivered is stored, what was cut is not counted."""
    hook = Scripted()
    slow = Scripted(seconds=100)
    await world.start(world.spec(hook), world.spec(slow, 2))
    sent = world.offer(3)
    world.offer(1, 2)
    await until(lambda: len(hook.sent) == 3 and slow.sent)
    assert world.task is not None
    world.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await world.task
    world.task = None
    assert {world.store.state(each) for each in sent} == {DeliveryState.DELIVERED}
    assert (slow.cut, hook.closed, slow.closed) == (1, 1, 1)


async def test_a_stop_does_not_hang_on_a_full_disk(world: World) -> None:
    """It tries for a moment; what is not stored is attempted again after the restart."""
    hook = Scripted()
    await world.start(world.spec(hook))
    world.offer(3)
    await until(lambda: len(hook.sent) == 3)
    world.store.unavailable = True
    began = asyncio.get_running_loop().time()
    await world.stop()
    assert asyncio.get_running_loop().time() - began < 5


async def test_stopping_twice_or_before_the_start_is_fine(world: World) -> None:
    """The contract of a service."""
    world.deliveries()
    world.dispatcher.stop()
    world.dispatcher.stop()
    hook = Scripted()
    await world.start(world.spec(hook))
    assert world.task is not None
    await world.task
    assert not hook.sent
    world.offer()


async def test_it_dies_when_the_store_fails_for_good(world: World) -> None:
    """Not silently: the daemon must hear of it."""
    await world.start(world.spec(Scripted()))
    world.store.broken = True
    world.offer()
    assert world.task is not None
    with pytest.raises(RuntimeError, match="broken store"):
        await world.task
    world.task = None


async def test_a_store_that_cannot_be_read_for_a_while_is_asked_again(world: World) -> None:
    """Pages come when it is back."""
    hook = Scripted()
    world.deliveries(3)
    world.store.unavailable = True
    await world.start(world.spec(hook))
    await passes(60)
    world.store.unavailable = False
    await world.all_final()
    assert len(hook.sent) == 3


async def test_gone_while_removed_changes_nothing_else(world: World) -> None:
    """A lane on its way out disables nobody."""
    hook = Scripted(GONE, seconds=1)
    await world.start(world.spec(hook))
    world.offer()
    await until(lambda: hook.sent)
    await world.dispatcher.apply([], NAMING)
    await world.all_final()
    assert world.dispatcher.disabled == frozenset()
    assert world.gone == []
    assert 1 not in world.store.states


async def test_a_pause_is_kept(world: World) -> None:
    """So that a restart does not shorten it."""
    answer = Outcome(OutcomeKind.RETRY_LATER, 429, "", retry_after_seconds=600)
    await world.start(world.spec(Scripted(answer)))
    world.offer()
    await until(lambda: 1 in world.store.states)
    assert world.store.states[1].paused_until_ms == world.dispatcher.snapshot(1).paused_until_ms
    assert world.store.states[1].paused_until_ms == pytest.approx(world.clock.now_ms() + 600_000, abs=1000)


def _message() -> Message:
    from alertd.destinations.base import Message  # noqa: PLC0415 - only here

    return Message("dlv_x", "alt_x", 1, "default", "s", "c", None, "test", b"{}", "", test=True)
