"""Lasting numbers of named resources, and small facts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from alertd.store.base import NameKey

_FIND = "SELECT id FROM name WHERE kind = ? AND workspace = ? AND name = ?"
_MAKE = "INSERT INTO name(kind, workspace, name) VALUES (?, ?, ?) RETURNING id"
_SET_META = "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"


def get_meta(conn: sqlite3.Connection, key: str) -> str | None:
    """Read a small fact."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(conn: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a small fact."""
    conn.execute(_SET_META, (key, value))


class Names(Part):
    """What gives named resources their numbers; all names are held in memory too."""

    async def intern(self, keys: Sequence[NameKey]) -> dict[NameKey, int]:
        """The numbers of all these names, making those that are new."""
        numbers = self.core.numbers
        missing = [key for key in keys if key not in numbers]
        if missing:
            made = await self.core.writer.run(lambda conn: _intern(conn, missing))
            numbers.update(made)
            self.core.names.update({number: key for key, number in made.items()})
        return {key: numbers[key] for key in keys}

    async def names(self) -> Mapping[int, NameKey]:
        """Every name ever given, by number: of now, and of whatever comes."""
        return MappingProxyType(self.core.names)

    async def get_meta(self, key: str) -> str | None:
        """A small fact kept in the store."""
        row = await self.core.reads.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row[0])

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact."""
        await self.core.writer.run(lambda conn: set_meta(conn, key, value))


def _intern(conn: sqlite3.Connection, keys: Sequence[NameKey]) -> dict[NameKey, int]:
    found: dict[NameKey, int] = {}
    for key in keys:
        if key not in found:
            row = conn.execute(_FIND, key).fetchone() or conn.execute(_MAKE, key).fetchone()
            found[key] = int(row[0])
    return found
