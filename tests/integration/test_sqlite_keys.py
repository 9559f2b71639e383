"""Ids that were brought are known at once and for ever, though their keys reach the index of the file only later."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from alertd.errors import DuplicateEventsError, StoreError
from alertd.store.base import Batch
from alertd.store.sqlite import recent_keys
from alertd.store.sqlite.batch import BatchJob
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RUN = 50
BATCH = 10


@asynccontextmanager
async def opened(path: Path, recent: int = RUN) -> AsyncIterator[tuple[SqliteStore, Maker]]:
    """Open a store in whose memory few keys wait, and what makes plans for it."""
    clock = StillClock()
    store = await open_sqlite(path, clock, SqliteOptions(recent_keys=recent))
    try:
        await store.intern(NAMES)
        yield store, Maker(clock, store.salt, await store.newest_number())
    finally:
        await store.close()


@pytest.fixture
def few_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many keys in each bucket as in those of a great store."""
    monkeypatch.setattr(recent_keys, "BUCKETS", 4)
    monkeypatch.setattr(recent_keys, "FILTER_BYTES", 2 * 1024 * 1024)
    monkeypatch.setattr(recent_keys, "_BUCKET_SHIFT", 30)


def ids(count: int) -> list[str]:
    """Make ids of both kinds, in no order."""
    return [str(UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) if n % 3 else f"e{n}" for n in range(count)]


def indexed(path: Path) -> int:
    """Count the keys that are in the index of the file."""
    with closing(sqlite3.connect(path)) as conn:
        return int(conn.execute("SELECT count(*) FROM event_key").fetchone()[0])


async def commit(store: SqliteStore, make: Maker, names: list[str]) -> dict[str, int]:
    """Commit events in small batches; return their numbers."""
    plans = [make.plan(name, to=()) for name in names]
    for start in range(0, len(plans), BATCH):
        await store.commit(Batch(1, plans[start : start + BATCH]))
    return {plan.event.id: plan.number for plan in plans}


async def forget_all(store: SqliteStore, make: Maker) -> None:
    """Let retention delete every event."""
    make.clock.ms += 1000
    while await store.retain(make.clock.ms, 500):
        pass


async def known(store: SqliteStore, make: Maker, names: list[str]) -> dict[str, int]:
    """Send events again; return those that are known, with their numbers."""
    with pytest.raises(DuplicateEventsError) as caught:
        await store.commit(Batch(1, [make.plan(name, to=()) for name in [*names, "new"]]))
    return {name: number for (_, name), number in caught.value.known.items()}


async def test_every_id_is_known_wherever_its_key_is(tmp_path: Path) -> None:
    """Ids in memory, in the run that is being merged and in the index are all known, and found by the history."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        numbers = await commit(store, make, ids(4 * RUN))
        assert RUN <= indexed(path) < len(numbers)
        assert await known(store, make, list(numbers)) == numbers
        found = [await store.event("default", name) for name in numbers]
        assert [row["number"] for row in found if row] == list(numbers.values())


async def test_ids_are_known_after_a_crash(tmp_path: Path) -> None:
    """What a power cut leaves of the file is enough to know every id that was committed."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        numbers = await commit(store, make, ids(4 * RUN + 7))
        for name in ("alertd.db", "alertd.db-wal"):
            shutil.copyfile(tmp_path / name, tmp_path / f"cut-{name}")
    async with opened(tmp_path / "cut-alertd.db") as (store, make):
        assert await known(store, make, list(numbers)) == numbers
        more = await commit(store, make, [f"more{n}" for n in range(3 * RUN)])
        assert await known(store, make, [*numbers, *more]) == numbers | more


async def test_rolled_back_ids_are_free(tmp_path: Path) -> None:
    """Ids of a batch that could not be stored are not known, and those of its neighbours are."""
    async with opened(tmp_path / "alertd.db") as (store, make):
        numbers = await commit(store, make, ids(2 * RUN))
        plan = make.plan("refused")
        plan.deliveries.append(plan.deliveries[0])
        with pytest.raises(StoreError):
            await store.commit(Batch(1, [plan]))
        assert await known(store, make, ["refused", *numbers]) == numbers


async def test_keys_of_a_transaction_that_failed_are_not_known(tmp_path: Path) -> None:
    """A transaction that merged and added keys and then failed leaves all keys as they were before it."""
    async with opened(tmp_path / "alertd.db") as (store, make):
        numbers = await commit(store, make, ids(2 * RUN))
        before = indexed(store.core.path)
        job = BatchJob(Batch(1, [make.plan(f"lost{n}", to=()) for n in range(RUN)]), store.salt, store.core.recent)

        def fail(conn: sqlite3.Connection) -> None:
            job(conn)
            raise StoreError("cut")

        with pytest.raises(StoreError, match="cut"):
            await store.core.writer.run(fail)
        assert indexed(store.core.path) == before
        assert await known(store, make, [*numbers, *(f"lost{n}" for n in range(RUN))]) == numbers


async def test_ids_that_retention_deleted_are_free(tmp_path: Path) -> None:
    """An id may come again when its event is gone, whether or not its key had been merged; then it is known again."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        names = ids(3 * RUN)
        await commit(store, make, names)
        assert indexed(path)
        await forget_all(store, make)
        assert await store.event("default", names[1]) is None
        numbers = await commit(store, make, names)
        assert await known(store, make, names) == numbers
        await commit(store, make, [f"more{n}" for n in range(3 * RUN)])
        for name in ("alertd.db", "alertd.db-wal"):
            shutil.copyfile(tmp_path / name, tmp_path / f"cut-{name}")
    async with opened(tmp_path / "cut-alertd.db") as (store, make):
        assert await known(store, make, names) == numbers


async def test_keys_of_deleted_events_go_when_others_come(tmp_path: Path, few_buckets: None) -> None:
    """The index and the log do not grow for ever: keys of events that are gone leave with the next ones."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        for turn in range(4):
            await commit(store, make, [f"{turn}-{n}" for n in range(4 * RUN)])
            await forget_all(store, make)
        await commit(store, make, [f"more{n}" for n in range(5 * RUN)])
        assert indexed(path) < 6 * RUN
        with closing(sqlite3.connect(path)) as conn:
            assert conn.execute("SELECT sum(length(keys)) / 28 FROM key_log").fetchone()[0] <= 4 * RUN


async def test_what_the_filter_does_not_know_is_looked_up(tmp_path: Path) -> None:
    """Without their bits, keys are known none the less; merging brings the bits back."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        numbers = await commit(store, make, ids(4 * RUN))
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("DELETE FROM key_filter")
        conn.commit()
    async with opened(path) as (store, make):
        assert await known(store, make, list(numbers)) == numbers
        numbers |= await commit(store, make, [f"more{n}" for n in range(4 * RUN)])
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT count(*) FROM key_filter").fetchone()[0] > RUN
    async with opened(path) as (store, make):
        assert await known(store, make, list(numbers)) == numbers


async def test_bits_are_made_anew(tmp_path: Path, few_buckets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """When many keys of a bucket went, its bits are those of the keys that are left, and of these none is missed."""
    monkeypatch.setattr(recent_keys, "GONE_MAX", 0)
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        await commit(store, make, ids(4 * RUN))
        before = sum(byte.bit_count() for byte in store.core.recent._bits[:])
        await forget_all(store, make)
        numbers = await commit(store, make, [f"more{n}" for n in range(4 * RUN)])
        assert sum(byte.bit_count() for byte in store.core.recent._bits[:]) < before + RUN
        assert await known(store, make, list(numbers)) == numbers


async def test_a_crowded_bucket_is_merged_out_of_its_turn(
    tmp_path: Path, few_buckets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more keys wait in one than are quickly searched; all are known before, after, after a crash, and after their turn."""
    monkeypatch.setattr(recent_keys, "CROWD", 5)
    path, names = tmp_path / "a.db", ids(200)
    async with opened(path, recent=10_000) as (store, make):
        numbers = await commit(store, make, names)
        waiting = [len(each) // recent_keys._ENTRY_BYTES for each in store.core.recent._waiting[: recent_keys.BUCKETS]]
        assert max(waiting) <= 5 + BATCH
        assert indexed(path) >= len(names) - sum(waiting) > 0
        assert await known(store, make, names) == numbers
        for name in ("a.db", "a.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / f"crashed-{name}")
    async with opened(tmp_path / "crashed-a.db") as (store, make):
        assert await known(store, make, names) == numbers
        later = await commit(store, make, [f"later{n}" for n in range(4 * RUN)])
        assert await known(store, make, names) == numbers
    async with opened(tmp_path / "crashed-a.db") as (store, make):
        assert await known(store, make, [*names, *later]) == numbers | later


async def test_a_crowded_bucket_stays_as_it_was_when_its_merge_fails(
    tmp_path: Path, few_buckets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was rolled back is merged again, and nothing is forgotten."""
    monkeypatch.setattr(recent_keys, "CROWD", 5)
    async with opened(tmp_path / "a.db", recent=10_000) as (store, make):
        numbers = await commit(store, make, ids(60))
        plan = make.plan("twice", to=())
        with pytest.raises(StoreError):
            await store.commit(Batch(1, [make.plan("x", to=()), plan, plan]))
        assert await known(store, make, ids(60)) == numbers
        numbers |= await commit(store, make, ["x", "y"])
        assert await known(store, make, [*ids(60), "x", "y"]) == numbers


def test_bytes_that_look_like_a_key_are_none() -> None:
    """A key that seems to lie across two others is not found, and the last one of its entries counts."""
    key, other = bytes(range(20)), bytes(reversed(range(20)))
    number = (7).to_bytes(8, "big")
    across = bytearray(other + bytes(4) + key[:4] + key[4:] + bytes(12))
    assert recent_keys._number(across, key) is None
    assert recent_keys._number(key + number + across, key) == 7
    assert recent_keys._number(key + bytes(8) + key + number, key) == 7


async def test_numbers_out_of_order_are_known_after_a_crash(tmp_path: Path) -> None:
    """An event whose number is below those before it is known like any other."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        early = make.plan("early", to=())
        await commit(store, make, ids(3 * RUN))
        await store.commit(Batch(1, [early]))
        for name in ("alertd.db", "alertd.db-wal"):
            shutil.copyfile(tmp_path / name, tmp_path / f"cut-{name}")
    async with opened(tmp_path / "cut-alertd.db") as (store, make):
        assert await known(store, make, ["early"]) == {"early": early.number}
