"""What every store promises about what destinations remember, as tests; fixtures as in the engine suite."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alertd.store.recall import ENTRIES_MAX, TOUCH_MS, UNUSED_MS
from tests.conformance.store_case import Reopen, StoreCase
from tests.conformance.store_maker import START_MS

if TYPE_CHECKING:
    from alertd.store.base import Store


class RecallSuite(StoreCase):
    """The promises."""

    async def test_what_was_set_is_there_again(self, store: Store, reopen: Reopen) -> None:
        """The last value of each key, for a new process too."""
        await store.remember(1, "k", "old", START_MS)
        await store.remember(1, "k", "né", START_MS + 1)
        assert await store.recall(1, "k", START_MS + 2) == "né"
        assert await (await reopen()).recall(1, "k", START_MS + 3) == "né"

    async def test_nobody_remembers_for_another(self, store: Store) -> None:
        """Keys are each destination's own; what was never set is None."""
        await store.remember(1, "k", "one", START_MS)
        await store.remember(2, "k", "two", START_MS)
        assert [await store.recall(n, "k", START_MS) for n in (1, 2, 3)] == ["one", "two", None]
        assert await store.recall(1, "K", START_MS) is None

    async def test_the_bound_holds_at_the_bound(self, store: Store) -> None:
        """As many as may be stay; with one more the one not used for longest goes, and only this destination's."""
        await store.remember(2, "other", "stays", START_MS)
        for first in range(0, ENTRIES_MAX, 1000):
            numbers = range(first, first + 1000)
            await asyncio.gather(*(store.remember(1, f"k{n}", "v", START_MS + n) for n in numbers))
        assert await store.recall(1, "k0", START_MS + TOUCH_MS * 2) == "v"  # used: now it is the newest
        await store.remember(1, "more", "v", START_MS + TOUCH_MS * 2)
        assert await store.recall(1, "k1", START_MS + TOUCH_MS * 2) is None
        for key in ("k0", "k2", f"k{ENTRIES_MAX - 1}", "more"):
            assert await store.recall(1, key, START_MS + TOUCH_MS * 2) == "v", key
        assert await store.recall(2, "other", START_MS) == "stays"

    async def test_what_nobody_used_for_half_a_year_is_forgotten(self, store: Store) -> None:
        """Whoever remembers something next takes it away, also from destinations that are no more."""
        await store.remember(1, "unused", "v", START_MS)
        await store.remember(1, "used", "v", START_MS)
        await store.remember(3, "just", "v", START_MS + 1)
        await store.recall(1, "used", START_MS + TOUCH_MS)
        later = START_MS + UNUSED_MS
        await store.remember(2, "k", "v", later)
        assert await store.recall(1, "unused", later) is None
        assert await store.recall(1, "used", later) == await store.recall(3, "just", later) == "v"
