"""The promise of the whole: whatever happens, every delivery comes to one end, and nothing is sent twice at once.

Random deliveries, outcomes, operators, reloads, full disks and restarts in simulated time; a seed repeats its history.
"""
# ruff: noqa: D102 - the steps say what they do

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from alertd.errors import ConflictError, NotFoundError, StoreUnavailableError
from alertd.model.delivery import DELIVERED, DeliveryState, Outcome, OutcomeKind
from alertd.model.ids import DELIVERY, format_id
from tests.unit.delivery.world import GONE, NAMING, REJECTED, RETRY, FakeStore, World, passes

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from alertd.delivery.spec import LaneSpec
    from alertd.destinations.base import Message

DESTINATIONS = (1, 2, 3, 4)
STEPS = 120
PAUSE = Outcome(OutcomeKind.RETRY_LATER, 429, "slow down", retry_after_seconds=2)


class Receivers:
    """What all destinations of a history saw."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.kind = True
        self.flying: set[str] = set()
        self.answered: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.attempts = 0

    def answer(self) -> Outcome:
        if self.kind:
            return DELIVERED
        draw = self.chance.random()
        for share, outcome in ((0.5, DELIVERED), (0.8, RETRY), (0.9, REJECTED), (0.97, PAUSE), (0.98, GONE)):
            if draw < share:
                return outcome
        return Outcome(OutcomeKind.AMBIGUOUS, None, "timed out")


class Receiver:
    """A destination that does anything, at once or after a while."""

    def __init__(self, receivers: Receivers) -> None:
        self.all = receivers
        self.closed = False

    async def attempt(self, message: Message) -> Outcome:
        seen = self.all
        assert not self.closed, "a closed destination is not used"
        assert message.delivery_id not in seen.flying, "never twice at the same time"
        assert not seen.delivered[message.delivery_id], "never again after it was delivered"
        seen.flying.add(message.delivery_id)
        seen.attempts += 1
        try:
            if seen.chance.random() < 0.7:
                await passes(seen.chance.random() ** 4 * 3)
        finally:
            seen.flying.discard(message.delivery_id)
        outcome = seen.answer()
        seen.answered[message.delivery_id] += 1
        seen.delivered[message.delivery_id] += outcome is DELIVERED
        return outcome

    async def close(self) -> None:
        self.closed = True


class History:
    """One random history."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a test
        self.receivers = Receivers(self.chance)
        self.store = FakeStore(delay=lambda: self.chance.random() ** 3 * 0.1)
        self.known = set(DESTINATIONS)
        self.world = self.new_world()
        self.current: dict[int, LaneSpec] = {}
        self.waiting: set[asyncio.Task[None]] = set()

    def new_world(self) -> World:
        return World(drain_seconds=self.chance.choice([0, 0.5, 5]), store=self.store)

    def specs(self, *, anew: bool = False) -> list[LaneSpec]:
        """The rules: some destinations changed, some opened anew."""
        draw = self.chance
        for number in self.known:
            if anew or number not in self.current or draw.random() < 0.5:
                old = self.current.get(number)
                opened = Receiver(self.receivers) if anew or old is None or draw.random() < 0.5 else old.open
                self.current[number] = self.world.spec(
                    opened,  # type: ignore[arg-type]  # a door as much as it needs
                    number,
                    capacity=draw.choice([1, 2, 5, 20, 100]),
                    concurrency=draw.choice([1, 2, 8]),
                    rate_per_second=draw.choice([None, None, 20.0]),
                    initial_seconds=draw.choice([0.01, 0.5, 3]),
                    max_attempts=draw.choice([2, 5, 12]),
                    failures=draw.choice([2, 5, 1000]),
                    cool_seconds=draw.choice([0, 1, 5]),
                    enabled=draw.random() < 0.9,
                )
        for number in set(self.current) - self.known:
            del self.current[number]
        return list(self.current.values())

    async def step(self) -> None:
        """Let something happen."""
        actions = [self.offer] * 6 + [self.passes] * 4
        actions += [
            self.cancel,
            self.disable,
            self.enable,
            self.reload,
            self.reload,
            self.disk,
            self.sweep,
            self.replay,
        ]
        action = self.chance.choice(actions)
        await action()

    async def offer(self) -> None:
        for number in self.chance.sample(DESTINATIONS, 2):
            self.world.offer(self.chance.choice([1, 3, 30]), number)

    async def passes(self) -> None:
        await passes(self.chance.random() ** 3 * 10)

    async def cancel(self) -> None:
        for number in self.chance.sample(sorted(self.store.rows), min(5, len(self.store.rows))):
            self.beside(self.world.dispatcher.cancel(number))

    async def disable(self) -> None:
        self.beside(self.world.dispatcher.disable(self.chance.choice(DESTINATIONS), "by hand"))

    async def enable(self) -> None:
        self.beside(self.world.dispatcher.enable(self.chance.choice(DESTINATIONS)))

    async def sweep(self) -> None:
        self.beside(self.world.dispatcher.sweep())

    async def reload(self) -> None:
        self.known ^= {self.chance.choice(DESTINATIONS)} if self.chance.random() < 0.5 else set()
        await self.world.dispatcher.apply(self.specs(), NAMING)

    async def disk(self) -> None:
        self.store.unavailable = True
        await passes(self.chance.random() * 3)
        self.store.unavailable = False

    async def replay(self) -> None:
        final = [number for number, row in self.store.rows.items() if row.state.final]
        if final:
            again = await self.store.replay(self.chance.choice(final), self.world.ids.take(), self.world.clock.now_ms())
            self.world.dispatcher.offer((again,))

    def beside(self, work: Awaitable[None]) -> None:
        """Do something while the rest goes on; refusals are fine."""

        async def quietly() -> None:
            with suppress(ConflictError, NotFoundError, StoreUnavailableError):
                await work

        task = asyncio.ensure_future(quietly())
        self.waiting.add(task)
        task.add_done_callback(self.waiting.discard)

    async def restart(self) -> None:
        """Stop the daemon and start another one on the same store."""
        if self.waiting:
            await asyncio.wait(self.waiting)
        await self.world.stop()
        assert not self.receivers.flying
        self.world = self.new_world()
        await self.world.start(*self.specs(anew=True))

    async def run(self) -> None:
        await self.world.start(*self.specs())
        self.receivers.kind = False
        for step in range(STEPS):
            await self.step()
            if step in (STEPS // 3, 2 * STEPS // 3):
                await self.restart()
        self.receivers.kind = True
        if self.waiting:
            await asyncio.wait(self.waiting)
        self.known = set(DESTINATIONS)
        specs = [self.world.spec(Receiver(self.receivers), number, capacity=50) for number in DESTINATIONS]  # type: ignore[arg-type]  # a door as much as it needs
        await self.world.dispatcher.apply(specs, NAMING)
        for number in DESTINATIONS:
            await self.world.dispatcher.enable(number)
        await self.world.all_final(20_000)
        await self.world.stop()


@pytest.mark.parametrize("seed", range(int(os.environ.get("STRESS_SEEDS", "12"))))
async def test_every_delivery_comes_to_exactly_one_end(seed: int) -> None:
    """Through outcomes, refills, operators, reloads, full disks and restarts."""
    history = History(seed)
    await history.run()
    receivers, rows = history.receivers, history.store.rows
    for number, row in rows.items():
        states = [attempt.state for attempt in row.attempts]
        name = format_id(DELIVERY, number)
        assert row.state.final
        assert all(state is DeliveryState.RETRYING for state in states[:-1])
        assert receivers.delivered[name] == (row.state is DeliveryState.DELIVERED) <= 1
        # Every answer became a stored attempt: nothing was sent that history does not know.
        assert receivers.answered[name] == len(row.attempts)
        if row.state is DeliveryState.CANCELLED:
            assert states.count(DeliveryState.RETRYING) == len(states)
        elif row.reason:
            assert row.reason == "gave_up"
        else:
            assert states[-1] is row.state
    assert {DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.CANCELLED} <= {
        row.state for row in rows.values()
    }
