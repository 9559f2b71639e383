"""What a batch made of issues counts once, and only when it was stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from alertd.errors import StoreUnavailableError
from alertd.store.issues import IssueFilter
from alertd.submission import Submission
from tests.unit.test_issue_metrics import error
from tests.unit.test_pipeline import Bench, events, running

if TYPE_CHECKING:
    from alertd.model.event import Event


async def counts(bench: Bench) -> dict[str, int]:
    """Read how often each issue was seen."""
    workspace_id = bench.pipeline.ruleset.workspaces["default"].id
    return {issue.key: issue.count for issue in await bench.store.issues(IssueFilter(workspace_id, limit=10))}


def errors(*keys: str, first: int = 0) -> list[Event]:
    """Make errors with ids of their own."""
    return events(*(error(key, id=f"e{number}") for number, key in enumerate(keys, first)))


async def test_what_was_not_stored_is_counted_once_when_it_comes_again() -> None:
    """Over HTTP the sender comes again, records of Kafka the pipeline itself."""
    async with running() as bench:
        await bench.pipeline.submit(errors("a", "b"), 10)
        bench.gate.failures = 1
        with pytest.raises(StoreUnavailableError):
            await bench.pipeline.submit(errors("a", "a", first=2), 10)
        await bench.pipeline.submit(errors("a", "a", first=2), 10)
        assert await counts(bench) == {"a": 3, "b": 1}

        bench.gate.failures = 1
        done: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
        bench.pipeline.offer(Submission("kafka", errors("b", "c", first=4), 10, done, ("t", 0), [0, 1], 2))  # type: ignore[arg-type]  # what nobody reads
        await done
        assert await counts(bench) == {"a": 3, "b": 2, "c": 1}
        await bench.pipeline.submit(errors("c", first=6), 10)
        assert await counts(bench) == {"a": 3, "b": 2, "c": 2}


async def test_what_came_with_something_known_is_counted_once() -> None:
    """The batch is planned again without what is stored already."""
    async with running() as bench:
        await bench.pipeline.submit(errors("a", "b"), 10)
        accepted = await bench.pipeline.submit(errors("a", "b", "a", "c"), 10)
        assert [each.duplicate for each in accepted] == [True, True, False, False]
        assert await counts(bench) == {"a": 2, "b": 1, "c": 1}


async def test_what_is_foreseen_is_not_counted() -> None:
    """Nor does it begin an issue, however often somebody asks."""
    async with running() as bench:
        await bench.pipeline.submit(errors("a"), 10)
        for key, trigger in (("a", None), ("b", "new"), ("a", None), ("b", "new")):
            (event,) = errors(key, first=9)
            number = bench.ids.take()
            await bench.pipeline.issues.foresee(event, bench.pipeline.ruleset, number, bench.clock.now_ms())
            assert event.trigger == trigger
        await bench.pipeline.submit(errors("a", first=1), 10)
        assert await counts(bench) == {"a": 2}
