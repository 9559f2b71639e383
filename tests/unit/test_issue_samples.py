"""Of a flood only a sample is stored whole: what is one of many, and told to nobody, loses its stack traces."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.store.base import Filter
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
    stored = [orjson.loads(row["payload"]) for row in reversed(page.items)]
    return [int(each["id"][1:]) for each in stored if "values" in each["data"]["exception"]]


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
