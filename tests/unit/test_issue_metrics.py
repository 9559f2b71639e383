"""What the metrics tell of issues and incidents."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.engine.issues.admission import ISSUES_PER_HOUR
from alertd.errors import StoreUnavailableError
from tests.unit.test_pipeline import Bench, events, running


def error(key: str, **more: Any) -> dict[str, Any]:
    """Make an error of an issue."""
    data = {"event_id": "0" * 32, "title": "KeyError: 'sku'", "level": "error"}
    return {"type": "sentry.error", "project": "shop", "environment": "prod", "key": key, "data": data, **more}


async def submit(bench: Bench, *keys: str) -> None:
    """Submit one error for each key."""
    await bench.pipeline.submit(events(*(error(key) for key in keys)), 10)


async def test_transitions_by_trigger() -> None:
    """Each new issue counts once, its later events not; what is in memory and open is shown."""
    async with running() as bench:
        await submit(bench, "a", "b", "a")
        await submit(bench, "a", "c")
        assert bench.count("alertd_issue_transitions_total", trigger="new") == 3
        assert bench.count("alertd_issue_transitions_total", trigger="regression") == 0
        assert bench.count("alertd_issues_memory") == 3
        assert bench.count("alertd_incidents_open") == 3  # new in production
        assert bench.count("alertd_incidents_opened_total", kind="issue") == 3
        assert bench.count("alertd_issues_evicted_total") == 0
        assert bench.count("alertd_issues_overflowed_total") == 0


async def test_what_is_not_stored_is_not_counted() -> None:
    """A commit that fails counts nothing."""
    async with running() as bench:
        bench.gate.failures = 1
        with pytest.raises(StoreUnavailableError):
            await submit(bench, "a")
        assert bench.count("alertd_issue_transitions_total", trigger="new") == 0
        assert (bench.count("alertd_issues_memory"), bench.count("alertd_incidents_open")) == (0, 0)


async def test_a_flood_of_new_issues_shows() -> None:
    """Beyond what a project may begin in an hour it overflows, and memory keeps its bound: both are counted."""
    async with running() as bench:
        for begin in range(0, ISSUES_PER_HOUR + 1000, 1000):
            await submit(bench, *(str(number) for number in range(begin, begin + 1000)))
        begun = bench.count("alertd_issue_transitions_total", trigger="new")
        overflowed = bench.count("alertd_issues_overflowed_total")
        assert begun + overflowed >= ISSUES_PER_HOUR + 1000
        assert overflowed > 0
        assert bench.count("alertd_issues_memory") <= 10_000
        assert bench.count("alertd_issues_evicted_total") > 0
