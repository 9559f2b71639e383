"""Small facts that one store keeps about itself: a row of text each, read and written within a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_SET_META = "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"


def get_meta(conn: sqlite3.Connection, key: str) -> str | None:
    """Read a small fact."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(conn: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a small fact."""
    conn.execute(_SET_META, (key, value))
