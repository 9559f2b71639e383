"""What is simulated counts for nothing, whether it is counted as it comes or from the history after a crash."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.facts import Facts
from alertd.model.event import SIMULATION
from tests.unit.api.bench import HOME, running

ERROR = {"event_id": "0" * 32, "title": "KeyError: 'sku'", "level": "error"}


@pytest.mark.parametrize("data", [None, {"x": 1}, ERROR], ids=["plain", "with-data", "error"])
async def test_live_and_rebuilt_facts_agree(data: dict[str, Any] | None) -> None:
    """Alone in its batch and among others: types, subscriptions and verdicts know the real events only."""
    simulated = {
        "type": "made.up",
        "source": SIMULATION,
        "severity": "error",
        **({} if data is None else {"data": data}),
    }
    async with running() as call:
        bench = call.bench
        await call.sent(simulated)
        await call.sent(simulated, {"type": "real", "source": "svc", "severity": "error"}, simulated)
        await call.settled(f"{HOME}/deliveries")
        again = Facts(bench.store, bench.clock, bench.metrics.types_unlearnt)
        await again.load(0)
        workspace = bench.pipeline.ruleset.workspaces["default"].id
        assert set(bench.facts.types(workspace)) == set(again.types(workspace)) == {"real"}
        for subscription in bench.pipeline.ruleset.names:
            assert bench.facts.subscription(subscription) == again.subscription(subscription)
        labels = {"workspace": "default", "subscription": "everything", "verdict": "sent"}
        assert bench.metrics.registry.get_sample_value("alertd_verdicts_total", labels) == 1
