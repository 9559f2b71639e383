"""Deliveries that serve several subscriptions: what is kept of them goes with them, and other deliveries have no row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from alertd.store.base import Batch
from alertd.store.sqlite.store import open_sqlite
from tests.conformance.store_maker import NAMES, START_MS, Maker, StillClock

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path) -> list[tuple[int, str]]:
    """Read what is kept."""
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute("SELECT delivery_id, subscriptions FROM shared ORDER BY 1").fetchall()


async def test_rows_are_few_and_go_with_their_deliveries(tmp_path: Path) -> None:
    """A row for each shared delivery and each replay of one, in the transaction of the delivery; none is left by retention."""
    path, clock = tmp_path / "alertd.db", StillClock()
    store = await open_sqlite(path, clock)
    await store.intern(NAMES)
    make = Maker(clock, store.salt)
    shared, own = make.plan("a", to=(3, 4)), make.plan("b")
    shared.deliveries[0].also = (8, 9)
    await store.commit(Batch(1, [shared, own]))
    first = shared.deliveries[0].id
    assert rows(path) == [(first, "[8,9]")]
    await store.record([make.attempt(d.id) for plan in (shared, own) for d in plan.deliveries])
    again = await store.replay(first, make.ids.take(), clock.ms)
    assert rows(path) == [(first, "[8,9]"), (again.id, "[8,9]")]
    await store.record([make.attempt(again.id)])
    assert await store.retain(START_MS + 10**9, 10) == 2
    assert rows(path) == []
    await store.close()
