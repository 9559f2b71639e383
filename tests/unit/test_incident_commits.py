"""Incidents and commits: what opens, changes and ends one is stored with the events that tell of it, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from alertd.deeds import acting
from alertd.engine.issues.commands import assign
from alertd.engine.issues.incidents import QUIET_MS, resolve
from alertd.engine.issues.merging import merge
from alertd.errors import StoreUnavailableError
from alertd.model.ids import first_of
from alertd.model.incident import Incident, IncidentKind
from alertd.pipeline import Pipeline
from alertd.store.base import Filter
from alertd.store.issues import IncidentFilter, IssueFilter, IssueWrites, Reshaped
from tests.unit.test_issue_metrics import error, submit
from tests.unit.test_pipeline import COOLING, Bench, events, running

if TYPE_CHECKING:
    from collections.abc import Sequence

LATER_MS = QUIET_MS + 5_000


def push(number: int, file: str) -> dict[str, Any]:
    """Make the event of a push to the default branch."""
    commit = {"sha": f"{number:040x}", "message": "m", "files": [file]}
    data = {
        "event": "push",
        "repository": {},
        "is_default_branch": True,
        "after": f"{number:040x}",
        "commits": [commit],
    }
    return {"type": "github.push", "id": f"push-{number}", "project": "shop", "data": data}


async def told(bench: Bench) -> list[str]:
    """The types of the events that alertd made about incidents, oldest first."""
    page = await bench.store.events(Filter(workspace="default", limit=1000))
    return [row["type"] for row in reversed(page.items) if row["type"].startswith("incident.")]


async def incidents(bench: Bench) -> Sequence[Incident]:
    """Every incident that is stored, oldest first."""
    return (await bench.store.incidents(IncidentFilter(limit=100)))[::-1]


def again(bench: Bench) -> Pipeline:
    """Make the pipeline of the next process on the same store."""
    own = bench.pipeline
    return Pipeline(
        bench.gate, bench.ids, bench.store.salt, bench.clock, bench.metrics, own.ruleset, bench.delivered.extend
    )


async def test_quiet_that_is_not_stored_is_tried_again() -> None:
    """The incident stays open, nobody is told; when the store can write it ends, and is told once."""
    async with running() as bench:
        await submit(bench, "a")
        now_ms = bench.clock.now_ms()
        bench.gate.failures = 1
        with pytest.raises(StoreUnavailableError):
            await bench.pipeline.settle(now_ms + LATER_MS)
        assert [each.is_over for each in await incidents(bench)] == [False]
        assert len(bench.pipeline.issues.incidents) == 1
        await bench.pipeline.settle(now_ms + LATER_MS + 60_000)
        assert [each.is_over for each in await incidents(bench)] == [True]
        assert await told(bench) == ["incident.opened", "incident.resolved"]
        issue = await bench.store.issue((await incidents(bench))[0].issue_id or 0)
        assert issue is not None
        assert issue.incident_id is None


async def test_a_person_resolves_what_ends_meanwhile() -> None:
    """Whoever comes first ends it, once; a failure leaves it as it was."""
    async with running() as bench:
        await submit(bench, "a")
        (incident,) = await incidents(bench)
        done: list[Incident] = []
        deed = acting(incident, lambda known: resolve(known, bench.clock.now_ms(), "ann"), done)
        bench.gate.failures = 1
        with pytest.raises(StoreUnavailableError):
            await bench.pipeline.do(deed)
        assert len(bench.pipeline.issues.incidents) == 1
        await bench.pipeline.do(deed)
        assert [each.resolved_by for each in done] == ["ann"]
        await bench.pipeline.settle(bench.clock.now_ms() + LATER_MS)
        await bench.pipeline.do(deed)
        assert done == []
        assert await told(bench) == ["incident.opened", "incident.resolved"]


async def test_a_deed_among_duplicates_is_done_once() -> None:
    """A batch that is planned again because of events that are known does what people asked for once."""
    async with running() as bench:
        await submit(bench, "a")
        one = events(error("a", id="one"))
        await bench.pipeline.submit(one, 10)
        (incident,) = await incidents(bench)
        bench.gate.open.clear()
        names = ("zero", "one", "two")  # the second is known
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(bench.pipeline.submit(events(error("b", id=name)), 10)) for name in names
        ]
        done: list[Incident] = []
        deed = acting(incident, lambda known: resolve(known, bench.clock.now_ms(), "ann"), done)
        await asyncio.sleep(0)
        done_with = bench.pipeline.do(deed)
        bench.gate.open.set()
        await asyncio.gather(*tasks, done_with)
        assert (await told(bench)).count("incident.resolved") == 1
        assert len(done) == 1


async def test_the_change_log_outlives_the_process() -> None:
    """What was pushed before a restart is suspected after it."""
    async with running() as bench:
        await bench.pipeline.submit(events(push(1, "shop/cart.py")), 10)
        frames = {"frames": [{"filename": "shop/cart.py", "function": "total", "in_app": True}]}
        crash = {"exception": {"values": [{"type": "KeyError", "stacktrace": frames}]}}
        following = again(bench)
        await following.load()
        found = error("a")
        found["data"] |= crash
        task = asyncio.create_task(following.run())
        await following.submit(events(found), 10)
        *_, incident = await incidents(bench)
        assert [each.commit_id for each in incident.suspects] == [f"{1:040x}"]
        following.stop()
        await task


async def test_many_projects_in_one_batch_are_read_together() -> None:
    """Issues with their ledgers in one read, change logs in one, however many projects; what was read is not read again."""
    async with running() as bench:
        asked: list[str] = []
        for name in ("read_issues", "change_logs"):
            real = getattr(bench.store, name)

            async def counted(*given: Any, name: str = name, real: Any = real) -> Any:
                asked.append(name)
                return await real(*given)

            setattr(bench.store, name, counted)
        many = [error("a", project=f"p{number}", environment="dev") for number in range(50)]
        for _ in range(2):
            await bench.pipeline.submit(events(*many), 10)
            assert sorted(asked) == ["change_logs", "read_issues"]


async def test_what_was_not_stored_is_not_in_the_log() -> None:
    """A push whose commit fails explains nothing; sent again it does."""
    async with running() as bench:
        bench.gate.failures = 1
        with pytest.raises(StoreUnavailableError):
            await bench.pipeline.submit(events(push(1, "x.py")), 10)
        where = (bench.pipeline.ruleset.workspaces["default"].id, "shop")
        assert await bench.pipeline.issues.log(where, bench.clock.now_ms()) == []
        await bench.pipeline.submit(events(push(1, "x.py")), 10)
        assert len(await bench.pipeline.issues.log(where, bench.clock.now_ms())) == 1
        assert [each.kind for each in await incidents(bench)] == [IncidentKind.DEPLOY]


async def test_a_log_that_was_read_before_a_push_does_not_hide_it() -> None:
    """Whoever looks at an issue reads the log beside the batches: what one of them has added meanwhile is the newer."""
    async with running() as bench:
        begun, gate, real = asyncio.Event(), asyncio.Event(), bench.store.change_logs

        async def slow(*given: Any) -> Any:
            found = await real(*given)
            if not begun.is_set():
                begun.set()
                await gate.wait()
            return found

        bench.gate.change_logs = slow  # type: ignore[attr-defined]  # as it would do itself
        where = (bench.pipeline.ruleset.workspaces["default"].id, "shop")
        looking = asyncio.create_task(bench.pipeline.issues.log(where, bench.clock.now_ms()))
        await begun.wait()
        await bench.pipeline.submit(events(push(1, "x.py")), 10)
        gate.set()
        assert len(await looking) == 1
        assert len(await bench.pipeline.issues.log(where, bench.clock.now_ms())) == 1


async def test_the_cooldown_is_that_of_the_issue() -> None:
    """Events of two keys that were merged rest together."""
    async with running(COOLING) as bench:
        await submit(bench, "a")
        await submit(bench, "b")
        assert len(bench.delivered) == 2 + 2  # the incidents are told too, each under its own key
        two, one = await bench.store.issues(IssueFilter(bench.pipeline.ruleset.workspaces["default"].id))
        whole, transition = merge(one, [two], bench.clock.now_ms(), "ann")
        keys = {(whole.workspace_id, whole.project, key): whole.id for key in whole.keys}
        number = first_of(bench.clock.now_ms())
        reshaped = Reshaped(merged=[(two, whole.id)])
        await bench.store.write_issues(
            IssueWrites([whole], keys, transitions=[(number, transition)], reshaped=reshaped)
        )
        bench.pipeline.issues.memory.forget(two.id)
        bench.pipeline.issues.memory.replace(assign(whole, "ann", 0, "ann")[0])
        before = len(bench.delivered)
        await submit(bench, "b", "a")
        assert len(bench.delivered) == before
