"""The SQLite store keeps every promise of the suite, and what it kept is there when it is opened again."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from alertd.errors import DuplicateEventsError, StoreUnavailableError
from alertd.model.ids import END
from alertd.store.base import Batch, Filter
from alertd.store.sqlite import blocks, lookup, shapes, walks
from alertd.store.sqlite.lookup import Lookup
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.follow_suite import FollowSuite
from tests.conformance.forgetting_suite import ForgettingSuite
from tests.conformance.history_suite import HistorySuite
from tests.conformance.issue_suite import IssueSuite
from tests.conformance.replay_suite import ReplaySuite
from tests.conformance.resource_suite import ResourceSuite
from tests.conformance.store_case import InFile
from tests.conformance.store_maker import NAMES, Maker, StillClock
from tests.conformance.store_suite import StoreSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestSqliteStoreByBlocks(StoreSuite, HistorySuite):
    """The same promises when nothing is found but by blocks of three events, made as soon as there are three."""

    @pytest.fixture
    async def store(
        self, clock: StillClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[SqliteStore]:
        """Open a fresh file."""
        monkeypatch.setattr(shapes, "OUTLINE_EVENTS", 2)
        monkeypatch.setattr(blocks, "BLOCK_EVENTS", 3)
        monkeypatch.setattr(walks, "QUICK", 0)
        monkeypatch.setattr(lookup, "WINDOW_BLOCKS", 1)
        monkeypatch.setattr(lookup, "WINDOW_GROWTH", 2)
        store = await open_sqlite(tmp_path / "alertd.db", clock)
        yield store
        await store.close()

    @pytest.mark.parametrize("blocks_before", [0, 1])
    async def test_a_block_made_during_a_walk_repeats_nothing(
        self, store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch, blocks_before: int
    ) -> None:
        """What was found in outlines is not given again when they have become a block meanwhile."""
        monkeypatch.setattr(blocks, "BLOCK_EVENTS", 1_000)
        plans = []
        for _ in range(blocks_before):
            plans += [make.plan() for _ in range(4)]
            await store.commit(Batch(1, plans))
            assert await store.fold(at_least=1)
        newer = [make.plan() for _ in range(7)]
        await store.commit(Batch(1, newer))
        walk = Lookup(store.core, (), {}, 0, END)
        found = (await walk.take(1)).ids
        assert await store.fold(at_least=1)
        while not (chunk := await walk.take(3)).end:
            found += chunk.ids
        assert [*found, *chunk.ids] == [plan.number for plan in reversed(plans + newer)]

    async def test_what_no_outline_had_is_found_after_a_crash(
        self, store: SqliteStore, make: Maker, clock: StillClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Events that waited for their outline when the process was killed are found, and so are those that follow."""
        monkeypatch.setattr(shapes, "OUTLINE_EVENTS", 3)
        projects = ("shop", "blog", "shop", "shop")
        plans = [await make.stored(store, project=project) for project in projects]
        for ending in ("", "-wal"):
            shutil.copy(tmp_path / f"alertd.db{ending}", tmp_path / f"killed.db{ending}")
        again = await open_sqlite(tmp_path / "killed.db", clock)
        try:
            plans += [await make.stored(again, project=project) for project in projects]
            for project in ("shop", "blog"):
                expected = [plan.number for plan in reversed(plans) if plan.event.project == project]
                page = await again.events(Filter(project=project))
                assert [row["number"] for row in page.items] == expected
        finally:
            await again.close()

    async def test_what_could_not_be_outlined_at_the_end_is_told_and_found(
        self, store: SqliteStore, make: Maker, clock: StillClock, tmp_path: Path
    ) -> None:
        """Events that wait for their outline when the store cannot write any more are found at the next start."""
        plan = await make.stored(store, project="shop")
        store.core.writer.refuse(StoreUnavailableError("the disk is full"))
        with capture_logs() as logs:
            await store.close()
        assert [(line["event"], line["error"]) for line in logs] == [("history.outline_put_off", "the disk is full")]
        again = await open_sqlite(tmp_path / "alertd.db", clock)
        try:
            assert [row["number"] for row in (await again.events(Filter(project="shop"))).items] == [plan.number]
        finally:
            await again.close()

    async def test_a_commit_that_nobody_waits_for_is_found(self, store: SqliteStore, make: Maker) -> None:
        """Whoever stops waiting for a commit does not hide its events, nor those that waited for the same outline."""
        plans = [await make.stored(store, project="shop")]
        plans += [make.plan(project="shop") for _ in range(3)]
        for later in (plans[1:2], plans[2:]):
            commit = asyncio.ensure_future(store.commit(Batch(1, later)))
            await asyncio.sleep(0)
            commit.cancel()
            with pytest.raises(asyncio.CancelledError):
                await commit
        plans.append(await make.stored(store, project="shop"))
        page = await store.events(Filter(project="shop"))
        assert [row["number"] for row in page.items] == [plan.number for plan in reversed(plans)]


class TestSqliteStore(
    InFile, StoreSuite, HistorySuite, ResourceSuite, IssueSuite, ForgettingSuite, FollowSuite, ReplaySuite
):
    """Every test of the suite, and lasting."""

    async def test_everything_is_there_again(
        self, store: SqliteStore, make: Maker, clock: StillClock, tmp_path: Path
    ) -> None:
        """A file that is opened again has the same salt, names, events and keys."""
        brought, made = await make.stored(store, "a"), await make.stored(store)
        await store.close()
        again = await open_sqlite(tmp_path / "alertd.db", clock)
        try:
            assert again.salt == store.salt
            assert set((await again.names()).values()) == set(NAMES)
            assert await again.newest_number() == made.deliveries[0].id
            numbers = [row["number"] for row in (await again.events(Filter())).items]
            assert numbers == [made.number, brought.number]
            with pytest.raises(DuplicateEventsError) as caught:
                await again.commit(Batch(1, [make.plan("a"), make.plan(made.event.id)]))
            assert caught.value.known == {("default", "a"): brought.number, ("default", made.event.id): made.number}
        finally:
            await again.close()
