"""What the log of outcomes promises: no finished attempt is forgotten, none is written late or one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from alertd.delivery.outcomes import BATCH_ATTEMPTS, LINGER_SECONDS, OutcomeLog
from alertd.delivery.persistence import to_the_end
from alertd.model.delivery import DELIVERED, Attempt, Delivery, DeliveryState
from tests.unit.delivery.world import FakeStore, passes, until

if TYPE_CHECKING:
    from collections.abc import Sequence


class Owner:
    """Remembers what was stored."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def stored(self, attempts: Sequence[Attempt]) -> None:
        """Remember."""
        self.ids.extend(attempt.delivery_id for attempt in attempts)


class Fixture:
    """A log over a store with rows 1…n."""

    def __init__(self, bound: int = 10_000) -> None:
        self.store = FakeStore()
        self.errors: list[BaseException] = []
        self.log = OutcomeLog(self.store, self.errors.append, bound)
        self.owner = Owner()

    def add(self, *numbers: int) -> None:
        """Add one attempt for each number."""
        for number in numbers:
            self.store.add(Delivery(number, number, 1, 7, 8, 0, 0, "t", b"{}"))
            self.log.add(Attempt(number, 1, 0, 1, DELIVERED, DeliveryState.DELIVERED), self.owner)


async def test_a_lone_attempt_lingers_and_is_written() -> None:
    """Not before the linger, and no later than right after it."""
    given = Fixture()
    given.add(1)
    await passes(LINGER_SECONDS * 0.9)
    assert given.store.batches == []
    await passes(LINGER_SECONDS * 0.2)
    assert given.store.batches == [1]
    assert given.owner.ids == [1]


async def test_a_full_batch_is_written_at_once() -> None:
    """At 500 without lingering; what comes meanwhile is the next batch."""
    given = Fixture()
    given.add(*range(BATCH_ATTEMPTS + 3))
    began = asyncio.get_running_loop().time()
    await until(lambda: len(given.owner.ids) == BATCH_ATTEMPTS)
    assert asyncio.get_running_loop().time() - began < LINGER_SECONDS
    await until(lambda: len(given.owner.ids) == BATCH_ATTEMPTS + 3)
    assert given.store.batches == [BATCH_ATTEMPTS, 3]


async def test_a_full_disk_loses_nothing_and_holds_the_lanes() -> None:
    """While the store cannot write, attempts wait up to the bound, then lanes do; all are written afterwards."""
    given = Fixture(bound=4)
    given.store.unavailable = True
    given.add(1, 2, 3)
    assert not given.log.full
    given.add(4)
    assert given.log.full
    woken: list[int] = []
    wake = lambda: woken.append(1)  # noqa: E731 - one callable, asked twice
    given.log.call_when_room(wake)
    given.log.call_when_room(wake)
    await passes(3600)
    assert (len(given.log), given.owner.ids, woken) == (4, [], [])
    given.store.unavailable = False
    await until(lambda: given.owner.ids == [1, 2, 3, 4])
    assert (woken, given.log.full, len(given.log)) == ([1], False, 0)


async def test_closing_writes_the_rest_without_lingering() -> None:
    """And says that nothing is left."""
    given = Fixture()
    given.add(1, 2)
    assert await given.log.close(1) == 0
    assert given.owner.ids == [1, 2]


async def test_closing_gives_up_at_its_deadline() -> None:
    """A store that stays unavailable does not hold the shutdown for ever."""
    given = Fixture()
    given.store.unavailable = True
    given.add(1, 2)
    began = asyncio.get_running_loop().time()
    assert await given.log.close(2) == 2
    assert asyncio.get_running_loop().time() - began == pytest.approx(2)


async def test_closing_does_not_wait_for_a_long_backoff() -> None:
    """The store was away for long and came back just before the stop: everything is written at once."""
    given = Fixture()
    given.store.unavailable = True
    given.add(1)
    await passes(60)
    given.store.unavailable = False
    assert await given.log.close(0.2) == 0


async def test_closing_is_deaf_to_cancellation() -> None:
    """A cancelled shutdown still writes, and is cancelled afterwards."""
    given = Fixture()
    given.store.delay = lambda: 0.3
    given.add(1, 2)
    closing = asyncio.ensure_future(given.log.close(5))
    await passes(0.1)
    closing.cancel()
    await passes(0.1)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert given.owner.ids == [1, 2]


async def test_a_store_that_fails_for_good_is_told() -> None:
    """Not retried for ever: the dispatcher dies of it."""
    given = Fixture()
    given.store.broken = True
    given.add(1)
    await until(lambda: given.errors)
    assert len(given.log) == 1


async def test_what_was_not_stored_stays_in_front() -> None:
    """What came while a write failed comes after it, and each is stored once."""
    given = Fixture()
    given.store.broken = True
    given.store.delay = lambda: 0.3
    given.add(1, 2)
    await passes(0.1)
    given.add(3)
    await until(lambda: given.errors)
    assert (len(given.log), given.owner.ids) == (3, [])
    given.store.broken = False
    assert await given.log.close(5) == 0
    assert given.owner.ids == [1, 2, 3]


async def test_to_the_end_passes_results_and_errors() -> None:
    """It is only deaf, not dumb."""

    async def fails() -> int:
        raise ValueError("no")

    async def works() -> int:
        return 3

    assert await to_the_end(works()) == 3
    with pytest.raises(ValueError, match="no"):
        await to_the_end(fails())
