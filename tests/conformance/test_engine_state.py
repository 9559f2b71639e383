"""Both stores keep the engine's memory, facts and rulesets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conformance.engine_suite import EngineSuite, ruleset
from tests.conformance.store_case import InFile, InMemory

if TYPE_CHECKING:
    import pytest

    from alertd.store.sqlite.store import SqliteStore


class TestMemory(InMemory, EngineSuite):
    """In memory."""


class TestSqlite(InFile, EngineSuite):
    """In a file."""

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
