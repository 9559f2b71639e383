"""Both stores keep what destinations remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.store.memory import MemoryStore
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.recall_suite import RecallSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from alertd.store.base import Store
    from tests.conformance.recall_suite import Reopen
    from tests.conformance.store_maker import StillClock


class TestMemory(RecallSuite):
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


class TestSqlite(RecallSuite):
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
