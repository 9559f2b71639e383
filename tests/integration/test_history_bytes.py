"""What a page of the history reads: bounded in bytes, and no event is read for each of its deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.store.base import Batch, Filter, RejectedRecord
from alertd.store.sqlite import search
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from tests.conformance.history_suite import walked
from tests.conformance.store_maker import NAMES, Maker, StillClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from alertd.engine.plan import Plan

KIB = 1024
MIB = 1024 * KIB


class Meter:
    """Counts the bytes that a reader hands out, and remembers its statements with their parameters."""

    def __init__(self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        self.statements: list[tuple[str, Any]] = []
        self._read = store.core.history.rows
        monkeypatch.setattr(store.core.history, "rows", self.rows)

    async def rows(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Count, and read."""
        rows = await self._read(sql, params)
        self.statements.append((sql, params))
        self.bytes += sum(len(part) for row in rows for part in row if isinstance(part, bytes | str))
        return rows


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Open a store with names."""
    store = await open_sqlite(tmp_path / "alertd.db", StillClock())
    await store.intern(NAMES)
    yield store
    await store.close()


@pytest.fixture
def make(store: SqliteStore) -> Maker:
    """Make plans for it."""
    return Maker(StillClock(), store.salt)


async def filled(store: SqliteStore, make: Maker, count: int, size: int, to: tuple[int, ...] = (3,)) -> list[Plan]:
    """Store events with texts of a size, each in a batch of its own; the oldest one alone holds `needle`."""
    plans = []
    for turn in range(count):
        text = ("needle" if turn == 0 else "straw!").ljust(size, ".")
        plans.append(await make.stored(store, f"e{turn}", to=to, message=text))
    return plans


async def test_deliveries_bring_nothing_of_their_events_but_the_id(
    store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred deliveries of two events of half a megabyte: a page of them, and what alerts show, are some kilobytes."""
    plans = await filled(store, make, 2, 512 * KIB, to=(3, 4, 5) * 34)
    meter = Meter(store, monkeypatch)
    page = await store.deliveries(Filter("default", limit=200))
    assert len(page.items) == 200
    assert {row["event_id"] for row in page.items} == {"e0", "e1"}
    assert meter.bytes < 100 * KIB
    heads = [params for sql, params in meter.statements if "substr(e.payload" in sql]
    assert [len(each["ids"].split(",")) for each in heads] == [len(plans)]
    made = await store.deliveries_of([plan.number for plan in plans])
    reached = await store.reached([plan.number for plan in plans])
    assert [len(each) for each in (*made.values(), *reached.values())] == [102] * 4
    assert meter.bytes < 200 * KIB


async def test_a_page_of_large_events_ends_early(
    store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page brings no more than its bound; the walk over all pages meets every event once."""
    plans = await filled(store, make, 30, MIB - 4 * KIB)
    meter = Meter(store, monkeypatch)
    page = await store.events(Filter("default", limit=200))
    assert len(page.items) == search.PAGE_BYTES // MIB
    assert page.complete
    assert page.next_below == page.items[-1]["number"]
    assert meter.bytes <= search.PAGE_BYTES
    rows = await walked(store.events, Filter("default", limit=200))
    assert [row["number"] for row in rows] == [plan.number for plan in reversed(plans)]


async def test_one_event_above_the_bound_is_shown_alone(
    store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of a page is shown whatever it weighs, else nobody could get past it."""
    monkeypatch.setattr(search, "PAGE_BYTES", 10)
    plans = await filled(store, make, 3, KIB)
    rows = await walked(store.events, Filter("default"))
    assert [row["number"] for row in rows] == [plan.number for plan in reversed(plans)]
    assert len((await store.events(Filter("default"))).items) == 1


async def test_a_text_is_looked_for_in_so_many_bytes_a_page(
    store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page reads up to its bound, in statements that read up to theirs, says how far it came, and goes on from there."""
    monkeypatch.setattr(search, "TEXT_BYTES", 256 * KIB)
    monkeypatch.setattr(search, "STATEMENT_BYTES", 130 * KIB)
    plans = await filled(store, make, 20, 64 * KIB)
    for look in (store.events, store.deliveries):
        meter = Meter(store, monkeypatch)
        page = await look(Filter("default", text="needle"))
        assert (page.items, page.complete) == ([], False)
        last = plans[16].number if look == store.events else plans[16].deliveries[0].id
        assert page.next_below == last
        assert sum(" LIKE " in sql for sql, _ in meter.statements) == 2
        rows = await walked(look, Filter("default", text="needle"))
        assert len(rows) == 1
        monkeypatch.undo()
        monkeypatch.setattr(search, "TEXT_BYTES", 256 * KIB)
        monkeypatch.setattr(search, "STATEMENT_BYTES", 130 * KIB)


@pytest.mark.parametrize("bound", [1, 64 * KIB, 200 * KIB, 64 * MIB])
async def test_what_a_text_finds_depends_on_no_bound(
    store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    """However little a page may read, the walk meets everything that holds the text, once, and comes to its end."""
    monkeypatch.setattr(search, "TEXT_BYTES", bound)
    monkeypatch.setattr(search, "STATEMENT_BYTES", max(1, bound // 3))
    plans = await filled(store, make, 7, 64 * KIB)
    found = await walked(store.events, Filter("default", limit=2, text="straw"))
    assert [row["number"] for row in found] == [plan.number for plan in reversed(plans[1:])]
    rows = await walked(store.deliveries, Filter("default", limit=2, text="straw", destination="d0"))
    assert [row["event_number"] for row in rows] == [plan.number for plan in reversed(plans[1:])]


async def test_attempts_weigh_too(store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of deliveries ends before the attempts that it is to show are too many bytes; ids alone weigh nothing."""
    monkeypatch.setattr(search, "PAGE_BYTES", 4 * search.ATTEMPT_WEIGHT)
    plan = make.plan("a", to=(3, 4, 5))
    await store.commit(Batch(1, [plan]))
    await store.record([make.attempt(delivery.id) for delivery in plan.deliveries])
    assert len((await store.deliveries(Filter("default"))).items) == 2
    assert len((await store.delivery_ids(Filter("default")))[0]) == 3


async def test_a_page_of_rejected_records_is_bounded_too(
    store: SqliteStore, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records bring their bytes, so a page of them ends early as well, and the walk meets every one."""
    monkeypatch.setattr(search, "PAGE_BYTES", 200 * KIB)
    ids = [make.ids.take() for _ in range(10)]
    records = [RejectedRecord(number, "default", "t", 0, 0, "bad", b"x" * 64 * KIB, 64 * KIB) for number in ids]
    await store.commit(Batch(1, rejected=records))
    assert len((await store.rejected(Filter("default"))).items) == 3
    assert [row["id"] for row in await walked(store.rejected, Filter("default"))] == ids[::-1]
