"""Names and their numbers, in the file: written with whatever is stored next."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from alertd.clock import SystemClock
from alertd.store.sqlite.store import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.model.ids import NameKey

FIRST: NameKey = ("channel", "default", "first")
SECOND: NameKey = ("channel", "default", "second")


class BoomError(Exception):
    """What a broken job raises."""


def stored(path: Path) -> dict[NameKey, int]:
    """Read the names that are in the file, as anybody could."""
    with closing(sqlite3.connect(path)) as conn:
        return {row[1:]: row[0] for row in conn.execute("SELECT id, kind, workspace, name FROM name")}


async def test_a_name_is_in_the_file_with_what_is_stored_next(tmp_path: Path) -> None:
    """It costs no transaction of its own, and nothing is stored before it."""
    path = tmp_path / "a.db"
    store = await open_sqlite(path, SystemClock())
    numbers = await store.intern([FIRST, SECOND, FIRST])
    assert stored(path) == {}
    await store.set_meta("any", "thing")
    assert stored(path) == numbers
    await store.close()


async def test_a_name_keeps_its_number_over_a_restart(tmp_path: Path) -> None:
    """Also one that was given right before the end; the next one is another."""
    path = tmp_path / "a.db"
    store = await open_sqlite(path, SystemClock())
    first = await store.intern([FIRST])
    await store.close()
    store = await open_sqlite(path, SystemClock())
    numbers = await store.intern([SECOND, FIRST])
    assert numbers[FIRST] == first[FIRST] != numbers[SECOND]
    await store.close()
    assert stored(path) == numbers


async def test_what_is_rolled_back_is_written_again(tmp_path: Path) -> None:
    """A transaction that failed took no name with it."""
    path = tmp_path / "a.db"
    store = await open_sqlite(path, SystemClock())
    numbers = await store.intern([FIRST])

    def broken(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO meta(key, value) VALUES ('half', 'done')")
        raise BoomError

    with pytest.raises(BoomError):
        await store.core.writer.run(broken)
    assert stored(path) == {}
    await store.set_meta("any", "thing")
    assert stored(path) == numbers
    await store.close()


async def test_names_of_a_commit_that_was_cut_off_may_be_there(tmp_path: Path) -> None:
    """When it was done after all, nothing fails of it."""
    path = tmp_path / "a.db"
    store = await open_sqlite(path, SystemClock())
    await store.core.writer.execute("INSERT INTO name(id, kind, workspace, name) VALUES (1, ?, ?, ?)", FIRST)
    numbers = await store.intern([FIRST, SECOND])
    await store.set_meta("any", "thing")
    assert stored(path) == numbers == {FIRST: 1, SECOND: 2}
    await store.close()
