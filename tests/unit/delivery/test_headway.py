"""Who has read much gives way to deliveries that wait, while the event loop is busy with them, and no longer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from alertd.clock import SystemClock
from alertd.delivery.backlog import Backlog
from alertd.delivery.headway import QUIET_SECONDS, QUIET_TURNS, WAITING, Headway
from alertd.delivery.outcomes import OutcomeLog
from alertd.model.delivery import Delivery
from alertd.model.destination import QueueOptions
from tests.unit.delivery.world import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.unit.delivery.world import World

Turn = tuple[float, int]
"""How many seconds a turn of the loop takes, and how many attempts end in it."""
SHORT = 0.9 * QUIET_SECONDS
LONG = 1.1 * QUIET_SECONDS
MOST = 1.0


class Place(SystemClock):
    """A machine whose time goes on with each turn of the loop, by a script whose last line repeats."""

    def __init__(self, *lanes: Backlog) -> None:
        super().__init__()
        self.now = 0.0
        self.outcomes = OutcomeLog(cast("Any", None), lambda error: None)
        wrapped = [cast("Any", stand_in(backlog)) for backlog in lanes]
        self.turns = 0
        self.headway = Headway(lambda: wrapped, self.outcomes, self)

    def monotonic(self) -> float:
        """The seconds so far."""
        return self.now

    async def work(self, script: Iterable[Turn]) -> None:
        """Turn for turn."""
        turn: Turn = (0.0, 0)
        lines = iter(script)
        while True:
            turn = next(lines, turn)
            self.turns += 1
            self.now += turn[0]
            self.outcomes.ended += turn[1]
            await asyncio.sleep(0)

    async def gave(self, *script: Turn) -> float:
        """Give way once; return for how many seconds."""
        working = asyncio.ensure_future(self.work(script))
        seconds = await self.headway.give_way(MOST)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        assert seconds == pytest.approx(self.now)
        return seconds


def stand_in(backlog: Backlog, *, enabled: bool = True, bound: bool = False) -> Any:
    """As much of a lane as is looked at."""
    return SimpleNamespace(backlog=backlog, enabled=enabled, rest=SimpleNamespace(bound=bound))


def lane(waiting: int, *, behind: bool = False) -> Backlog:
    """A lane with so much in its queue."""
    backlog = Backlog(2 * WAITING)
    for number in range(waiting):
        backlog.take(Delivery(number, number, 1, 7, 8, 0, 0, "t", b"{}"))
    backlog.behind = behind
    return backlog


async def test_where_little_waits_nobody_gives_way() -> None:
    """One less than the bound, in several lanes together."""
    assert await Place(lane(WAITING - 2), lane(1)).gave((LONG, 1)) == 0


@pytest.mark.parametrize("lanes", [[lane(WAITING - 1), lane(1)], [lane(0), lane(0, behind=True)]])
async def test_where_much_waits_deliveries_go_first(lanes: list[Backlog]) -> None:
    """In memory, or in the store behind a lane; for as long as was said."""
    assert await Place(*lanes).gave((LONG, 1)) == pytest.approx(MOST, abs=LONG)


@pytest.mark.parametrize("busy", [(LONG, 0), (SHORT, 1)])
async def test_a_loop_without_time_is_given_time(busy: Turn) -> None:
    """Turns are long, or attempts end in them."""
    assert await Place(lane(WAITING)).gave(busy) == pytest.approx(MOST, abs=LONG)


async def test_some_quiet_turns_in_a_row_are_enough() -> None:
    """One in which an attempt ends, or which is long, begins the count anew."""
    quiet = [(SHORT, 0)] * QUIET_TURNS
    assert await Place(lane(WAITING)).gave(*quiet) == pytest.approx(QUIET_TURNS * SHORT)
    for busy in ((LONG, 0), (SHORT, 1)):
        script = [*quiet[1:], busy, *quiet]
        seconds = await Place(lane(WAITING)).gave(*script)
        assert seconds == pytest.approx(sum(turn for turn, _ in script))


class Turning(Scripted):
    """A receiver whose answer takes some turns of the loop."""

    async def attempt(self, message: Any) -> Any:
        """Answer in the third turn."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return await super().attempt(message)


@pytest.mark.parametrize(("hook", "concurrency"), [(Scripted, 2), (Turning, 1)])
async def test_what_can_go_at_once_goes_first(world: World, hook: type[Scripted], concurrency: int) -> None:
    """In the dispatcher: all that a lane has, however many turns that takes, also when in some of them no attempt ends."""
    door = hook()
    await world.start(world.spec(door, capacity=2 * WAITING, concurrency=concurrency))
    world.offer(WAITING + 2)
    await world.dispatcher.headway.give_way(MOST)
    assert len(door.sent) == WAITING + 2


async def test_receivers_that_do_not_answer_hold_up_nobody(world: World) -> None:
    """Much waits for them, and the loop has time."""
    hook = Scripted()
    hook.gate = asyncio.Event()
    await world.start(world.spec(hook, capacity=2 * WAITING, concurrency=2))
    world.offer(2 * WAITING)
    assert await world.dispatcher.headway.give_way(MOST) == 0
    assert len(hook.sent) == 2
    hook.gate.set()


@pytest.mark.parametrize("why", [{"enabled": False}, {"bound": True}])
async def test_what_may_not_go_does_not_wait(why: dict[str, bool]) -> None:
    """Lanes that are disabled, or at rest, have no use for the time, however much there is for them."""
    place = Place()
    lanes = [stand_in(lane(2 * WAITING, behind=True), **why), stand_in(lane(WAITING - 1))]
    place.headway = Headway(lambda: lanes, place.outcomes, place)
    assert await place.gave((LONG, 1)) == 0


async def test_nothing_is_given_for_nothing() -> None:
    """Who read nothing, or took no time for it, waits for nobody: not a turn."""
    place = Place(lane(WAITING))
    working = asyncio.ensure_future(place.work([(LONG, 1)]))
    assert await place.headway.give_way(0.0) == 0
    assert place.turns == 0
    working.cancel()


async def test_what_is_in_flight_does_not_wait() -> None:
    """It has been begun; one less than the bound waits."""
    flying = lane(WAITING + 10)
    while len(flying.queue) >= WAITING:
        flying.pop()
    assert await Place(flying).gave((LONG, 1)) == 0


def test_a_lane_of_its_own_can_be_waited_for_before_it_spills() -> None:
    """And the reader of an idle loop loses no more than some turns."""
    assert QueueOptions().capacity >= 2 * WAITING
    assert QUIET_TURNS * QUIET_SECONDS <= 0.005
