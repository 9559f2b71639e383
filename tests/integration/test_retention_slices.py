"""Retention never holds the file for long: whatever there is to delete, one transaction takes little of it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from alertd.store.base import Batch
from alertd.store.sqlite.store import open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

OLD = 2000
ROWS_MAX = 1000
"""Rows that one transaction may change; a hundred thousand took a third of a second, in which nothing could be stored."""


async def test_one_transaction_deletes_little(tmp_path: Path) -> None:
    """However much it may delete in all."""
    clock = StillClock()
    changes: list[int] = []

    def watch(conn: sqlite3.Connection) -> None:
        conn.set_trace_callback(partial(told, conn))

    def told(conn: sqlite3.Connection, statement: str) -> None:
        if statement.startswith("COMMIT"):
            changes.append(conn.total_changes)

    store = await open_sqlite(tmp_path / "alertd.db", clock)
    try:
        await store.intern(NAMES)
        make = Maker(clock, store.salt, await store.newest_number())
        for _ in range(OLD // 500):
            await store.commit(Batch(1, [make.plan(to=()) for _ in range(500)]))
        clock.ms += 1000
        await store.core.writer.run(watch)
        gone = 0
        while more := await store.retain(clock.ms, OLD):
            gone += more
    finally:
        await store.close()
    assert gone == OLD
    rows = [after - before for before, after in pairwise(changes)]
    assert sum(rows) >= OLD
    assert max(rows) <= ROWS_MAX
