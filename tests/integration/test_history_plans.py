"""No filter of the history makes SQLite read a table from end to end: each statement goes by a key or an index."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.clock import SystemClock
from alertd.model.selection import STATES, Selection
from alertd.store.base import Batch, Filter, RejectedRecord
from alertd.store.sqlite import search
from alertd.store.sqlite.store import SqliteStore, open_sqlite
from benchmarks.seed import EARLIER, RARELY, seed
from benchmarks.workload import DESTINATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

EVENTS = 20_000
NAMES = [
    ("workspace", "default", "default"),
    ("channel", "default", "c0"),
    *((kind, "default", f"{kind[0]}{n}") for kind in ("destination", "subscription") for n in range(DESTINATIONS)),
]
BOUNDED = {
    "shape": "few by its own bound",
    "outline": "folded into blocks when it has thousands of events",
    "USING COVERING INDEX delivery_due": "the outbox alone, counted up to a bound",
}
"""What a statement may read from end to end, and why that is little."""
SELECTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"type": RARELY},
    {"project": RARELY},
    {"project": EARLIER},
    {"environment": RARELY},
    {"severity": "critical"},
    {"channel": "c0"},
    {"subscription": RARELY},
    {"destination": RARELY},
    {"destination": "d0", "text": "needle"},
    {"text": "needle"},
    {"text": "needle", "since_ms": 1, "until_ms": 1 << 41},
    {"since_ms": 1, "until_ms": 1 << 41},
    *({"state": state} for state in STATES),
    *({"state": state, "destination": RARELY, "since_ms": 1} for state in STATES),
    *({"state": state, "destination": "d1", "type": "run:failed"} for state in STATES),
    {"state": "dead", "text": "404", "since_ms": 1},
    {"type": "nothing", "project": "nothing", "destination": "nothing"},
    {"type": RARELY, "destination": "d0", "subscription": "s0", "channel": "c0", "severity": "info"},
)
"""Filters of events and of deliveries."""
ALERTS_ALONE: tuple[dict[str, Any], ...] = ({"acknowledged": True}, {"acknowledged": True, "type": RARELY})


class Watch:
    """Remembers every statement that a reader ran, with its parameters."""

    def __init__(self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: dict[str, Sequence[Any] | Mapping[str, Any]] = {}
        self.reader = store.core.history
        self.read = self.reader.rows
        monkeypatch.setattr(self.reader, "rows", self.rows)

    async def rows(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Remember, and read."""
        self.statements[sql] = params
        return await self.read(sql, params)

    async def scans(self) -> list[tuple[str, str]]:
        """Steps of all plans that read something from end to end, with their statements."""
        assert self.statements
        found = []
        for sql, params in self.statements.items():
            for _, _, _, step in await self.read(f"EXPLAIN QUERY PLAN {sql}", params):
                whole = re.match(r"SCAN (\w+)(.*)", step)
                if whole and not any(part in (whole[1], whole[2].strip()) for part in BOUNDED):
                    found.append((step, " ".join(sql.split())))
        return found


def is_scan_of_rows(step: str) -> bool:
    """Whether it reads rows that are stored: not a list of parameters, one row of constants, or what a part has made."""
    return "VIRTUAL TABLE" not in step and "CONSTANT ROW" not in step and not re.match(r"SCAN (walk|\(.*\))", step)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Fill a store with a varied history: blocks, rare things, an outbox, acknowledgements."""
    path = tmp_path / "alertd.db"
    made = await open_sqlite(path, SystemClock())
    await made.intern(NAMES)
    await made.close()
    seed(path, EVENTS, days_ago=1, pending=False, varied=True)
    store = await open_sqlite(path, SystemClock())
    yield store
    await store.close()


def test_every_filter_is_looked_at() -> None:
    """What can be selected is among the filters here, but an alert and a digest, which have numbers."""
    named = {name for each in (*SELECTIONS, *ALERTS_ALONE) for name in each}
    assert named | {"alert_number", "digest"} >= {field.name for field in fields(Selection)}


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
async def test_a_filter_goes_by_an_index(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, selection: dict[str, Any]
) -> None:
    """The first page, and one far down, of deliveries, their ids, events and alerts."""
    newest = await store.deliveries(Filter(limit=1))
    flying = frozenset(row["id"] for row in newest.items)
    watch = Watch(store, monkeypatch)
    for below in (None, newest.items[0]["id"] - (1 << 30)):
        which = Filter("default", below, 50, flying, **selection)
        await store.deliveries(which)
        await store.delivery_ids(which)
        await store.events(which)
        await store.events(which, matched=True)
    assert [each for each in await watch.scans() if is_scan_of_rows(each[0])] == []


@pytest.mark.parametrize("selection", ALERTS_ALONE, ids=str)
async def test_acknowledged_alerts_go_by_an_index(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, selection: dict[str, Any]
) -> None:
    """Those that somebody took note of."""
    watch = Watch(store, monkeypatch)
    page = await store.events(Filter("default", **selection), matched=True)
    assert page.items or "type" in selection
    assert [each for each in await watch.scans() if is_scan_of_rows(each[0])] == []


async def test_a_search_in_vain_stops_at_its_bound(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that nothing holds is looked for in a bounded number of rows a page; the walk comes to its end all the same."""
    monkeypatch.setattr(search, "LOOK_MAX", 1000)
    monkeypatch.setattr(search, "CHUNK_MAX", 250)
    for look in (store.events, store.deliveries):
        below, pages = None, 0
        while True:
            page = await look(Filter("default", below, 50, text="needle"))
            pages += 1
            assert page.items == []
            if page.next_below is None:
                break
            assert not page.complete
            assert below is None or page.next_below < below
            below = page.next_below
        assert EVENTS // 5000 <= pages <= EVENTS // 500


async def test_rejected_records_of_others_are_passed_over_within_bounds(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page says where to go on when it has met those of other workspaces alone for long; the walk meets every one."""
    monkeypatch.setattr(search, "LOOK_MAX", 100)
    homes = ["other" if turn % 300 else "default" for turn in range(900)]
    records = [RejectedRecord(turn + 1, home, "t", 0, 0, "bad", b"x", 1) for turn, home in enumerate(homes)]
    await store.commit(Batch(1, rejected=records))
    below, found, pages = None, [], 0
    while True:
        page = await store.rejected(Filter("default", below, 2))
        found += [row["id"] for row in page.items]
        pages += 1
        if page.next_below is None:
            break
        assert page.complete is (len(page.items) == 2)
        below = page.next_below
    assert found == [601, 301, 1]
    assert pages > 3


async def test_what_is_shown_of_a_page_goes_by_an_index(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One alert, its deliveries, their attempts, acknowledgements, an event by its own id, and rejected records."""
    watch = Watch(store, monkeypatch)
    rows = (await store.events(Filter("default"))).items
    numbers = [row["number"] for row in rows]
    assert await store.event_by_number(numbers[0]) is not None
    for which in (Filter("default", alert_number=numbers[0]), Filter("default", alert_number=numbers[0], text="x")):
        await store.deliveries(which)
        await store.events(which)
    made = await store.deliveries_of(numbers)
    assert len(made) == len(await store.reached(numbers)) == len(numbers)
    ids = [row["id"] for each in made.values() for row in each]
    assert await store.delivery(ids[0]) is not None
    await store.attempts_of(ids)
    await store.acknowledgements(numbers)
    assert await store.event("default", orjson.loads(rows[0]["payload"])["id"]) is not None
    await store.rejected(Filter("default", numbers[0]))
    await store.rejected_record(numbers[0])
    assert [each for each in await watch.scans() if is_scan_of_rows(each[0])] == []
