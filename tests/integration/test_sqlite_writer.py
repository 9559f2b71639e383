"""The thread that writes keeps nothing of what it has written."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from alertd.store.sqlite.store import open_sqlite
from tests.conformance.store_maker import StillClock

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


class Job:
    """A job that reads."""

    def __call__(self, conn: sqlite3.Connection) -> int:
        """Do it."""
        return int(conn.execute("SELECT 17").fetchone()[0])


async def test_what_was_written_is_let_go(tmp_path: Path) -> None:
    """Once a job is answered nobody but its caller holds it, however long no other comes."""
    store = await open_sqlite(tmp_path / "alertd.db", StillClock())
    job = Job()
    held = weakref.ref(job)
    answer = await store.core.writer.run(job)
    del job
    assert (answer, held()) == (17, None)
    await store.close()
