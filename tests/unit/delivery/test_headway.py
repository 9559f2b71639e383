"""Who reads from Kafka gives way to deliveries exactly while the machine is what holds them up."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from alertd.clock import SystemClock
from alertd.delivery.backlog import Backlog
from alertd.delivery.headway import IDLE_SECONDS, RECENT_SECONDS, SHARE, WAIT_SECONDS, WAITING, Headway
from alertd.model.delivery import Delivery

BUSY = 2 * IDLE_SECONDS
PER_TURN = 100
MADE = 500


class Place(SystemClock):
    """A machine whose time goes on by so many seconds with each turn of the loop, in which so many attempts end."""

    def __init__(self, *lanes: Backlog, turn: float = BUSY, per_turn: int = PER_TURN) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0
        self.lanes = lanes
        self._turn = turn
        self._per_turn = per_turn
        self._wrapped = [cast("Any", SimpleLane(backlog)) for backlog in lanes]
        self.headway = Headway(lambda: self._wrapped, self)

    def monotonic(self) -> float:
        """The seconds so far."""
        return self.now

    async def work(self) -> None:
        """Turn for turn."""
        while True:
            self.turns += 1
            self.now += self._turn
            for backlog in self.lanes[:1]:
                backlog.ended += self._per_turn
            await asyncio.sleep(0)

    async def give_way(self) -> int:
        """Give way once; return for how many turns."""
        self.turns = 0
        working = asyncio.ensure_future(self.work())
        await self.headway.give_way()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        return self.turns


class SimpleLane(SimpleNamespace):
    """As much of a lane as is looked at."""

    def __init__(self, backlog: Backlog) -> None:
        super().__init__(backlog=backlog)

    def __hash__(self) -> int:
        """Itself."""
        return id(self)


def lane(waiting: int, ended: int = 10 * WAITING) -> Backlog:
    """A lane with so much in its queue, which has ended so many attempts lately."""
    backlog = Backlog(2 * WAITING)
    for number in range(waiting):
        backlog.take(Delivery(number, number, 1, 7, 8, 0, 0, "t", b"{}"))
    backlog.ended = ended
    return backlog


async def seen(place: Place, made: int = MADE) -> None:
    """Let it give way once, and more be made since."""
    await place.give_way()
    place.lanes[0].made += made


async def test_where_little_waits_nobody_gives_way() -> None:
    """One less than the bound, in several lanes together."""
    place = Place(lane(WAITING - 2), lane(1))
    await seen(place)
    assert await place.give_way() == 0


async def test_so_many_end_for_each_that_was_made() -> None:
    """At the bound, and exactly as long as that takes."""
    place = Place(lane(WAITING - 1), lane(1))
    await seen(place)
    before = place.lanes[0].ended
    assert await place.give_way() == SHARE * MADE / PER_TURN
    assert place.lanes[0].ended == before + SHARE * MADE


async def test_what_ended_since_the_last_time_counts() -> None:
    """Between two polls deliveries go on."""
    place = Place(lane(WAITING))
    await seen(place)
    place.lanes[0].ended += SHARE * MADE - PER_TURN
    assert await place.give_way() == 1
    await seen(place, 0)
    assert await place.give_way() == 0


async def test_an_event_loop_that_has_time_is_reason_enough() -> None:
    """It looks once: one turn that is shorter than the bound."""
    place = Place(lane(WAITING), turn=IDLE_SECONDS * 0.99, per_turn=0)
    await seen(place)
    assert await place.give_way() == 1


async def test_nobody_gives_way_for_ever() -> None:
    """Not even when nothing ends."""
    place = Place(lane(WAITING), per_turn=0)
    await seen(place)
    assert await place.give_way() == pytest.approx(WAIT_SECONDS / BUSY, abs=1)


@pytest.mark.parametrize(("ended", "turns"), [(0, 0), (WAITING - 1, 0), (WAITING, SHARE * MADE / PER_TURN)])
async def test_a_lane_counts_with_what_it_has_ended(ended: int, turns: int) -> None:
    """A receiver that is slow or down keeps nobody waiting, however much waits for it."""
    place = Place(lane(0, ended=1), lane(2 * WAITING, ended=ended))
    place.lanes[1].made = 0
    await seen(place)
    assert await place.give_way() == turns


async def test_what_it_ended_long_ago_counts_no_more() -> None:
    """After two looks so far apart."""
    place = Place(lane(0, ended=1), lane(WAITING, ended=WAITING))
    for expected in (SHARE * MADE / PER_TURN, SHARE * MADE / PER_TURN, 0):
        await seen(place)
        assert await place.give_way() == expected
        place.now += RECENT_SECONDS


async def test_a_lane_that_is_gone_is_not_asked() -> None:
    """Lanes come and go."""
    place = Place(lane(WAITING), lane(WAITING))
    await seen(place)
    place._wrapped.pop(0)
    assert await place.give_way() == 0
