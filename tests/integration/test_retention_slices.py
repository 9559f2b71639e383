"""Retention never holds the file for long: whatever there is to delete, one transaction takes little of it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from alertd.model.delivery import DeliveryState
from alertd.store.base import Batch
from alertd.store.sqlite.store import open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

ROWS_MAX = 1010
"""Rows that one transaction may change, what it notes of itself included; a hundred thousand took a third of a second, in which nothing could be stored."""


@pytest.mark.parametrize(("old", "to", "attempts"), [(2000, (), 0), (1000, (3,), 1), (200, (3, 4, 5), 12)])
async def test_one_transaction_deletes_little(tmp_path: Path, old: int, to: tuple[int, ...], attempts: int) -> None:
    """However much it may delete in all, and however much hangs on an event."""
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
        for _ in range(old // 100):
            plans = [make.plan(to=to) for _ in range(100)]
            await store.commit(Batch(1, plans))
            deliveries = [delivery.id for plan in plans for delivery in plan.deliveries]
            for number in range(1, attempts + 1):
                state = DeliveryState.DELIVERED if number == attempts else DeliveryState.RETRYING
                await store.record([make.attempt(delivery, number, state) for delivery in deliveries])
        clock.ms += 1000
        await store.core.writer.run(watch)
        gone = 0
        while more := await store.retain(clock.ms, old):
            gone += more
    finally:
        await store.close()
    assert gone == old
    rows = [after - before for before, after in pairwise(changes)]
    assert sum(rows) >= old
    assert max(rows) <= ROWS_MAX
