"""What waits beyond `queue.spill_max` comes together in a digest: nothing is lost, nothing is told twice, order holds."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from typing_extensions import override

from alertd.delivery.dispatcher import Dispatcher
from alertd.delivery.hub import Hub
from alertd.delivery.naming import Naming
from alertd.delivery.spec import LaneSpec
from alertd.errors import StoreUnavailableError
from alertd.metrics import Metrics
from alertd.model.delivery import DeliveryState
from alertd.model.ids import DELIVERY, parse_id
from alertd.store.base import Batch, Filter
from alertd.store.memory import MemoryStore
from tests.conformance.store_maker import NAMES, Maker
from tests.unit.delivery.world import AMBIGUOUS, GONE, OK, RETRY, LoopClock, Scripted, options, passes, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from alertd.destinations.base import Message
    from alertd.store.digests import Spill, Spilled

NAMING = Naming(
    {7: "a-subscription", 5: "a-channel"},
    lambda alert: f"http://alertd/alerts/{alert}",
    list_link=lambda workspace, digest: f"http://alertd/{workspace}/{digest}",
)
CANCELLED = DeliveryState.CANCELLED
FAR_MS = 1 << 60


class Store(MemoryStore):
    """A store in memory that can be made to fail."""

    unavailable = False

    def __init__(self, clock: LoopClock) -> None:
        super().__init__(clock)
        self.held_at = ""
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()

    async def _pass(self, where: str) -> None:
        if where == self.held_at:
            self.reached.set()
            await self.gate.wait()

    @override
    async def digest(self, spill: Spill) -> Spilled:
        if self.unavailable:
            raise StoreUnavailableError("disk full")
        await self._pass("digesting")
        return await super().digest(spill)

    @override
    async def waiting(self, destination_id: int, busy: Collection[int]) -> int:
        found = await super().waiting(destination_id, busy)
        await self._pass("looking")
        return found

    @override
    async def cancel_destination(self, destination_id: int, reason: str, held: Collection[int]) -> int:
        """Cancel what waits now; what is made while that is done is not met, as on a walk that has passed its place."""
        due = await self.due(destination_id, FAR_MS, 10**6, held)
        await passes(3)
        return sum([await self.cancel(each.id, reason) is CANCELLED for each in due.deliveries])


class Desk:
    """A dispatcher over a store in memory, with one destination."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.store = Store(self.clock)
        self.make = Maker(self.clock, self.store.salt)  # type: ignore[arg-type]  # a clock that is moved
        self.hook = Scripted()
        self.metrics = Metrics()
        self.made: list[int] = []
        self.tasks: list[tuple[Dispatcher, asyncio.Task[None]]] = []
        self.random = random.Random(3)  # noqa: S311 - a test

    def spec(self, **given: Any) -> LaneSpec:
        """Describe the destination."""
        return LaneSpec(3, "default", "d0", options(**given), True, self.hook)

    async def start(self, **given: Any) -> Dispatcher:
        """Start a dispatcher, after the one before has stopped."""
        await self.store.intern(NAMES)
        self.hook.closed = 0
        dispatcher = Dispatcher(
            self.store, self.clock, self.metrics, Hub(), random=self.random.random, ids=self.make.ids, drain_seconds=0
        )
        await dispatcher.apply([self.spec(**given)], NAMING)
        self.tasks.append((dispatcher, asyncio.ensure_future(dispatcher.run())))
        await passes(0)
        return dispatcher

    async def stop(self) -> None:
        """Stop hard: what is in flight is cut."""
        for dispatcher, task in self.tasks:
            dispatcher.stop()
            await task
        self.tasks.clear()

    async def offer(self, count: int) -> None:
        """Commit some alerts and offer their deliveries."""
        plans = [self.make.plan(message=f"number {len(self.made) + n}") for n in range(count)]
        await self.store.commit(Batch(1, plans))
        deliveries = [replace(plan.deliveries[0]) for plan in plans]
        self.made += [delivery.id for delivery in deliveries]
        for dispatcher, _ in self.tasks:
            dispatcher.offer(deliveries)

    async def rows(self) -> dict[int, dict[str, Any]]:
        """Give every delivery there is."""
        return {row["id"]: row for row in (await self.store.deliveries(Filter(limit=10**6))).items}

    async def digests(self) -> dict[int, dict[str, Any]]:
        """Give every digest."""
        return {number: row for number, row in (await self.rows()).items() if row["digest_count"] is not None}

    async def quiet(self) -> None:
        """Wait until nothing waits any more."""
        while await self.store.outbox_counts():
            await passes(1)

    def sent(self) -> list[int]:
        """Give what was attempted, in order."""
        return [parse_id(DELIVERY, message.delivery_id) or 0 for message in self.hook.messages]

    def sample(self, name: str, **labels: str) -> float:
        """Read a metric of the destination."""
        where = {"workspace": "default", "destination": "d0"}
        return self.metrics.registry.get_sample_value(name, where | labels) or 0.0


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A desk, cleared at the end."""
    made = Desk()
    yield made
    await made.stop()


def stuck(desk: Desk) -> asyncio.Event:
    """Let the destination take and never answer, until the event is set."""
    desk.hook.gate = asyncio.Event()
    return desk.hook.gate


async def test_what_is_too_much_comes_in_one_digest(desk: Desk) -> None:
    """Two are in flight, twenty wait, the other seventy-eight come in one digest, after all that waited."""
    gate = stuck(desk)
    await desk.start(spill_max=20, concurrency=2)
    await desk.offer(100)
    await passes(3)
    (digest_id,) = await desk.digests()
    gate.set()
    await desk.quiet()
    assert desk.sent() == [*desk.made[:22], digest_id]
    said = desk.hook.messages[-1].digest
    assert said is not None
    assert said.count == 78
    assert [orjson.loads(entry.event)["message"] for entry in said.entries] == [f"number {n}" for n in range(22, 42)]
    rows = await desk.rows()
    assert {(rows[n]["state"], rows[n]["detail"], rows[n]["digest_id"]) for n in desk.made[22:]} == {
        (CANCELLED, "digested", digest_id)
    }
    assert desk.sample("alertd_digests_total") == 1
    assert desk.sample("alertd_digested_deliveries_total") == 78
    assert desk.sample("alertd_deliveries_total", state="cancelled") == 78


async def test_it_counts_on_while_the_destination_is_stuck(desk: Desk) -> None:
    """However long it lasts and however much comes, there is one digest, and as many wait as may."""
    gate = stuck(desk)
    await desk.start(spill_max=5, concurrency=1, capacity=3)
    for _ in range(10):
        await desk.offer(50)
        await passes(2)
        assert (await desk.store.outbox_counts()).popitem()[1] == 1 + 5 + 1
    gate.set()
    await desk.quiet()
    (digest,) = (await desk.digests()).values()
    assert digest["digest_count"] == 500 - 6
    assert desk.sent() == [*desk.made[:6], digest["id"]]


@pytest.mark.parametrize("bound", [None, 100])
async def test_within_the_bound_nothing_comes_together(desk: Desk, bound: int | None) -> None:
    """Without a bound never."""
    gate = stuck(desk)
    await desk.start(spill_max=bound, concurrency=1, capacity=10)
    await desk.offer(101)
    await passes(30)
    gate.set()
    await desk.quiet()
    assert desk.sent() == desk.made


async def test_a_lower_bound_holds_at_once(desk: Desk) -> None:
    """After a reload what waits is looked at again."""
    gate = stuck(desk)
    dispatcher = await desk.start(concurrency=1)
    await desk.offer(50)
    await passes(3)
    assert not await desk.digests()
    await dispatcher.apply([desk.spec(spill_max=10, concurrency=1)], NAMING)
    await passes(3)
    assert [row["digest_count"] for row in (await desk.digests()).values()] == [39]
    gate.set()
    await desk.quiet()


@pytest.mark.parametrize("outcome", [RETRY, AMBIGUOUS])
async def test_a_digest_is_retried_as_it_was(desk: Desk, outcome: Any) -> None:
    """Every attempt has the same id and lists the same alerts, whatever comes meanwhile."""
    gate = stuck(desk)
    await desk.start(spill_max=1, concurrency=1)
    await desk.offer(10)
    await passes(3)
    desk.hook.outcomes = [OK, outcome, OK, outcome, OK]
    gate.set()
    await until(lambda: len(desk.hook.messages) == 3)
    await desk.offer(1)
    await desk.quiet()
    told = [message for message in desk.hook.messages if message.digest is not None]
    assert [message.attempt for message in told] == [1, 2, 3]
    assert len({_said(message) for message in told}) == 1
    assert [message.maybe_duplicate for message in told] == [False, outcome is AMBIGUOUS, outcome is AMBIGUOUS]


async def test_a_digest_of_an_earlier_life_is_left_as_it_is(desk: Desk) -> None:
    """It may have been sent; what comes after a restart is in another one."""
    stuck(desk)
    await desk.start(spill_max=2, concurrency=1)
    await desk.offer(10)
    await passes(3)
    await desk.stop()
    await desk.start(spill_max=2, concurrency=1)
    await desk.offer(10)
    await passes(3)
    assert [row["digest_count"] for _, row in sorted((await desk.digests()).items())] == [7, 10]
    assert desk.hook.gate is not None
    desk.hook.gate.set()
    await desk.quiet()
    first, second = sorted(await desk.digests())
    assert desk.sent()[-4:] == [*desk.made[1:3], first, second]


async def test_a_disabled_destination_spills_too(desk: Desk) -> None:
    """What waits for it is bounded like any other; enabled again, it gets the digest."""
    dispatcher = await desk.start(spill_max=3, concurrency=1)
    await dispatcher.disable(3, "broken")
    await desk.offer(10)
    await passes(3)
    assert [row["digest_count"] for row in (await desk.digests()).values()] == [7]
    await dispatcher.enable(3)
    await desk.quiet()
    assert len(desk.hook.messages) == 4


async def test_a_digest_that_died_is_replayed_as_one(desk: Desk) -> None:
    """It tells the same under an id of its own."""
    gate = stuck(desk)
    dispatcher = await desk.start(spill_max=1, concurrency=1)
    await desk.offer(5)
    await passes(3)
    desk.hook.outcomes = [OK, GONE, OK]
    gate.set()
    await until(lambda: len(desk.hook.messages) == 3)
    await passes(1)
    (digest_id,) = await desk.digests()
    await dispatcher.enable(3)
    again = await desk.store.replay(digest_id, desk.make.ids.take(), desk.clock.now_ms())
    dispatcher.offer((again,))
    await desk.quiet()
    first, second = desk.hook.messages[-2:]
    assert second.digest == first.digest
    assert desk.sent()[-2:] == [digest_id, again.id]


async def test_a_store_that_cannot_write_is_asked_again(desk: Desk) -> None:
    """Nothing is lost meanwhile, and the lane goes on."""
    gate = stuck(desk)
    await desk.start(spill_max=5, concurrency=1)
    desk.store.unavailable = True
    await desk.offer(50)
    await passes(10)
    assert not await desk.digests()
    desk.store.unavailable = False
    await passes(3)
    assert [row["digest_count"] for row in (await desk.digests()).values()] == [44]
    gate.set()
    await desk.quiet()


@pytest.mark.parametrize("seed", range(12))
async def test_every_alert_is_told_once_whatever_happens(desk: Desk, seed: int) -> None:
    """Bursts, failures, pauses and restarts: each alert goes out by itself or in one digest, never both, never neither."""
    chance = random.Random(seed)  # noqa: S311 - a test
    desk.hook.outcomes = [chance.choice((OK, OK, OK, RETRY, AMBIGUOUS)) for _ in range(4000)] + [OK]
    desk.hook.seconds = 0.3
    given = {"spill_max": chance.choice((1, 3, 20)), "concurrency": chance.choice((1, 4)), "capacity": 10}
    given |= {"initial_seconds": 1, "max_seconds": 3, "max_attempts": 1000, "failures": 5, "cool_seconds": 2}
    await desk.start(**given)
    for _ in range(25):
        await desk.offer(chance.choice((0, 1, 5, 60)))
        await passes(chance.choice((0.1, 1, 3)))
        if chance.random() < 0.1:
            await desk.stop()
            await desk.start(**given)
    await desk.quiet()
    rows = await desk.rows()
    alone = {number for number in desk.made if rows[number]["state"] is DeliveryState.DELIVERED}
    together = Counter(rows[number]["digest_id"] for number in desk.made if number not in alone)
    assert None not in together
    assert together == {n: row["digest_count"] for n, row in rows.items() if row["digest_count"] is not None}
    assert all(rows[number]["state"] is DeliveryState.DELIVERED for number in together)
    said = Counter(desk.sent())
    assert set(said) == alone | set(together)
    assert len({_said(message) for message in desk.hook.messages}) == len(alone) + len(together)


def _said(message: Message) -> tuple[Any, ...]:
    return (message.delivery_id, message.digest, message.event, message.time)


async def test_no_page_is_begun_while_a_digest_is_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by a lane that asked for one before: the page would bring what is about to be in the digest."""
    gate = stuck(desk)
    dispatcher = await desk.start(spill_max=5, concurrency=1)
    lane, digest, begun = dispatcher._lanes[3], desk.store.digest, []

    async def watched(spill: Spill) -> Spilled:
        begun.append((lane.backlog.wants_page(), lane.begin_page()))
        return await digest(spill)

    monkeypatch.setattr(desk.store, "digest", watched)
    await desk.offer(50)
    await passes(3)
    assert begun == [(True, 0)]
    gate.set()
    await desk.quiet()
    (digest_id,) = await desk.digests()
    assert desk.sent() == [*desk.made[:6], digest_id]


@pytest.mark.parametrize("begun", ["looking", "digesting"])
async def test_a_removed_destination_gets_no_digest_behind_its_back(desk: Desk, begun: str) -> None:
    """What was being put together when it went is cancelled like all else that waits for it; nothing waits for nobody."""
    gate = stuck(desk)
    dispatcher = await desk.start(spill_max=5, concurrency=1)
    desk.store.held_at = begun
    await desk.offer(50)
    await desk.store.reached.wait()
    gate.set()
    await dispatcher.apply([], NAMING)
    await passes(1)
    desk.store.gate.set()
    await passes(30)
    assert await desk.store.outbox_counts() == {}
