"""What the connections to a SQLite file are set to, for what was acknowledged must outlive a power cut."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from alertd.errors import StoreError, StoreUnavailableError
from alertd.store.base import Batch
from alertd.store.sqlite.connection import CHECKPOINT_BYTES, PAGE_BYTES, SqliteOptions
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator
    from pathlib import Path

FULL = 2


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    """Open a store with names in it."""
    store = await open_sqlite(path, StillClock(), SqliteOptions(busy_seconds=0.05))
    try:
        await store.intern(NAMES)
        yield store
    finally:
        await store.close()


def settings(conn: sqlite3.Connection) -> tuple[object, ...]:
    """Ask a connection how it writes."""
    names = ("journal_mode", "synchronous", "wal_autocheckpoint", "query_only")
    return tuple(conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names)


async def test_a_commit_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    """The writer syncs the log at each commit, also the connection that it makes when it could not write with the first."""
    wanted = ("wal", FULL, CHECKPOINT_BYTES // PAGE_BYTES, 0)
    async with opened(tmp_path / "alertd.db") as store:
        make = Maker(StillClock(), store.salt)
        assert await store.core.writer.run(settings) == wanted
        await store.core.writer.run(lambda conn: conn.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(StoreUnavailableError):
            await store.commit(Batch(1, [make.plan("a")]))
        await store.commit(Batch(1, [make.plan("b")]))
        assert await store.core.writer.run(settings) == wanted


async def test_one_connection_writes_and_moves_the_log(tmp_path: Path) -> None:
    """Readers can neither write nor checkpoint: SQLite before 3.51.3 damages a file where that meets a write."""
    async with opened(tmp_path / "alertd.db") as store:
        for reader in (store.core.reads, store.core.history):
            assert await reader.rows("PRAGMA query_only") == [(1,)]
            assert await reader.rows("PRAGMA wal_autocheckpoint") == [(0,)]
            with pytest.raises(StoreError):
                await reader.rows("DELETE FROM event")
