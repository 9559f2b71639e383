"""Of a flood only a sample is stored whole: what is one of many, and told to nobody, loses its stack traces."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.engine.issues.merging import merge
from alertd.model.verdict import VerdictCode
from alertd.model.workspace import Workspace
from alertd.store.base import Filter
from alertd.store.issues import IssueFilter, IssueWrites, Reshaped
from tests.unit.engine.issues import errors
from tests.unit.test_pipeline import WORKSPACE, Bench, events, running

ERRORS = WORKSPACE.model_copy(update={"channels": (WORKSPACE.channels[0].model_copy(update={"pattern": "sentry.*"}),)})
TRIGGERED = ERRORS.model_copy(
    update={"subscriptions": (ERRORS.subscriptions[0].model_copy(update={"triggers": ("new", "regression")}),)}
)


def flood(first: int, count: int) -> list[dict[str, Any]]:
    """Make errors of one issue, numbered from `first`."""
    data = errors.error(frames=[errors.frame("total", module="shop.cart")])
    return [
        {"type": "sentry.error", "id": f"e{number}", "project": "shop", "key": "k", "data": data}
        for number in range(first, first + count)
    ]


async def whole(bench: Bench) -> list[int]:
    """Name the events that are stored with their stack traces, oldest first."""
    page = await bench.store.events(Filter(workspace="default", limit=1000))
    stored = [orjson.loads(row["payload"]) for row in reversed(page.items) if row["type"] == "sentry.error"]
    return [int(each["id"][1:]) for each in stored if "stacktrace" in each["data"]["exception"]["values"][0]]


async def test_a_sample_of_a_flood_is_stored_whole() -> None:
    """All events are stored; the first hundred, then one of ten, whole. The sample is what the issue shows."""
    async with running(TRIGGERED) as bench:
        for first in range(1, 201, 50):
            await bench.pipeline.submit(events(*flood(first, 50)), 10)
        assert len(await bench.stored()) == 200
        assert await whole(bench) == [*range(1, 101), *range(110, 201, 10)]
        assert len(bench.delivered) == 1


async def test_what_goes_out_is_stored_whole() -> None:
    """Each attempt, and a replay, sends what came."""
    async with running(ERRORS) as bench:
        for first in range(1, 121, 60):
            await bench.pipeline.submit(events(*flood(first, 60)), 10)
        assert len(bench.delivered) == 120
        assert await whole(bench) == [*range(1, 121)]


DERIVED = Workspace.model_validate(
    {
        **TRIGGERED.model_dump(mode="json", exclude_unset=True),
        "derived_types": [{"name": "d", "type": "shop.flood", "types": ["sentry.error"], "occurrences": [105, 107]}],
    }
)
METRIC = Workspace.model_validate(
    {
        **TRIGGERED.model_dump(mode="json", exclude_unset=True),
        "metric_alerts": [
            {"name": "slow", "types": ["sentry.error"], "field": "data.took", "when": "above", "limit": 5}
        ],
    }
)


async def test_what_something_came_of_is_stored_whole() -> None:
    """The event that a derived type names as its cause."""
    async with running(DERIVED) as bench:
        await bench.pipeline.submit(events(*flood(1, 109)), 10)
        assert await whole(bench) == [*range(1, 101), 105, 107]


async def test_what_a_metric_alert_looked_at_is_stored_whole() -> None:
    """Its page says what value the alert took."""
    async with running(METRIC) as bench:
        given = flood(1, 109)
        for each in given[:-2]:
            each["data"] = {**each["data"], "took": 3}
        await bench.pipeline.submit(events(*given), 10)
        assert await whole(bench) == [*range(1, 108)]


@pytest.mark.parametrize("code", [c for c in VerdictCode if c.word.startswith(("not_", "about", "format"))])
async def test_what_a_destination_could_not_take_is_stored_whole(code: VerdictCode) -> None:
    """It was to go there, whatever the reason why it did not."""
    async with running(ERRORS) as bench:
        bench.pipeline._closed = dict.fromkeys(bench.pipeline.ruleset.names, code)
        await bench.pipeline.submit(events(*flood(1, 103)), 10)
        assert not bench.delivered
        assert await whole(bench) == [*range(1, 104)]


async def test_what_a_disabled_destination_missed_is_stored_whole() -> None:
    """Somebody was to be told of it."""
    async with running(ERRORS) as bench:
        bench.pipeline.disabled = frozenset(bench.pipeline.ruleset.names)
        for first in range(1, 121, 60):
            await bench.pipeline.submit(events(*flood(first, 60)), 10)
        assert not bench.delivered
        assert await whole(bench) == [*range(1, 121)]


@pytest.mark.parametrize("known", [[], [1], [1, 2, 3, 104]])
async def test_a_batch_that_is_planned_again_counts_what_is_new(known: list[int]) -> None:
    """Events that came again do not move the sample of those that are new."""
    async with running(TRIGGERED) as bench:
        await bench.pipeline.submit(events(*flood(1, 100)), 10)
        await bench.pipeline.submit(events(*[each for n in known for each in flood(n, 1)], *flood(101, 20)), 10)
        assert await whole(bench) == [*range(1, 101), 110, 120]


async def test_after_a_merge_each_grouping_key_has_its_sample() -> None:
    """It may be split off again, and then shows its own events."""
    async with running(TRIGGERED) as bench:
        await bench.pipeline.submit(events(*flood(1, 150)), 10)
        await bench.pipeline.submit(events(*(each | {"key": "other"} for each in flood(1001, 1))), 10)
        own = bench.pipeline.ruleset.workspaces["default"].id
        one, other = reversed(await bench.store.issues(IssueFilter(own, limit=10)))
        merged, _ = merge(one, [other], one.arrived_ms, "ann")
        keys = {(own, "shop", "other"): one.id}
        await bench.store.write_issues(IssueWrites([merged], keys, reshaped=Reshaped(merged=[(other, one.id)])))
        bench.pipeline.issues.memory.forget(other.id)
        bench.pipeline.issues.memory.replace(merged)
        await bench.pipeline.submit(events(*(each | {"key": "other"} for each in flood(1002, 50))), 10)
        assert [n for n in await whole(bench) if n > 1000] == [*range(1001, 1052)]
