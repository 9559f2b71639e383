"""Every store keeps what is promised about digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.store.memory import MemoryStore
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.digest_suite import DigestSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conformance.store_maker import StillClock


class TestMemoryDigests(DigestSuite):
    """In memory."""

    @pytest.fixture
    async def store(self, clock: StillClock) -> MemoryStore:
        """Open a fresh store."""
        return MemoryStore(clock)


class TestSqliteDigests(DigestSuite):
    """In a file."""

    @pytest.fixture
    async def store(self, clock: StillClock, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        """Open a fresh file."""
        store = await open_sqlite(tmp_path / "alertd.db", clock)
        yield store
        await store.close()
