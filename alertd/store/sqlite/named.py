"""Every name that has a number, in memory; the file follows.

A new name costs no transaction of its own: each transaction first writes the names that came since the last one, so that
nothing is ever in the file whose name is not. The event loop gives numbers, the writer's thread writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from alertd.model.ids import NameKey

_ALL: Final = "SELECT id, kind, workspace, name FROM name ORDER BY id"
_KEEP: Final = "INSERT INTO name(id, kind, workspace, name) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
"""They may be there: of a transaction whose commit was cut off, nobody knows whether it was."""


class Named:
    """`keys` by number, `numbers` by key."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.keys: dict[int, NameKey] = {row[0]: row[1:] for row in conn.execute(_ALL)}
        self.numbers: dict[NameKey, int] = {key: number for number, key in self.keys.items()}
        self._stored = self._writing = max(self.keys, default=0)
        self._last = self._stored

    def intern(self, keys: Iterable[NameKey]) -> dict[NameKey, int]:
        """The numbers of all these names; one that is new gets the next."""
        found = {}
        for key in keys:
            number = self.numbers.get(key)
            if number is None:
                number = self.numbers[key] = self._last + 1
                self.keys[number] = key
                self._last = number  # now it may be written
            found[key] = number
        return found

    def write(self, conn: sqlite3.Connection) -> None:
        """Write what is not in the file yet, at the beginning of a transaction."""
        self._writing = self._last
        if self._writing != self._stored:
            fresh = range(self._stored + 1, self._writing + 1)
            conn.executemany(_KEEP, [(number, *self.keys[number]) for number in fresh])

    def settle(self, committed: bool) -> None:
        """Take what the transaction wrote as done, or as never done."""
        if committed:
            self._stored = self._writing
