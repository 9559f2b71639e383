"""What the store suites stand on: a clock, plans, and the two stores, fresh for each test and there again when asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from alertd.store.base import Store
from alertd.store.memory import MemoryStore
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Reopen = Callable[[], Awaitable[Store]]
"""Ends a store as a stop of the daemon does, and opens it again."""


class StoreCase:
    """What every suite has. Whoever is held against it gives an open `store`, and `reopen` where the suite asks for it."""

    @pytest.fixture
    def clock(self) -> StillClock:
        """Stand still at the start."""
        return StillClock()

    @pytest.fixture
    async def make(self, store: Store, clock: StillClock) -> Maker:
        """Give every name its number and make plans with them."""
        await store.intern(NAMES)
        return Maker(clock, store.salt)


class InMemory:
    """The store in memory, which is there as long as it is."""

    @pytest.fixture
    async def store(self, clock: StillClock) -> MemoryStore:
        """Open a fresh store."""
        return MemoryStore(clock)

    @pytest.fixture
    def reopen(self, store: MemoryStore) -> Reopen:
        """Give the same one."""

        async def same() -> Store:
            return store

        return same


class InFile:
    """The store on a file, closed and opened again."""

    @pytest.fixture
    async def opened(self) -> AsyncIterator[list[SqliteStore]]:
        """Close whatever was opened."""
        stores: list[SqliteStore] = []
        yield stores
        for store in stores:
            await store.close()

    @pytest.fixture
    async def store(self, clock: StillClock, tmp_path: Path, opened: list[SqliteStore]) -> SqliteStore:
        """Open a fresh file."""
        opened.append(await open_sqlite(tmp_path / "alertd.db", clock))
        return opened[-1]

    @pytest.fixture
    def reopen(self, clock: StillClock, tmp_path: Path, opened: list[SqliteStore]) -> Reopen:
        """Close the file and open it again."""

        async def again() -> Store:
            await opened[-1].close()
            opened.append(await open_sqlite(tmp_path / "alertd.db", clock))
            return opened[-1]

        return again
