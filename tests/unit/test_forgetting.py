"""The chore that forgets issues: what comes again is new, a walk goes on whatever happens, nobody waits for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import alertd.engine.issues.admission
import alertd.forgetting
from alertd.engine.issues.admission import WHOLE
from alertd.engine.issues.changes import LOOK_BACK_MS
from alertd.engine.issues.forgetting import Age, Forgotten
from alertd.errors import StoreUnavailableError
from alertd.forgetting import WALK_SECONDS, Forgetting
from alertd.model.ids import IdSource
from alertd.store.issues import IncidentFilter, IssueFilter
from alertd.store.memory import MemoryStore
from tests.conformance.store_maker import StillClock
from tests.unit.test_incident_commits import again, push
from tests.unit.test_issue_metrics import error
from tests.unit.test_pipeline import WORKSPACE, Bench, Gate, events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.model.issue import Issue
    from alertd.pipeline import Pipeline

DAY_MS = 86_400_000
DAYS = 90


class Aging(Bench):
    """A pipeline whose clock is moved by the test, and the chore."""

    clock: StillClock  # type: ignore[assignment]  # narrower than the bench's

    def __init__(self) -> None:
        super().__init__(WORKSPACE, None)
        self.clock = StillClock()
        self.store = MemoryStore(self.clock)
        self.gate = Gate(self.store)
        self.ids = IdSource(self.clock)

    def chore(self, pipeline: Pipeline | None = None, days: float | None = DAYS) -> Forgetting:
        """Make the chore of a process."""
        issues = (pipeline or self.pipeline).issues
        return Forgetting(self.store, issues, self.clock, self.metrics, days)

    async def seen(self, *keys: str, project: str = "shop") -> None:
        """Store an error of each issue."""
        await self.pipeline.submit(events(*(error(key, project=project, environment="dev") for key in keys)), 10)

    async def issues(self) -> list[Issue]:
        """All issues, oldest first."""
        return (await self.store.issues(IssueFilter(self.pipeline.ruleset.workspaces["default"].id)))[::-1]

    def age(self, days: float) -> None:
        """Let time pass."""
        self.clock.ms += int(days * DAY_MS)


@asynccontextmanager
async def aging() -> AsyncIterator[Aging]:
    """Run it."""
    bench = Aging()
    await bench.start()
    task = asyncio.create_task(bench.pipeline.run())
    try:
        async with asyncio.timeout(60):
            yield bench
            bench.pipeline.stop()
            await task
    finally:
        task.cancel()


async def test_what_comes_again_after_it_was_forgotten_is_new() -> None:
    """Though it was in memory: told as new, under a number of its own; what was seen meanwhile goes on."""
    async with aging() as bench:
        await bench.seen("a", "b")
        bench.age(DAYS - 1)
        await bench.seen("b")
        bench.age(1)
        chore = bench.chore()
        await chore()
        assert [issue.key for issue in await bench.issues()] == ["a", "b"]
        bench.clock.ms += WALK_SECONDS * 1000
        await chore()
        assert [issue.key for issue in await bench.issues()] == ["b"]
        assert bench.count("alertd_issues_forgotten_total") == 1
        await bench.seen("a", "b")
        b, a = await bench.issues()
        assert [(a.short_id, a.count), (b.short_id, b.count)] == [("SHOP-3", 1), ("SHOP-2", 3)]
        assert bench.count("alertd_issue_transitions_total", trigger="new") == 3


@pytest.mark.parametrize("days", [999_999, 1e26, 1.7e308])
async def test_more_days_than_there_were_are_for_ever(days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is from before 1970, and no number becomes greater than a store can take."""
    async with aging() as bench:
        asked: list[Age] = []

        async def noted(age: Age, behind: int, limit: int) -> Forgotten:
            asked.append(age)
            return Forgotten((), None)

        monkeypatch.setattr(bench.store, "forget_incidents", noted)
        await bench.seen("a")
        await bench.chore(days=days)()
        assert [age.before_ms for age in asked] == [0]
        assert [issue.key for issue in await bench.issues()] == ["a"]


async def test_releases_of_a_project_without_issues_are_forgotten() -> None:
    """Those that are old, in memory too; its numbers go on."""
    async with aging() as bench:
        for release in ("1.0", "2.0"):
            told = error("a", environment="dev")
            told["data"]["release"] = release
            await bench.pipeline.submit(events(told), 10)
            bench.clock.ms += 1
        bench.age(DAYS + 1)
        await bench.chore()()
        await bench.seen("a")
        where = (bench.pipeline.ruleset.workspaces["default"].id, "shop")
        ledger = await bench.store.ledger(*where)
        assert ledger is not None
        assert (list(ledger.releases), ledger.next_number) == (["2.0"], 3)


async def test_incidents_and_changes_go_too() -> None:
    """An incident that is over as long, a change that explains nothing any more, and not before."""
    async with aging() as bench:
        await bench.pipeline.submit(events(push(1, "shop/cart.py")), 10)
        where = (bench.pipeline.ruleset.workspaces["default"].id, "shop")
        for days, incidents, changes in ((13.9, 1, 1), (0.2, 1, 0), (DAYS, 0, 0)):
            bench.age(days)
            await bench.chore()()
            assert len(await bench.store.incidents(IncidentFilter(limit=9))) == incidents
            assert len((await bench.store.change_logs([where], 0, 9)).get(where, [])) == changes
        assert bench.count("alertd_incidents_forgotten_total") == 1


async def test_without_a_limit_only_what_explains_nothing_goes() -> None:
    """`store.issue_retention_days: null` keeps issues and incidents; it may be set while the daemon runs."""
    async with aging() as bench:
        await bench.pipeline.submit(events(push(1, "x.py")), 10)
        await bench.seen("a")
        bench.clock.ms += 10 * 365 * DAY_MS + LOOK_BACK_MS
        chore = bench.chore(days=None)
        await chore()
        assert len(await bench.issues()) == 1
        assert bench.store._changes == {}
        chore.retention_days = DAYS
        bench.clock.ms += WALK_SECONDS * 1000
        await chore()
        assert await bench.issues() == []


async def test_a_round_is_bounded_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many slices, each of so many; a process that is started in the middle goes on to the end."""
    monkeypatch.setattr(alertd.forgetting, "SLICE", 2)
    monkeypatch.setattr(alertd.forgetting, "ROUND_SLICES", 4)
    async with aging() as bench:
        await bench.seen(*"abcdefghijk")
        bench.age(DAYS + 1)
        chore, left = bench.chore(), []
        for _ in range(2):
            await chore()
            left.append(len(await bench.issues()))
        assert left == [7, 0]
        await bench.seen(*"abcdefghijk")
        bench.age(DAYS + 1)
        await bench.chore()()
        following = again(bench)
        await following.load()
        chore = bench.chore(following)
        while await bench.issues():
            await chore()
        assert bench.count("alertd_issues_forgotten_total") == 22


async def test_a_walk_that_was_broken_off_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """When issues are kept for ever in the middle of it: what it had passed over is looked at once they are not any more."""
    monkeypatch.setattr(alertd.forgetting, "SLICE", 2)
    monkeypatch.setattr(alertd.forgetting, "ROUND_SLICES", 3)
    async with aging() as bench:
        await bench.seen(*"abcd")
        bench.age(DAYS + 1)
        await bench.seen("a", "b")
        chore = bench.chore()
        await chore()
        assert len(await bench.issues()) == 4
        chore.retention_days = None
        await chore()
        chore.retention_days = DAYS
        bench.age(DAYS + 1)
        for _ in range(3):
            await chore()
        assert await bench.issues() == []


async def test_others_have_their_turn_between_two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are committed in each pause, those of the issues that are about to go among them."""
    monkeypatch.setattr(alertd.forgetting, "SLICE", 2)
    async with aging() as bench:
        await bench.seen(*"abcdefgh")
        bench.age(DAYS + 1)
        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            await bench.seen("h", "new")

        monkeypatch.setattr(alertd.forgetting, "asyncio", SimpleNamespace(sleep=pause))
        await bench.chore()()
        assert len(pauses) >= 4
        assert [(issue.key, issue.count) for issue in await bench.issues()] == [
            ("h", 1 + len(pauses)),
            ("new", len(pauses)),
        ]


async def test_a_walk_goes_on_when_the_store_can_write_again() -> None:
    """What failed is said, and done in the next round."""
    async with aging() as bench:
        await bench.seen("a")
        bench.age(DAYS + 1)
        chore, forget, failures = bench.chore(), bench.store.forget_issues, [StoreUnavailableError("disk full")]

        async def failing(*given: Any) -> Any:
            if failures:
                raise failures.pop()
            return await forget(*given)

        bench.store.forget_issues = failing  # type: ignore[method-assign]  # a scripted fault
        with pytest.raises(StoreUnavailableError):
            await chore()
        assert len(await bench.issues()) == 1
        await chore()
        assert await bench.issues() == []


async def test_a_walk_begins_once_an_hour() -> None:
    """At the start, and not again before."""
    async with aging() as bench:
        chore, asked = bench.chore(), []
        forget = bench.store.forget_changes

        async def counting(*given: Any) -> int:
            asked.append(bench.clock.ms)
            return await forget(*given)

        bench.store.forget_changes = counting  # type: ignore[method-assign]  # counted, and else as it was
        for seconds in (0, WALK_SECONDS - 1, 1, WALK_SECONDS - 1):
            bench.clock.ms += seconds * 1000
            await chore()
        assert len(asked) == 2


async def test_made_up_projects_are_bounded_over_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may send makes up so many and no more; what is beyond goes to one issue, which goes on in the next process."""
    monkeypatch.setattr(alertd.engine.issues.admission, "PROJECTS_MAX", 3)
    async with aging() as bench:
        for number in range(5):
            await bench.seen("a", "b", project=f"p{number}")
        following = again(bench)
        await following.load()
        task = asyncio.create_task(following.run())
        for number in range(3, 8):
            made = events(error("a", project=f"p{number}"), error("a", project="p1"))
            await following.submit(made, 10)
        counts = {issue.short_id: issue.count for issue in await bench.issues()}
        assert counts == {"P0-1": 1, "P0-2": 1, "P1-1": 6, "P1-2": 1, "P2-1": 1, "P2-2": 1, "ISSUE-1": 4 + 5}
        assert {project for _, project in bench.store._ledgers} == {"", "p0", "p1", "p2", WHOLE}
        following.stop()
        await task
