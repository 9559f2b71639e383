"""Both stores keep the engine's memory, facts and rulesets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.store.memory import MemoryStore
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.engine_suite import EngineSuite, ruleset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from alertd.store.base import Store
    from tests.conformance.engine_suite import Reopen
    from tests.conformance.store_maker import StillClock


class TestMemory(EngineSuite):
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


class TestSqlite(EngineSuite):
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

    async def test_a_ruleset_that_goes_while_it_is_read_is_gone(
        self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It comes whole or not at all, never as what it differs in from one that is gone."""
        common = b"".join(b"%d\n" % number**3 for number in range(500))
        documents = [common + b"%d" % revision for revision in (1, 2)]
        for revision, document in enumerate(documents, 1):
            await store.keep_revision(ruleset(revision, document))
        read = store.core.reads.row

        async def meanwhile(*given: Any) -> Any:
            row = await read(*given)
            await store.core.writer.execute("DELETE FROM ruleset", ())
            return row

        monkeypatch.setattr(store.core.reads, "row", meanwhile)
        assert await store.revision(2) in (None, documents[1])

    @pytest.fixture
    def reopen(self, clock: StillClock, tmp_path: Path, opened: list[SqliteStore]) -> Reopen:
        """Close the file and open it again."""

        async def again() -> Store:
            await opened[-1].close()
            opened.append(await open_sqlite(tmp_path / "alertd.db", clock))
            return opened[-1]

        return again
