"""What a cut leaves behind must not keep the process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from alertd.clock import SystemClock
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.reader import Reader
from alertd.store.sqlite.store import open_sqlite
from tests.daemon import eventually

if TYPE_CHECKING:
    from pathlib import Path


def connections() -> int:
    """Count the threads of open connections."""
    return sum("_connection_worker_thread" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_read_that_is_cut_while_it_connects(tmp_path: Path, turns: int) -> None:
    """A connection whose opening was cancelled, at whatever moment, leaves no thread."""
    store = await open_sqlite(tmp_path / "alertd.db", SystemClock())
    before = connections()
    reader = Reader(tmp_path / "alertd.db", SqliteOptions())
    reading = asyncio.ensure_future(reader.rows("SELECT 1"))
    for _ in range(turns):
        await asyncio.sleep(0.0002)
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    await reader.close()
    await eventually(lambda: asyncio.sleep(0, connections() <= before), "the connection's thread to end")
    await store.close()
