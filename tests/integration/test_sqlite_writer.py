"""The thread that writes: what it keeps, and what it does when SQLite fails it beside a job."""

from __future__ import annotations

import sqlite3
import weakref
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from alertd.errors import ConflictError
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.store import open_sqlite
from tests.conformance.store_maker import StillClock

if TYPE_CHECKING:
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


def deny(conn: sqlite3.Connection, denied: int, what: str) -> None:
    """Let SQLite refuse one kind of statement from now on."""

    def judge(action: int, argument: str | None, *_: str | None) -> int:
        return sqlite3.SQLITE_DENY if (action, argument) == (denied, what) else sqlite3.SQLITE_OK

    conn.set_authorizer(judge)


async def test_a_log_that_cannot_be_truncated_leaves_all_as_it_was(tmp_path: Path) -> None:
    """It is told, and who holds the file is waited for as before."""
    store = await open_sqlite(tmp_path / "alertd.db", StillClock(), SqliteOptions(busy_seconds=1.5, wal_max_bytes=0))
    with capture_logs() as logs:
        await store.core.writer.run(lambda conn: deny(conn, sqlite3.SQLITE_PRAGMA, "wal_checkpoint"))
        waits = await store.core.writer.run(lambda conn: conn.execute("PRAGMA busy_timeout").fetchone()[0])
    assert (logs[0]["event"], logs[0]["error"]) == ("store.truncate_failed", "not authorized")
    assert waits == 1500
    await store.close()


async def test_a_connection_that_cannot_roll_back_is_opened_anew(tmp_path: Path) -> None:
    """That is told, nothing of the job stays, and the next one is done."""
    store = await open_sqlite(tmp_path / "alertd.db", StillClock())
    await store.core.writer.run(lambda conn: deny(conn, sqlite3.SQLITE_TRANSACTION, "ROLLBACK"))

    def job(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO meta VALUES ('a', '1')")
        raise ConflictError("on purpose")

    with capture_logs() as logs:
        with pytest.raises(ConflictError):
            await store.core.writer.run(job)
        await store.set_meta("b", "1")
    assert [line["event"] for line in logs] == ["store.rollback_failed", "store.reopened"]
    assert logs[0]["error"] == "not authorized"
    assert (await store.get_meta("a"), await store.get_meta("b")) == (None, "1")
    await store.close()


@pytest.mark.parametrize("name", ["alertd.db", "link.db"])
async def test_a_log_is_truncated_by_whatever_name_the_file_is_opened(tmp_path: Path, name: str) -> None:
    """SQLite keeps it beside the file that a symbolic link leads to; it is looked for there."""
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / "alertd.db"
    place = file if name == file.name else tmp_path / name
    if place != file:
        place.symlink_to(file)
    store = await open_sqlite(place, StillClock(), SqliteOptions(wal_max_bytes=0))
    await store.set_meta("a", "1")
    await store.core.writer.run(lambda conn: conn.execute("SELECT 1").fetchone())  # the log is looked at before
    assert file.with_name("alertd.db-wal").stat().st_size == 0
    await store.close()
