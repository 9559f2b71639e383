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
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RUN = 50
BATCH = 10


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[SqliteStore, Maker]]:
    """Open a store whose runs are short, and what makes plans for it."""
    clock = StillClock()
    store = await open_sqlite(path, clock, SqliteOptions(run_events=RUN))
    try:
        await store.intern(NAMES)
        yield store, Maker(clock, store.salt, await store.newest_number())
    finally:
        await store.close()


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


async def test_ids_that_retention_deleted_are_free(tmp_path: Path) -> None:
    """An id may come again when its event is gone, whether or not its key had been merged."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        names = ids(3 * RUN)
        await commit(store, make, names)
        assert indexed(path)
        make.clock.ms += 1000
        while await store.retain(make.clock.ms, 500):
            pass
        assert indexed(path) == 0
        numbers = await commit(store, make, names)
        assert await known(store, make, names) == numbers


async def test_numbers_out_of_order_are_known_after_a_crash(tmp_path: Path) -> None:
    """An event whose number is below those before it goes into the index at once."""
    path = tmp_path / "alertd.db"
    async with opened(path) as (store, make):
        early = make.plan("early", to=())
        await commit(store, make, ids(3 * RUN))
        await store.commit(Batch(1, [early]))
        for name in ("alertd.db", "alertd.db-wal"):
            shutil.copyfile(tmp_path / name, tmp_path / f"cut-{name}")
    async with opened(tmp_path / "cut-alertd.db") as (store, make):
        assert await known(store, make, ["early"]) == {"early": early.number}
