"""How much a page of what happened may weigh, on real files: large events come in pages of few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.store.base import Batch
from alertd.store.following import Position
from alertd.store.sqlite.connection import SqliteOptions
from alertd.store.sqlite.following import PAGE_BYTES
from alertd.store.sqlite.store import open_sqlite
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.store.sqlite.store import SqliteStore

LARGE = PAGE_BYTES // 3
EVENTS = 8


async def _filled(path: Path, sizes: list[int]) -> tuple[SqliteStore, list[int]]:
    """Store events of these sizes with an outcome each; return their numbers."""
    clock = StillClock()
    store = await open_sqlite(path, clock, SqliteOptions())
    await store.intern(NAMES)
    make = Maker(clock, store.salt, await store.newest_number())
    plans = [make.plan(f"e{turn}") for turn in range(len(sizes))]
    for plan, size in zip(plans, sizes, strict=True):
        plan.event.payload += b" " * (size - len(plan.event.payload))
    await store.commit(Batch(1, plans))
    await store.record([make.attempt(plan.deliveries[0].id) for plan in plans])
    return store, [plan.number for plan in plans]


async def test_large_events_make_small_pages(tmp_path: Path) -> None:
    """Three thirds fill a page; all of it is told, each once, and no outcome before its event."""
    store, numbers = await _filled(tmp_path / "a.db", [LARGE] * EVENTS)
    try:
        after, events, outcomes, sizes = Position(), [], [], []
        while True:
            page = await store.happened(after, 100)
            assert page.position != after
            events += [row["number"] for row in page.events]
            outcomes += [row["event_number"] for row in page.outcomes]
            assert set(outcomes) <= set(events)
            sizes.append([sum(len(row["payload"]) for row in rows) for rows in (page.events, page.outcomes)])
            after = page.position
            if not page.more:
                break
        assert (events, outcomes) == (numbers, numbers)
        assert sizes == [[LARGE * 3] * 2, [LARGE * 3] * 2, [LARGE * 2] * 2]
        assert after == await store.head()
    finally:
        await store.close()


async def test_an_event_larger_than_a_page_comes_alone(tmp_path: Path) -> None:
    """So that whoever follows gets on; one that has just a page's size fills it."""
    store, numbers = await _filled(tmp_path / "a.db", [PAGE_BYTES + 1, PAGE_BYTES, 500, 500])
    try:
        after, pages = Position(), []
        for _ in numbers[:3]:
            page = await store.happened(after, 100)
            pages.append(([row["number"] for row in page.events], [row["event_number"] for row in page.outcomes]))
            assert page.more == (len(pages) < 3)
            after = page.position
        assert pages == [(part, part) for part in (numbers[:1], numbers[1:2], numbers[2:])]
    finally:
        await store.close()
