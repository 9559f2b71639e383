"""What destinations remember, in memory."""

from __future__ import annotations

from alertd.store.memory_history import MemoryHistory
from alertd.store.recall import ENTRIES_MAX, UNUSED_MS


class MemoryRecall(MemoryHistory):
    """Short texts by destination and key, with the time of their last use."""

    def __init__(self, salt: int) -> None:
        super().__init__(salt)
        self._remembered: dict[int, dict[str, tuple[str, int]]] = {}

    async def recall(self, destination_id: int, key: str, now_ms: int) -> str | None:
        """Return what a destination remembers, or None."""
        own = self._remembered.get(destination_id, {})
        found = own.pop(key, None)
        if found is None:
            return None
        own[key] = (found[0], max(found[1], now_ms))
        return found[0]

    async def remember(self, destination_id: int, key: str, value: str, now_ms: int) -> None:
        """Remember, and forget what is too much or too old."""
        self._write()
        own = self._remembered.setdefault(destination_id, {})
        own.pop(key, None)
        own[key] = (value, now_ms)
        while len(own) > ENTRIES_MAX:
            del own[next(iter(own))]
        for entries in self._remembered.values():  # in the order of their last use
            while entries and next(iter(entries.values()))[1] <= now_ms - UNUSED_MS:
                del entries[next(iter(entries))]
