"""A reader's one connection, which is opened at first use."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from alertd.clock import SystemClock
from alertd.errors import StoreUnavailableError
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.reader import Reader
from alertd.store.sqlite.store import open_sqlite
from tests.daemon import eventually

if TYPE_CHECKING:
    from pathlib import Path


def connections() -> int:
    """Count the threads of open connections."""
    return sum("_connection_worker_thread" in thread.name for thread in threading.enumerate())


async def test_a_reader_that_is_closed_while_it_connects_leaves_nothing_open(tmp_path: Path) -> None:
    """The thread of a connection that nobody closes would keep the process from ending."""
    store = await open_sqlite(tmp_path / "alertd.db", SystemClock())
    before = connections()
    reader = Reader(tmp_path / "alertd.db", SqliteOptions())
    reading = asyncio.ensure_future(reader.rows("SELECT 1"))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await reader.close()
        with contextlib.suppress(StoreUnavailableError):
            await reading
    await eventually(lambda: connections() <= before, "the connection's thread to end")
    await store.close()
