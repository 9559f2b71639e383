"""What a lane knows of the time before the start: what its newest deliveries tell, and nothing that is not so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from alertd.delivery.recollection import NEWEST, Recollection
from alertd.delivery.spec import LaneSpec
from alertd.errors import StoreUnavailableError
from alertd.model.delivery import DeliveryState
from alertd.store.base import Batch
from alertd.store.memory import MemoryStore
from tests.conformance.store_maker import NAMES, START_MS, Maker, StillClock
from tests.unit.delivery.world import OK, REJECTED, Scripted, World, options, until

if TYPE_CHECKING:
    from alertd.delivery.snapshot import LaneSnapshot
    from alertd.model.delivery import Outcome
    from alertd.store.base import Filter

DELIVERED, RETRYING, DEAD = DeliveryState.DELIVERED, DeliveryState.RETRYING, DeliveryState.DEAD
D0, D1 = 3, 4


class Breakable(MemoryStore):
    """A store that cannot be read for one destination."""

    unreadable = ""

    @override
    async def delivery_ids(self, which: Filter) -> tuple[list[int], int | None]:
        """Look, unless it is that one's."""
        if which.destination == self.unreadable:
            raise StoreUnavailableError("disk full")
        return await super().delivery_ids(which)


class Bench:
    """A history in memory, and lanes that know nothing of it."""

    def __init__(self, world: World) -> None:
        self.clock = StillClock()
        self.store = Breakable(self.clock)
        self.make = Maker(self.clock, self.store.salt)
        self.world = world
        self.since: int | None = None
        lanes = world.dispatcher
        self.service = Recollection(self.store, world.clock, lambda: lanes.lanes, lambda workspace, name: self.since)

    async def start(self, *outcomes: Outcome) -> None:
        """Give both destinations a lane, named as in the store."""
        await self.store.intern(NAMES)
        names = {D0: "d0", D1: "d1"}
        await self.world.start(
            *(LaneSpec(n, "default", name, options(), True, Scripted(*outcomes)) for n, name in names.items())
        )

    async def made(self, *states: DeliveryState, to: int = D0) -> None:
        """Keep a delivery made now, with attempts that came to these states, a second after each other."""
        plan = self.make.plan(to=(to,))
        await self.store.commit(Batch(1, [plan]))
        for number, state in enumerate(states, 1):
            self.clock.ms += 1000
            await self.store.record([self.make.attempt(plan.deliveries[0].id, number, state)])

    async def recalled(self, number: int = D0) -> LaneSnapshot:
        """Recall, and look at a destination."""
        await self.service.recall(self.world.lane(number))
        await self.service.search(self.world.lane(number))
        return self.world.dispatcher.snapshot(number)


@pytest.fixture
async def bench(world: World) -> Bench:
    """Make one, started."""
    made = Bench(world)
    await made.start()
    return made


def after(seconds: int) -> int:
    """Milliseconds since 1970 of a moment after the start of the history."""
    return START_MS + seconds * 1000


def told(now: LaneSnapshot) -> tuple[int | None, int | None, str]:
    """Say what is shown of the past."""
    return now.last_success_at_ms, now.last_failure_at_ms, now.last_error


async def test_what_the_last_attempts_were_is_known_again(bench: Bench) -> None:
    """The last success, and the last failure with its error, also of one that was delivered in the end."""
    await bench.made(DELIVERED)
    await bench.made(RETRYING, RETRYING, DELIVERED)
    await bench.made(DEAD, to=D1)
    assert told(await bench.recalled()) == (after(4), after(3), "try 2 failed")
    assert told(await bench.recalled(D1)) == (None, after(5), "try 1 failed")


async def test_what_never_was_is_not_told(bench: Bench) -> None:
    """Nothing stands for a destination that nothing went to, or for which all waits."""
    assert told(await bench.recalled()) == (None, None, "")
    await bench.made()
    await bench.made(DELIVERED, to=D1)
    assert told(await bench.recalled()) == (None, None, "")


@pytest.mark.parametrize("newer", [NEWEST - 1, NEWEST, NEWEST + 1])
async def test_newer_ones_that_wait_hide_nothing(bench: Bench, newer: int) -> None:
    """A success, and a death, are found below any number of deliveries that were not attempted."""
    await bench.made(DELIVERED)
    await bench.made(DEAD)
    for _ in range(newer):
        await bench.made()
    assert told(await bench.recalled()) == (after(1), after(2), "try 1 failed")


async def test_one_that_is_tried_again_has_failed(bench: Bench) -> None:
    """Its attempts count before it has come to an end."""
    await bench.made(RETRYING)
    assert told(await bench.recalled()) == (None, after(1), "try 1 failed")


@pytest.mark.parametrize(("since", "known"), [(0, after(1)), (1, None)])
async def test_one_that_was_made_again_begins_anew(bench: Bench, since: int, known: int | None) -> None:
    """What became of an earlier one of its name is not its own."""
    bench.since = START_MS + since
    await bench.made(DELIVERED)
    assert told(await bench.recalled()) == (known, None, "")


@pytest.mark.parametrize("outcome", [OK, REJECTED])
async def test_what_the_lane_has_seen_itself_stays(world: World, outcome: Outcome) -> None:
    """The past is older than what was attempted since."""
    bench = Bench(world)
    await bench.start(outcome)
    await bench.made(DELIVERED)
    await bench.made(DEAD)
    world.offer(1, D0)
    await world.all_final()
    before = world.dispatcher.snapshot(D0)
    now = await bench.recalled()
    if outcome is OK:
        assert told(now) == (before.last_success_at_ms, after(2), "try 1 failed")
    else:
        assert told(now) == (after(1), before.last_failure_at_ms, "returned 400")


async def test_a_store_that_cannot_be_read_leaves_one_unknown(bench: Bench) -> None:
    """The others are recalled, the log says whose past is not known, and the service goes on."""
    await bench.made(DELIVERED)
    await bench.made(DELIVERED, to=D1)
    bench.store.unreadable = "d0"
    with capture_logs() as logs:
        running = asyncio.create_task(bench.service.run())
        await until(lambda: bench.world.lane(D1).last_success_ms)
        assert not running.done()
        bench.service.stop()
        await running
    assert told(bench.world.dispatcher.snapshot(D0)) == (None, None, "")
    assert [log["destination"] for log in logs if log["event"] == "destination.not_recalled"] == ["d0"]
