"""A destination's memory is as good as the store, and never worse than none."""

from __future__ import annotations

from alertd.app.kept_memory import KeptMemory
from alertd.errors import StoreUnavailableError
from alertd.store.memory import MemoryStore
from tests.conformance.store_maker import StillClock


class FullDisk:
    """A store that may be unable to write."""

    def __init__(self) -> None:
        self.full = False
        self.kept: dict[tuple[int, str], str] = {}

    async def recall(self, destination_id: int, key: str, now_ms: int) -> str | None:
        """Return what is kept."""
        if self.full:
            raise StoreUnavailableError("disk full")
        return self.kept.get((destination_id, key))

    async def remember(self, destination_id: int, key: str, value: str, now_ms: int) -> None:
        """Keep."""
        if self.full:
            raise StoreUnavailableError("disk full")
        self.kept[destination_id, key] = value


async def test_another_process_finds_what_this_one_set() -> None:
    """Each destination its own."""
    clock = StillClock()
    store = MemoryStore(clock)
    await KeptMemory(store, clock, 4).set("k", "v")
    assert await KeptMemory(store, clock, 4).get("k") == "v"
    assert await KeptMemory(store, clock, 5).get("k") is None


async def test_a_store_that_fails_costs_no_delivery() -> None:
    """What is set meanwhile is remembered until the process ends, and stored when it is set again."""
    store, clock = FullDisk(), StillClock()
    memory = KeptMemory(store, clock, 4)
    await memory.set("k", "stored")
    store.full = True
    assert await memory.get("k") is None
    await memory.set("k", "newer")
    assert await memory.get("k") == "newer"
    store.full = False
    assert await memory.get("k") == "newer"
    await memory.set("k", "newest")
    assert await memory.get("k") == store.kept[4, "k"] == "newest"
