"""Housekeeping: retention, cooldowns and counts go on whatever the store says meanwhile."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

import alertd.housekeeping
from alertd.clock import SystemClock
from alertd.engine.memory import EngineMemory
from alertd.errors import StoreCorruptError, StoreError, StoreUnavailableError
from alertd.housekeeping import COUNT_RESTS, COUNT_SECONDS, ROUND_SECONDS, SLICE_EVENTS, Housekeeping
from alertd.metrics import Metrics
from alertd.model.delivery import DeliveryState
from tests.conformance.store_maker import StillClock

DEADLINE = 60
DAY_MS = 86_400_000
OUTBOX = "alertd_outbox_deliveries"


class ScriptedStore:
    """A store with so many old events, that raises what is in `errors` before it answers again."""

    def __init__(self, old: int = 0, *errors: Exception) -> None:
        self.old = old
        self.errors = list(errors)
        self.asked: list[tuple[int, int]] = []
        self.counts: dict[tuple[int, DeliveryState], int] = {}
        self.counted = asyncio.Event()

    async def retain(self, before_ms: int, limit: int) -> int:
        """Delete some."""
        self.asked.append((before_ms, limit))
        gone = min(self.old, limit)
        self.old -= gone
        return gone

    async def forget(self, now_ms: int) -> int:
        """Have nothing to forget."""
        return 0

    async def forget_revisions(self) -> int:
        """Have nothing to forget."""
        return 0

    async def outbox_counts(self) -> dict[tuple[int, DeliveryState], int]:
        """Raise what is left to raise, then count."""
        if self.errors:
            raise self.errors.pop(0)
        self.counted.set()
        return self.counts

    async def shown(self) -> None:
        """Wait until what the counts are now is shown: the count after that has begun."""
        for _ in range(2):
            self.counted.clear()
            await self.counted.wait()


def make(
    store: ScriptedStore, memory: EngineMemory | None = None, retention_days: float | None = 2
) -> tuple[Housekeeping, Metrics]:
    """Make the service over a store; the destination 7 is `default/hook`, any other is unknown."""
    metrics = Metrics()
    place = {7: ("default", "hook")}.get
    return Housekeeping(store, SystemClock(), metrics, memory or EngineMemory(), place, retention_days), metrics


@pytest.mark.parametrize("error", [StoreUnavailableError("full"), StoreCorruptError("damaged"), StoreError("refused")])
async def test_a_store_that_fails_does_not_end_it(error: StoreError, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again: whether the daemon can live with such a store is for those who write events to say."""
    monkeypatch.setattr(alertd.housekeeping, "ROUND_SECONDS", 0.001)
    store = ScriptedStore(0, error)
    service, _ = make(store)
    running = asyncio.create_task(service.run())
    async with asyncio.timeout(DEADLINE):
        await store.counted.wait()
        service.stop()
        await running
    assert not store.errors


async def test_old_history_goes_in_slices_until_none_is_left() -> None:
    """Each slice is bounded, and all of them together delete everything that is older than the setting says."""
    store = ScriptedStore(2 * SLICE_EVENTS + 1)
    service, metrics = make(store)
    before = SystemClock().now_ms() - 2 * DAY_MS
    assert await service.retain() == 2 * SLICE_EVENTS + 1
    assert {limit for _, limit in store.asked} == {SLICE_EVENTS}
    assert all(before <= asked <= before + 60_000 for asked, _ in store.asked)
    assert metrics.registry.get_sample_value("alertd_retention_deleted_events_total") == 2 * SLICE_EVENTS + 1


async def test_without_a_limit_history_is_kept() -> None:
    """`store.retention_days: null` never asks the store to delete."""
    store = ScriptedStore(10)
    service, _ = make(store, retention_days=None)
    assert await service.retain() == 0
    assert (store.old, store.asked) == (10, [])


@pytest.mark.parametrize("days", [999_999, 1e26, 1.7e308])
async def test_more_days_than_there_were_are_for_ever(days: float) -> None:
    """Nothing is from before 1970, and no number becomes greater than a store can take."""
    store = ScriptedStore()
    service, _ = make(store, retention_days=days)
    assert await service.retain() == 0
    assert store.asked == [(0, SLICE_EVENTS)]


async def test_a_stop_ends_retention_after_the_slice_at_hand() -> None:
    """What is left goes after the next start."""
    store = ScriptedStore(10 * SLICE_EVENTS)
    service, _ = make(store)
    service.stop()
    assert await service.retain() == 0


async def test_cooldowns_that_are_over_are_forgotten() -> None:
    """One that still rests stays."""
    now_ms = SystemClock().now_ms()
    memory = EngineMemory()
    memory.cooldowns.update({(1, "", "", f"k{n}"): now_ms - n for n in range(3)})
    memory.cooldowns[1, "", "", "rests"] = now_ms + 60_000
    service, _ = make(ScriptedStore(), memory)
    assert await service.forget() == 3
    assert list(memory.cooldowns) == [(1, "", "", "rests")]


async def test_the_outbox_is_counted_by_destination_and_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no longer there is no longer shown, and a destination without a name never is."""
    monkeypatch.setattr(alertd.housekeeping, "COUNT_SECONDS", 0.001)
    store = ScriptedStore()
    store.counts = {(7, DeliveryState.PENDING): 3, (8, DeliveryState.PENDING): 9}
    service, metrics = make(store)
    running = asyncio.create_task(service.run())
    hook = {"workspace": "default", "destination": "hook"}
    async with asyncio.timeout(DEADLINE):
        await store.shown()
        assert metrics.registry.get_sample_value(OUTBOX, {**hook, "state": "pending"}) == 3
        store.counts = {(7, DeliveryState.RETRYING): 1}
        await store.shown()
        service.stop()
        await running
    assert metrics.registry.get_sample_value("alertd_engine_keys", {"kind": "cooldown"}) == 0
    (family,) = [family for family in metrics.registry.collect() if family.name == OUTBOX]
    assert [(sample.labels, sample.value) for sample in family.samples] == [({**hook, "state": "retrying"}, 1)]


class CountedStore(ScriptedStore):
    """A store whose counts take so long by a clock that only they move; whoever waits moves it as well."""

    def __init__(self, clock: StillClock, seconds: float, *errors: Exception) -> None:
        super().__init__(0, *errors)
        self.clock = clock
        self.seconds = seconds
        self.rounds: list[float] = []

    async def outbox_counts(self) -> dict[tuple[int, DeliveryState], int]:
        """Take the time that a count takes."""
        self.clock.ms += round(self.seconds * 1000)
        return await super().outbox_counts()

    async def chore(self) -> None:
        """Note when the chores are done."""
        self.rounds.append(self.clock.monotonic())

    async def kept_for(self, minutes: float, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Keep house over this store for so long by its clock; return the rests in between."""
        rests: list[float] = []
        end_ms = self.clock.ms + minutes * 60_000

        async def waits(_: asyncio.Event, pause: float) -> bool:
            rests.append(pause)
            self.clock.ms += round(pause * 1000)
            if self.clock.ms >= end_ms:
                service.stop()
            return False

        monkeypatch.setattr(alertd.housekeeping, "wait_event", waits)
        service = Housekeeping(self, self.clock, Metrics(), EngineMemory(), lambda _: None, 1, [self.chore])
        await service.run()
        return rests


@pytest.mark.parametrize(
    ("seconds", "rest"),
    [(0.0, COUNT_SECONDS), (COUNT_SECONDS / COUNT_RESTS, COUNT_SECONDS), (0.1, 5.0), (0.3, 15.0), (7.0, ROUND_SECONDS)],
)
async def test_a_count_that_takes_long_rests_long(seconds: float, rest: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting takes a fiftieth of the time at most, as long as that leaves one count for each round of chores."""
    store = CountedStore(StillClock(), seconds)
    rests = await store.kept_for(5, monkeypatch)
    assert rests == pytest.approx([rest] * len(rests), abs=0.001)
    gaps = [after - before for before, after in pairwise(store.rounds)]
    assert gaps
    assert all(ROUND_SECONDS <= gap < ROUND_SECONDS + rest + seconds for gap in gaps)


async def test_a_store_that_fails_is_left_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the next round; and old history is looked for once a minute, however often the outbox is counted."""
    store = CountedStore(StillClock(), 0, StoreUnavailableError("full"), StoreUnavailableError("full"))
    rests = await store.kept_for(10, monkeypatch)
    assert rests[:2] == [ROUND_SECONDS] * 2
    assert set(rests[2:]) == {COUNT_SECONDS}
    assert 9 <= len(store.asked) <= 10
