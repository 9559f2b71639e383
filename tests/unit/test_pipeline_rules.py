"""What the pipeline promises about events that alertd makes: in the commit of their cause, once, and in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import alertd.pipeline
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.model.workspace import Workspace
from tests.unit.test_pipeline import Bench, Gate, at_work, events, running

if TYPE_CHECKING:
    from collections.abc import Callable

CRASH = "app_crashed_repeated"


def workspace(**more: Any) -> Workspace:
    """Make a workspace where everything goes to one destination."""
    return Workspace.model_validate(
        {
            "name": "default",
            "channels": [{"name": "all", "kind": "glob", "pattern": "*"}],
            "destinations": [{"name": "a", "type": "null"}],
            "subscriptions": [{"name": "s", "channels": ["all"], "destinations": ["a"]}],
            **more,
        }
    )


def alert(**more: Any) -> Workspace:
    """Make a workspace with a metric alert."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 0.05}
    return workspace(metric_alerts=[rule | more])


async def until(bench: Bench, condition: Callable[[], bool]) -> None:
    """Wait until something has come true of what was committed."""
    while not condition():
        bench.gate.committed.clear()
        await bench.gate.committed.wait()


def planned(bench: Bench) -> list[list[str]]:
    """Give the types of every batch that was committed."""
    return [[plan.event.type for plan in batch.plans] for batch in bench.gate.batches]


async def test_what_is_derived_is_in_the_batch_of_its_cause() -> None:
    """One commit holds the cause, what is made of it, its deliveries and the count."""
    async with running(workspace()) as bench:
        answers = await bench.pipeline.submit(events(*[{"type": CRASH}] * 3), 10)
        assert planned(bench) == [[CRASH, CRASH, "app_crashed", CRASH]]
        assert len(answers) == 3
        assert len(bench.delivered) == 4
        assert [count.times for count in bench.gate.batches[0].counts.values()] == [3]
        assert bench.count("alertd_events_total", source="alertd", result="accepted") == 1
        assert bench.count("alertd_events_total", source="http", result="accepted") == 3


async def test_a_cause_that_comes_again_makes_nothing() -> None:
    """Neither in the same body, nor later, nor beside new ones: then the rest is planned again without it."""
    async with running(workspace()) as bench:
        await bench.pipeline.submit(events({"type": CRASH, "id": "1"}, {"type": CRASH, "id": "1"}), 10)
        await bench.pipeline.submit(events({"type": CRASH, "id": "1"}), 10)
        await bench.pipeline.submit(events({"type": CRASH, "id": "1"}, {"type": CRASH, "id": "2"}), 10)
        await bench.pipeline.submit(events({"type": CRASH, "id": "2"}), 10)
        assert [batch for batch in planned(bench) if batch] == [[CRASH], [CRASH, "app_crashed"]]


async def test_an_id_that_is_taken_is_not_made_again() -> None:
    """Somebody else's event under the id of one that is to be made stays; nothing fails, the count goes on."""
    async with running(workspace()) as bench:
        await bench.pipeline.submit(events({"type": CRASH, "id": "1"}, {"type": CRASH, "id": "2"}), 10)
        made = bench.gate.batches[0].plans[-1].event.id
    async with running(workspace()) as bench:
        await bench.pipeline.submit(events({"type": "x", "id": made}), 10)
        await bench.pipeline.submit(events({"type": CRASH, "id": "1"}, {"type": CRASH, "id": "2"}), 10)
        await bench.pipeline.submit(events(*[{"type": CRASH}] * 3), 10)
        assert [batch for batch in planned(bench) if batch] == [["x"], [CRASH] * 2, [CRASH] * 3 + ["app_crashed"]]


async def test_what_fails_counts_nothing() -> None:
    """A batch that could not be stored leaves the counts as they were."""
    async with running(workspace()) as bench:
        await bench.pipeline.submit(events({"type": CRASH}), 10)
        bench.gate.failures = 1
        with pytest.raises(Exception, match="disk full"):
            await bench.pipeline.submit(events({"type": CRASH}), 10)
        await bench.pipeline.submit(events({"type": CRASH}), 10)
        assert planned(bench) == [[CRASH], [CRASH, "app_crashed"]]


async def test_time_alone_fires_an_alert() -> None:
    """Without a further event, in a commit of its own, and its deliveries go out."""
    async with running(alert()) as bench:
        await bench.pipeline.submit(events({"type": "m", "data": {"cpu": 99}}), 10)
        await until(bench, lambda: len(bench.gate.batches) == 2)
        assert planned(bench) == [["m"], ["app_alert_triggered"]]
        assert len(bench.delivered) == 2


async def test_reminders_go_on_by_time_alone() -> None:
    """Each in its turn, until the value is good."""
    async with running(alert(for_seconds=0, reminder_seconds=0.02)) as bench:
        await bench.pipeline.submit(events({"type": "m", "data": {"cpu": 99}}), 10)
        await until(bench, lambda: len(bench.gate.batches) >= 4)
        await bench.pipeline.submit(events({"type": "m", "data": {"cpu": 1}}), 10)
        said = [plan.event for batch in bench.gate.batches for plan in batch.plans if plan.event.type != "m"]
        assert [e.body["data"]["reason"] for e in said[:2]] == ["firing", "reminder"]
        assert said[-1].body["data"]["reason"] == "resolved"
        assert len({event.id for event in said}) == len(said)
        assert bench.pipeline.memory.next_due_ms() is None


async def test_time_waits_for_a_store_that_fails() -> None:
    """What is due is tried again until it is stored, and then done once."""
    async with running(alert()) as bench:
        await bench.pipeline.submit(events({"type": "m", "data": {"cpu": 99}}), 10)
        bench.gate.failures = 2
        await until(bench, lambda: len(bench.gate.batches) == 2)
        assert planned(bench) == [["m"], ["app_alert_triggered"]]
        assert bench.gate.failures == 0


async def test_it_goes_on_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and series are there again; what is due waits for a moment after a start, for values that came meanwhile.

    The moment begins with the work, however long the start takes after the store was read.
    """
    monkeypatch.setattr(alertd.pipeline, "SETTLE_SECONDS", 60)
    monkeypatch.setattr(alertd.pipeline, "ALARM_SECONDS", 0.02)
    async with running(alert(for_seconds=3600)) as before:
        await before.pipeline.submit(events({"type": CRASH}, {"type": "m", "data": {"cpu": 99}}), 10)
    again = Bench(alert(for_seconds=0.001), None)
    again.store, again.gate = before.store, Gate(before.store)
    await again.start()
    await again.pipeline.load()
    again.clock.ahead = 100
    async with at_work(again) as bench:
        await bench.pipeline.submit(events({"type": CRASH}), 10)
        assert planned(bench) == [[CRASH, "app_crashed"]]
        bench.clock.ahead += 60
        await until(bench, lambda: planned(bench)[-1] == ["app_alert_triggered"])


async def test_a_swap_follows_other_alerts() -> None:
    """What a new ruleset makes due is looked at although nothing comes in."""
    rules = alert(for_seconds=3600)
    async with running(rules) as bench:
        await bench.pipeline.submit(events({"type": "m", "data": {"cpu": 99}}), 10)
        keys = await bench.store.intern(name_keys([rules]))
        await bench.pipeline.swap(compile_ruleset([alert(for_seconds=0.01)], keys, 2))
        await until(bench, lambda: len(bench.gate.batches) == 2)
        assert planned(bench)[-1] == ["app_alert_triggered"]


async def test_what_is_switched_off_takes_nothing_from_the_next_batch_on() -> None:
    """And takes again when it is switched on."""
    async with running(workspace()) as bench:
        for disabled in (True, False):
            number = bench.pipeline.ruleset.ids["destination", "default", "a"]
            bench.pipeline.disabled = frozenset({number} if disabled else ())
            await bench.pipeline.submit(events({"type": "x"}), 10)
        said = [v.code.word for batch in bench.gate.batches for plan in batch.plans for v in plan.verdicts]
        assert said == ["destination_disabled", "sent"]
        assert len(bench.delivered) == 1
