"""A destination's memory that lasts as long as the process, and holds so many entries at most."""

from __future__ import annotations

from typing import Final

ENTRIES_MAX: Final = 10_000
"""Entries of one destination; beyond it those not used for longest are forgotten."""


class PassingMemory:
    """A `Memory` in memory."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries: dict[str, str] = {}
        self._entries_max = entries_max

    async def get(self, key: str) -> str | None:
        """Return what was set, or None."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._entries[key] = value
        return value

    async def set(self, key: str, value: str) -> None:
        """Remember, in place of what was there."""
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._entries_max:
            del self._entries[next(iter(self._entries))]

    def forget(self, key: str) -> None:
        """Remember it no more; what was never set is fine."""
        self._entries.pop(key, None)
