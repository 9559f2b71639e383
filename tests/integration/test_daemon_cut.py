"""What a cut leaves behind must not keep the process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import aiosqlite.core
import pytest
from typing_extensions import override

from alertd.clock import SystemClock
from alertd.store.sqlite.connection import SqliteOptions, reader_pragmas
from alertd.store.sqlite.reader import Reader
from alertd.store.sqlite.store import open_sqlite
from tests.daemon import DEADLINE, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUERY = "SELECT 1"
STEPS = ["connect", *(f"PRAGMA {pragma}" for pragma in reader_pragmas(SqliteOptions())), QUERY]
"""What the thread of a reader's connection does for the first query, in order."""


def connections() -> int:
    """Count the threads of open connections."""
    return sum("_connection_worker_thread" in thread.name for thread in threading.enumerate())


class Cut:
    """Cancels a reading at one moment: while the connection's thread is in a step, or when the loop has its result."""

    def __init__(self, step: str, *, done: bool, cancel: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self._step = step
        self._done = done
        self._last = ""
        self._cancel = cancel
        self._loop = asyncio.get_running_loop()
        self._connect = sqlite3.connect
        self._set_result = aiosqlite.core.set_result
        patch.setattr(sqlite3, "connect", self._connected)
        patch.setattr(aiosqlite.core, "set_result", self._told)

    def begin(self, step: str) -> None:
        """Stay in the step, when it is the one, until told to go on."""
        self._last = step
        if step == self._step and not self._done:
            self._loop.call_soon_threadsafe(self._cancel)
            self.go_on.wait(DEADLINE)

    def _connected(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        cut = self

        class Watched(sqlite3.Connection):
            """A connection that says what it executes."""

            @override
            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                """Begin, then execute."""
                cut.begin(sql)
                return super().execute(sql, *parameters)

            def __del__(self) -> None:
                """Close in silence: aiosqlite drops a connection whose opening was cancelled, and Python 3.13 warns of it."""

        self.begin("connect")
        return self._connect(*arguments, factory=Watched, **options)

    def _told(self, future: asyncio.Future[Any], result: object) -> None:
        self._set_result(future, result)
        if self._last == self._step and self._done:
            self._cancel()


@pytest.mark.parametrize("done", [False, True], ids=["in", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_read_that_is_cut_while_it_connects(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    """A connection whose opening was cancelled, at whatever moment, leaves no thread."""
    store = await open_sqlite(tmp_path / "alertd.db", SystemClock())
    before = connections()
    reader = Reader(tmp_path / "alertd.db", SqliteOptions())
    with monkeypatch.context() as patch:
        reading = asyncio.ensure_future(reader.rows(QUERY))
        cut = Cut(step, done=done, cancel=reading.cancel, patch=patch)
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    assert reading.cancelled()
    cut.go_on.set()
    await reader.close()
    await eventually(lambda: connections() <= before, "the connection's thread to end")
    await store.close()


@pytest.mark.parametrize("begun", [False, True])
async def test_a_read_that_is_cut_before_or_after_it_connects(tmp_path: Path, *, begun: bool) -> None:
    """Nor does one that was not begun, or that is open."""
    before = connections()
    store = await open_sqlite(tmp_path / "alertd.db", SystemClock())
    reader = Reader(tmp_path / "alertd.db", SqliteOptions())
    reading = asyncio.ensure_future(reader.rows(QUERY))
    if begun:
        assert await reading == [(1,)]
    assert reading.cancel() is (not begun)
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    assert reading.cancelled() is (not begun)
    await reader.close()
    await store.close()
    await eventually(lambda: connections() <= before, "the connection's thread to end")
