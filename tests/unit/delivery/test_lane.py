"""What a lane promises to its destination, to its deliveries and to the other lanes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from alertd.delivery.breaker import BreakerState
from alertd.delivery.lane import YIELD_ATTEMPTS
from alertd.model.delivery import DeliveryState, Outcome, OutcomeKind
from alertd.model.ids import DELIVERY, format_id
from tests.unit.delivery.world import AMBIGUOUS, GONE, OK, REJECTED, RETRY, Scripted, passes, until

if TYPE_CHECKING:
    from alertd.destinations.base import Message
    from tests.unit.delivery.world import World

WHERE = {"workspace": "default", "destination": "d1"}


async def test_an_offered_delivery_starts_at_once(world: World) -> None:
    """In the very next turn of the loop when a worker is free."""
    hook = Scripted()
    await world.start(world.spec(hook))
    await passes(1)
    world.offer()
    await asyncio.sleep(0)
    assert len(hook.sent) == 1


async def test_what_comes_as_the_last_worker_ends_is_not_left_behind(world: World) -> None:
    """A delivery offered between a worker's last look at the queue and its end starts all the same."""

    class Late(Scripted):
        async def attempt(self, message: Message) -> Outcome:
            if not self.messages:  # this call is run after the worker's last step, and before its end is noted
                asyncio.get_running_loop().call_soon(world.offer)
            return await super().attempt(message)

    hook = Late()
    await world.start(world.spec(hook, concurrency=1))
    world.offer()
    await until(lambda: len(hook.sent) == 2)
    await world.all_final()


async def test_the_message_says_what_users_named(world: World) -> None:
    """Names, outside ids, the attempt's number and the link."""
    hook = Scripted(RETRY, OK)
    await world.start(world.spec(hook))
    (delivery,) = world.offer()
    await world.all_final()
    first, second = hook.messages
    assert (first.subscription, first.channel, first.workspace) == ("a-subscription", "a-channel", "default")
    assert first.delivery_id == second.delivery_id == format_id(DELIVERY, delivery.id)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.url == f"http://alertd/alerts/{first.alert_id}"
    assert (first.event_type, first.event) == ("run:failed", b"{}")


async def test_never_more_attempts_than_concurrency(world: World) -> None:
    """At the bound, not beyond; and all places are used."""
    hook = Scripted(seconds=1)
    await world.start(world.spec(hook, concurrency=3))
    world.offer(10)
    await world.all_final()
    assert hook.flying_most == 3


async def test_memory_is_bounded_and_the_rest_is_read_back(world: World) -> None:
    """A lane of 10 with 100 deliveries holds 10, and delivers all."""
    hook = Scripted(seconds=0.1)
    await world.start(world.spec(hook, capacity=10, concurrency=2))
    world.offer(100)
    assert world.lane().backlog.depth == 10
    assert world.sample("alertd_lane_depth", **WHERE) == world.sample("alertd_lane_capacity", **WHERE) == 10
    await world.all_final()
    assert len(hook.sent) == len(set(hook.sent)) == 100


@pytest.mark.parametrize("capacity", [1, 2, 3, 8, 9])
async def test_small_lanes_get_everything_too(world: World, capacity: int) -> None:
    """Also a lane whose bound is below its concurrency."""
    hook = Scripted(seconds=0.01)
    await world.start(world.spec(hook, capacity=capacity))
    for _ in range(20):
        world.offer(3)
        await passes(0.005)
        assert world.lane().backlog.depth <= capacity
    await world.all_final()
    assert len(hook.sent) == len(set(hook.sent)) == 60


async def test_an_idle_lane_costs_no_task_and_no_timer(world: World) -> None:
    """After its work, and after a retry."""
    hook = Scripted(RETRY, OK)
    await world.start(world.spec(hook))
    world.offer(2)
    await world.all_final()
    await passes(1)
    lane = world.lane()
    assert (lane.workers, lane._alarm._timer) == (set(), None)


async def test_a_thousand_retries_need_one_timer(world: World) -> None:
    """Deliveries that wait are the store's; and they are read in pages, not one by one."""
    hook = Scripted(*[RETRY] * 1000, OK)
    await world.start(world.spec(hook, failures=10**6, initial_seconds=5))
    world.offer(1000)
    await until(lambda: len(hook.sent) == 1000)
    await until(lambda: not world.lane().backlog.held)
    assert world.lane()._alarm._timer is not None
    assert not world.lane().workers
    await world.all_final()
    assert len(world.store.pages) < 70


async def test_failures_are_retried_on_schedule(world: World) -> None:
    """Without jitter: 5, 10, 20 seconds apart, to within the reading of a page."""
    hook = Scripted(RETRY, AMBIGUOUS, RETRY, OK)
    await world.start(world.spec(hook, jitter="none"))
    (delivery,) = world.offer()
    await world.all_final()
    gaps = [after - before for before, after in zip(hook.times, hook.times[1:], strict=False)]
    assert gaps == pytest.approx([5, 10, 20], abs=0.2)
    states = [attempt.state for attempt in world.store.rows[delivery.id].attempts]
    assert states == [DeliveryState.RETRYING] * 3 + [DeliveryState.DELIVERED]


async def test_the_last_attempt_leaves_it_dead(world: World) -> None:
    """`max_attempts` attempts, and no more."""
    hook = Scripted(RETRY)
    await world.start(world.spec(hook, max_attempts=3))
    (delivery,) = world.offer()
    await world.all_final()
    assert len(hook.sent) == 3
    assert world.store.state(delivery) is DeliveryState.DEAD
    assert world.sample("alertd_deliveries_total", **WHERE, state="retrying") == 2
    assert world.sample("alertd_deliveries_total", **WHERE, state="dead") == 1
    assert world.sample("alertd_attempts_total", **WHERE, outcome="retry_later") == 3


async def test_rejections_are_dead_at_once_and_no_failures(world: World) -> None:
    """Other 4xx say nothing about the destination's health."""
    hook = Scripted(REJECTED)
    await world.start(world.spec(hook, failures=2))
    world.offer(10)
    await world.all_final()
    assert len(hook.sent) == 10
    assert world.dispatcher.snapshot(1).breaker is BreakerState.CLOSED


async def test_retry_after_holds_the_whole_lane_beyond_the_schedule(world: World) -> None:
    """Even above `max_seconds`: nothing is sent before, not even fresh deliveries."""
    hook = Scripted(Outcome(OutcomeKind.RETRY_LATER, 429, "slow down", retry_after_seconds=7200), OK)
    await world.start(world.spec(hook, max_seconds=10))
    world.offer()
    await until(lambda: hook.sent)
    await until(lambda: world.store.states)
    world.offer(5)
    await passes(7000)
    assert len(hook.sent) == 1
    await world.all_final()
    assert min(hook.times[1:]) - hook.times[0] == pytest.approx(7200, abs=1)


async def test_a_receiver_may_ask_for_rest_before_it_refuses(world: World) -> None:
    """An answer that took the delivery and says that no more is taken for a while holds the lane."""
    hook = Scripted(Outcome(OutcomeKind.DELIVERED, 204, retry_after_seconds=60), OK)
    world.deliveries(3)
    await world.start(world.spec(hook, concurrency=1))
    await world.all_final()
    assert [round(at - hook.times[0]) for at in hook.times] == [0, 60, 60]


async def test_retry_after_is_shortened_only_by_its_own_bound(world: World) -> None:
    """`retry_after_max_seconds` is the longest that a receiver can ask for."""
    hook = Scripted(Outcome(OutcomeKind.RETRY_LATER, 429, "", retry_after_seconds=10**9), OK)
    await world.start(world.spec(hook, retry_after_max_seconds=100))
    world.offer()
    await world.all_final()
    assert hook.times[1] - hook.times[0] == pytest.approx(100, abs=1)


async def test_while_the_breaker_is_open_no_attempts_are_burnt(world: World) -> None:
    """Three failures, then one probe each 30 seconds; when one succeeds everything flows."""
    hook = Scripted(*[RETRY] * 5, OK)
    await world.start(world.spec(hook, failures=3, concurrency=1, cool_seconds=30, initial_seconds=1))
    world.offer(50)
    await until(lambda: len(hook.sent) == 3)
    await until(lambda: world.sample("alertd_breaker_open", **WHERE) == 1)
    await passes(29)
    assert len(hook.sent) == 3
    await passes(2)
    assert len(hook.sent) == 4
    await world.all_final()
    assert len(hook.sent) == 55
    assert world.sample("alertd_breaker_open", **WHERE) == 0
    assert hook.times[5] - hook.times[2] == pytest.approx(90, abs=1)


async def test_one_probe_at_a_time(world: World) -> None:
    """However many places the lane has."""
    hook = Scripted(RETRY, seconds=1)
    await world.start(world.spec(hook, failures=1, concurrency=1, cool_seconds=5))
    world.offer(100)
    await until(lambda: len(hook.sent) == 2)
    await world.dispatcher.apply(
        [world.spec(hook, failures=1, concurrency=8, cool_seconds=5)],
        world.dispatcher._around.naming,
    )
    hook.flying_most = 0
    await passes(60)
    assert hook.flying_most == 1


async def test_no_cooling_time_does_not_spin(world: World) -> None:
    """With `cool_seconds` 0 probes follow each other one by one, as long as something is due."""
    hook = Scripted(RETRY)
    await world.start(world.spec(hook, failures=1, cool_seconds=0, jitter="none", initial_seconds=1000, max_attempts=2))
    world.offer(20)
    await passes(100)
    assert len(hook.sent) == 20
    assert not world.lane().workers
    await world.all_final()
    assert len(hook.sent) == 40


async def test_the_rate_is_kept(world: World) -> None:
    """Five a second, from the first second on."""
    hook = Scripted()
    await world.start(world.spec(hook, rate_per_second=5))
    world.offer(50)
    await world.all_final()
    assert hook.times[-1] - hook.times[0] == pytest.approx(49 / 5, abs=0.1)
    for at in hook.times:
        assert sum(at <= other < at + 1 for other in hook.times) <= 6


async def test_gone_disables_the_destination_and_keeps_the_rest_waiting(world: World) -> None:
    """That delivery is dead; the others stay pending; nothing is sent until it is enabled."""
    hook = Scripted(OK, GONE, OK)
    await world.start(world.spec(hook, concurrency=1))
    deliveries = world.offer(5)
    await until(lambda: world.store.states.get(1))
    await until(lambda: world.store.state(deliveries[1]) is DeliveryState.DEAD)
    world.offer(3)
    await passes(3600)
    assert len(hook.sent) == 2
    assert world.store.states[1].disabled_reason == "gone: returned 410"
    assert world.disabled[-1] == {1}
    assert world.gone == [("d1", "gone: returned 410")]
    now = world.dispatcher.snapshot(1)
    assert (now.state, now.disabled_reason) == ("disabled", "gone: returned 410")
    assert world.sample("alertd_destination_disabled", **WHERE) == 1
    assert all(world.store.state(each) is DeliveryState.PENDING for each in deliveries[2:])
    await world.dispatcher.enable(1)
    assert world.disabled[-1] == frozenset()
    assert world.store.states[1].disabled_reason == ""
    await world.all_final()
    assert len(hook.sent) == 8


async def test_a_destination_that_breaks_its_contract_ends_nothing(world: World) -> None:
    """One that raises counts as ambiguous; the lane goes on."""
    hook = Scripted(ValueError("oops"), asyncio.CancelledError(), OK)
    await world.start(world.spec(hook))
    (delivery,) = world.offer()
    await world.all_final()
    kinds = [attempt.outcome.kind for attempt in world.store.rows[delivery.id].attempts]
    assert kinds == [OutcomeKind.AMBIGUOUS, OutcomeKind.AMBIGUOUS, OutcomeKind.DELIVERED]


async def test_a_destination_that_answers_at_once_does_not_hog_the_loop(world: World) -> None:
    """Others get their turn after a few attempts of each worker."""
    hook = Scripted()
    await world.start(world.spec(hook, concurrency=2))
    world.offer(1000)
    turns = 0
    while len(hook.sent) < 1000:
        before = len(hook.sent)
        await asyncio.sleep(0)
        assert len(hook.sent) - before <= 2 * YIELD_ATTEMPTS
        turns += 1
    assert turns >= 1000 / (2 * YIELD_ATTEMPTS)


async def test_a_hanging_destination_costs_the_others_nothing(world: World) -> None:
    """A bulkhead: the healthy lane delivers at once while the dead one is full."""
    dead, healthy = Scripted(), Scripted()
    dead.gate = asyncio.Event()
    await world.start(world.spec(dead, 1, capacity=5), world.spec(healthy, 2))
    world.offer(100, 1)
    await passes(1)
    began = asyncio.get_running_loop().time()
    world.offer(100, 2)
    await until(lambda: len(healthy.sent) == 100)
    assert asyncio.get_running_loop().time() - began < 0.1
    dead.gate.set()
    await world.all_final()


async def test_a_full_disk_holds_the_lanes_and_loses_nothing(world: World) -> None:
    """Attempts that were made are stored when the disk is free again, and nothing is sent twice."""
    hook = Scripted()
    await world.start(world.spec(hook))
    world.dispatcher._outcomes._bound = 20
    world.store.unavailable = True
    world.offer(200)
    await passes(600)
    assert 20 <= len(hook.sent) <= 20 + 8
    world.store.unavailable = False
    await world.all_final()
    assert len(hook.sent) == len(set(hook.sent)) == 200


async def test_a_wall_clock_that_steps_forward_is_noticed(world: World) -> None:
    """A retry that is due in an hour comes within a minute when the wall jumps by an hour."""
    hook = Scripted(RETRY, OK)
    await world.start(world.spec(hook, initial_seconds=3600, jitter="none"))
    world.offer()
    await until(lambda: hook.sent)
    await passes(1)
    world.clock.step_ms += 3_600_000
    await world.all_final(61)


async def test_a_dead_receiver_does_not_flood_the_log(world: World) -> None:
    """A thousand identical failures: one line each half minute, with how many were left out."""
    hook = Scripted(RETRY)
    await world.start(world.spec(hook, failures=10**6, max_attempts=50, max_seconds=10))
    with capture_logs() as logs:
        world.offer(100)
        await passes(100)
    lines = [line for line in logs if line["event"] == "delivery.attempted"]
    assert 1 < len(lines) <= 5
    assert sum(line.get("left_out", 0) for line in lines) > 100
    first = lines[0]
    assert (first["outcome"], first["status"], first["destination"]) == ("retry_later", 503, "d1")
    assert first["delivery"].startswith("dlv_")
    assert first["next_at"].endswith("Z")


async def test_success_is_silent(world: World) -> None:
    """No line for what works."""
    await world.start(world.spec(Scripted()))
    with capture_logs() as logs:
        world.offer(10)
        await world.all_final()
    assert logs == []


async def test_breaker_and_recovery_are_told(world: World) -> None:
    """One line when it opens, however many probes fail, and one when it closes."""
    hook = Scripted(*[RETRY] * 8, OK)
    await world.start(world.spec(hook, failures=2, concurrency=1, cool_seconds=5))
    with capture_logs() as logs:
        world.offer(30)
        await world.all_final()
    events = [line["event"] for line in logs if line["event"].startswith("breaker")]
    assert events == ["breaker.opened", "breaker.closed"]


async def test_debug_tells_of_successes(world: World) -> None:
    """When asked for."""
    world.dispatcher.log_successes(on=True)
    await world.start(world.spec(Scripted()))
    with capture_logs() as logs:
        world.offer()
        await world.all_final()
    assert [line["outcome"] for line in logs] == ["delivered"]


async def test_metrics_tell_how_long(world: World) -> None:
    """Attempt time, and the time from acceptance to delivery with its retries."""
    hook = Scripted(RETRY, OK, seconds=0.5)
    await world.start(world.spec(hook, jitter="none", initial_seconds=10))
    world.offer()
    await world.all_final()
    assert world.sample("alertd_attempt_seconds_sum", **WHERE) == pytest.approx(1)
    assert world.sample("alertd_event_to_delivery_seconds_sum") == pytest.approx(11, abs=0.2)
