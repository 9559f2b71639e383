"""How SQLite forgets issues: by keys and indexes, in files that are opened again, and those of older versions."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from alertd.engine.issues.batch import Loaded, Wanted
from alertd.engine.issues.forgetting import Age
from alertd.store.issues import IssueEvent, IssueFilter, IssueWrites
from alertd.store.sqlite import forgetting, issues
from alertd.store.sqlite.migrate import migrate
from alertd.store.sqlite.store import open_sqlite
from tests.conformance.forgetting_suite import KEPT, LATE
from tests.conformance.issue_suite import batch, writes
from tests.conformance.store_maker import NAMES, START_MS, Maker, StillClock

if TYPE_CHECKING:
    from pathlib import Path

STATEMENTS = [
    (forgetting, name)
    for name in vars(forgetting)
    if name.isupper() and isinstance(getattr(forgetting, name), str) and name != "TYPE_CHECKING"
] + [(issues, name) for name in ("CHANGE_LOGS", "LEDGERS", "NEWEST_EVENTS", "_BY_KEY")]
NAMED = {"before": 1, "behind": 0, "below": 9, "limit": 9, "issues": "[1]", "most": 3, "projects": "[]", "since": 0}


@pytest.mark.parametrize(("module", "name"), STATEMENTS, ids=[name for _, name in STATEMENTS])
def test_nothing_scans_a_table(module: object, name: str) -> None:
    """Every table is searched by its key or by an index; only what is given is gone through."""
    sql: str = getattr(module, name)
    asked = sql.count("?")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        migrate(conn)
        params = ["[]"] * asked if asked else NAMED
        plan = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", params)]
    scans = [line for line in plan if line.startswith("SCAN") and "VIRTUAL TABLE" not in line]
    assert (scans, any(line.startswith("SEARCH") for line in plan)) == ([], True), plan


def test_a_key_is_looked_up_whole() -> None:
    """Not by its workspace alone, which may have a million."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        migrate(conn)
        plan = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {forgetting.DROP_KEY}", (1, "shop", "a", 7))]
    assert plan == ["SEARCH issue_key USING PRIMARY KEY (workspace_id=? AND project=? AND key=?)"]


@pytest.mark.parametrize("sql", issues.NUMBERED, ids=["issue", "former_issue"])
def test_a_short_id_is_looked_up_by_its_number(sql: str) -> None:
    """In each project of the workspace, of which there are few; not among all its issues."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        migrate(conn)
        given = {"own": 1, "projects": '["shop"]', "number": 1}
        plan = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
    assert {line for line in plan if line.startswith("SCAN") and "VIRTUAL TABLE" not in line} == {"SCAN p"}, plan
    assert any(line.startswith("SEARCH i ") and "project=? AND number=?" in line for line in plan), plan


async def test_a_kill_in_the_middle_of_a_walk(tmp_path: Path) -> None:
    """What went is gone with all that hung on it, what did not goes later; numbers go on behind both."""
    store = await open_sqlite(tmp_path / "alertd.db", StillClock())
    await store.write_issues(writes(batch("a", "b", "c")))
    first = await store.forget_issues(LATE, 0, 2)
    for ending in ("", "-wal"):
        shutil.copy(tmp_path / f"alertd.db{ending}", tmp_path / f"killed.db{ending}")
    await store.close()
    again = await open_sqlite(tmp_path / "killed.db", StillClock())
    try:
        assert [issue.key for issue in await again.issues(IssueFilter(1))] == ["c"]
        assert first.beyond is not None
        assert len((await again.forget_issues(LATE, first.beyond, 2)).ids) == 1
        read = Loaded()
        await again.read_issues(Wanted({(1, "shop", key) for key in "abc"}, {(1, "shop")}), read)
        assert read.issues == {}
        made = batch("a", read=read, first=KEPT)
        assert [issue.short_id for issue in made.issues.values()] == ["SHOP-4"]
    finally:
        await again.close()
    with closing(sqlite3.connect(tmp_path / "killed.db")) as conn:
        for table in ("issue", "issue_key", "transition", "former_issue"):
            assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table  # noqa: S608 - fixed names


async def test_old_transitions_of_one_issue_go_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue that changed very often stays until its changes are gone, a bounded number with each step."""
    monkeypatch.setattr(forgetting, "TRANSITIONS_MAX", 10)
    store = await open_sqlite(tmp_path / "alertd.db", StillClock())
    try:
        made = batch("a")
        (issue,) = made.issues.values()
        await store.write_issues(writes(made))
        ((number, transition),) = made.transitions
        await store.write_issues(IssueWrites(transitions=[(number + n, transition) for n in range(1, 25)]))
        steps = [await store.forget_issues(LATE, 0, 5) for _ in range(3)]
        assert steps == [((), 0, ()), ((), 0, ()), ([issue.id], None, [(1, "shop")])]
        assert await store.transitions(issue.id, 100) == []
    finally:
        await store.close()


async def test_samples_that_an_older_alertd_left_behind(tmp_path: Path) -> None:
    """Entries whose events retention had deleted before entries went with their events; in a file as large as that of a day."""
    store = await open_sqlite(tmp_path / "alertd.db", StillClock())
    try:
        assert await store.forget_samples(250) == 0
        await store.intern(NAMES)
        plan = await Maker(StillClock(START_MS + 5_000), store.salt).stored(store, "young")
        lost = [IssueEvent(START_MS + n, 7) for n in range(600)]
        await store.write_issues(IssueWrites(events=[*lost, IssueEvent(plan.number, 7)]))
        assert [await store.forget_samples(250) for _ in range(4)] == [250, 250, 100, 0]
        assert await store.issue_events(7, 10) == [plan.number]
    finally:
        await store.close()


async def test_what_lives_costs_a_walk_no_body(tmp_path: Path) -> None:
    """Of issues that are seen still nothing but their number is read."""
    store = await open_sqlite(tmp_path / "alertd.db", StillClock())
    try:
        made = batch("a", "b")
        for issue in made.issues.values():
            issue.last_seen_ms = issue.arrived_ms = LATE.now_ms
        await store.write_issues(writes(made))
        bounds = {"before": LATE.before_ms, "behind": 0, "below": 2**62, "limit": 9}
        rows = await store.core.reads.rows(forgetting.OLD, bounds)
        assert [body for _, body in rows] == [None, None]
        assert (await store.forget_issues(Age(LATE.now_ms, KEPT), 0, 9)).ids == []
    finally:
        await store.close()
