"""One timer for all connections."""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf

import pytest
from typing_extensions import override

from alertd.destinations.http1.patrol import TOGETHER_MAX, Patrol


class Thing:
    """Something that is looked after, and says when its time was over."""

    def __init__(self, patrol: Patrol, seconds: float) -> None:
        self.patrol = patrol
        self.expires = patrol.now() + seconds
        self.over = asyncio.Event()
        self.reason = ""

    def expire(self) -> None:
        """Take note, and go."""
        self.end("late")

    def end(self, reason: str) -> None:
        """Go."""
        self.reason = reason
        self.over.set()
        self.expires = inf
        self.patrol.discard(self)


async def test_each_in_its_time() -> None:
    """Whoever begins later with less time is over first; nobody is early."""
    patrol = Patrol()
    things = [Thing(patrol, seconds) for seconds in (0.3, 0.1, 0.2)]
    for thing in things:
        patrol.add(thing)
    order = []
    async with asyncio.timeout(60):
        for thing in (things[1], things[2], things[0]):
            begun = thing.expires
            await thing.over.wait()
            order.append(patrol.now() - begun)
    assert min(order) > -0.01
    assert patrol.count == 0
    assert patrol.next_look == inf


async def test_a_look_that_comes_late_keeps_the_order() -> None:
    """Whoever was over first ends first, when the loop was busy while the times of several went by."""
    patrol = Patrol()
    ended: list[Thing] = []

    class Noted(Thing):
        @override
        def end(self, reason: str) -> None:
            ended.append(self)
            super().end(reason)

    things = [Noted(patrol, -seconds) for seconds in range(20)]
    for thing in things:
        patrol.add(thing)
    async with asyncio.timeout(60):
        await things[0].over.wait()
    assert ended == things[::-1]


async def test_time_that_is_moved_back_costs_nothing() -> None:
    """Whoever gets more time is looked at, found to have time, and looked at again."""
    patrol = Patrol()
    thing = Thing(patrol, 0.02)
    patrol.add(thing)
    thing.expires = patrol.now() + 0.2
    wanted = thing.expires
    async with asyncio.timeout(60):
        await thing.over.wait()
    assert patrol.now() >= wanted - 0.01


async def test_end() -> None:
    """All are ended with the reason; ending nothing is fine, and twice."""
    patrol = Patrol()
    things = [Thing(patrol, 60) for _ in range(3)]
    for thing in things:
        patrol.add(thing)
    async with asyncio.timeout(60):
        await patrol.end("closed")
        await patrol.end("closed")
    assert {thing.reason for thing in things} == {"closed"}
    assert patrol.next_look == inf


async def test_end_does_not_wait_for_ever() -> None:
    """What does not go although it was told to is left after a while."""
    patrol = Patrol()

    class Stubborn(Thing):
        @override
        def end(self, reason: str) -> None:
            self.reason = reason

    thing = Stubborn(patrol, 60)
    patrol.add(thing)
    async with asyncio.timeout(60):
        await patrol.end("closed")
    assert thing.reason == "closed"


@pytest.mark.parametrize("over", [0, 1])
async def test_bound_of_those_who_write_together(over: int) -> None:
    """Those who write in one turn do so at its end, in their order; from the bound on, at once."""
    patrol = Patrol()
    written: list[int] = []
    for number in range(TOGETHER_MAX - 1 + over):
        patrol.send_soon(partial(written.append, number))
    assert len(written) == over * TOGETHER_MAX
    patrol.send_soon(partial(written.append, 100))
    await asyncio.sleep(0)
    assert written == [*range(TOGETHER_MAX - 1 + over), 100]
