"""What retention leaves of digests in a real file: nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from alertd.store.base import Batch
from alertd.store.digests import Spill
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.store import open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 86_400_000
TABLES = ("digest", "digested", "delivery", "event")


async def test_nothing_is_left_of_a_digest(tmp_path: Path) -> None:
    """When its alerts are too old, its rows go, and those that say what came together in it."""
    path, clock = tmp_path / "a.db", StillClock()
    store = await open_sqlite(path, clock, SqliteOptions())
    try:
        await store.intern(NAMES)
        make = Maker(clock, store.salt, await store.newest_number())
        await store.commit(Batch(1, [make.plan(f"e{turn}") for turn in range(10)]))
        number = make.ids.take()
        done = await store.digest(Spill(3, 4, frozenset(), frozenset(), number, number, clock.ms))
        assert (done.count, _counts(path)) == (6, {"digest": 1, "digested": 6, "delivery": 11, "event": 10})
        await store.record([make.attempt(each.id) for each in (await store.due(3, clock.ms, 100, ())).deliveries])
        clock.ms += 2 * DAY_MS
        while await store.retain(clock.ms - DAY_MS, 100):
            pass
        assert _counts(path) == dict.fromkeys(TABLES, 0)
    finally:
        await store.close()


def _counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as conn:
        return {table: conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}  # noqa: S608 - constants
