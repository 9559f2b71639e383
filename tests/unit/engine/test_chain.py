"""The engine is one function: in a batch or event by event, after a restart, and in explain, it decides the same."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.explain import explain
from alertd.engine.memory import Overlay
from alertd.engine.progress import Counted, Measured, Stand
from tests.unit.engine.timeline import START_MS, Timeline, made_event, shape

WORKSPACE: dict[str, Any] = {
    "channels": [
        {"name": "all", "kind": "glob", "pattern": "*"},
        {"name": "production", "kind": "glob", "pattern": "*", "environments": ["prod"]},
        {"name": "crashes", "kind": "group", "pattern": "crashes"},
    ],
    "destinations": [
        {"name": "a", "type": "null"},
        {"name": "b", "type": "null"},
        {"name": "c", "type": "null", "per_subscription": True},
    ],
    "event_types": [{"name": "m", "data_schema": {"properties": {"v": {"type": "number", "maximum": 9}}}}],
    "subscriptions": [
        {"name": "ladder", "channels": ["all"], "destinations": ["a"], "occurrences": [2, 3], "reset_after_seconds": 4},
        {"name": "cool", "channels": ["production"], "destinations": ["a", "b"], "cooldown_seconds": 3},
        {"name": "both", "channels": ["all"], "destinations": ["c"], "occurrences": [1, 2, 4], "cooldown_seconds": 2},
        {"name": "loud", "channels": ["crashes", "all"], "destinations": ["c", "b"], "min_severity": "error"},
        {"name": "shop", "channels": ["all"], "destinations": ["b"], "projects": ["shop"], "matchers": ['team="x"']},
    ],
    "derived_types": [
        {"name": "d", "type": "many", "channel": "production", "occurrences": [2, 4], "reset_after_seconds": 5},
        {"name": "e", "type": "alertd.very_many", "types": ["many"], "occurrences": [2], "per": "environment"},
    ],
    "metric_alerts": [
        {"name": "v", "channel": "all", "field": "data.v", "when": "above", "limit": 5, "for_seconds": 2,
         "reminder_seconds": 3, "forget_after_seconds": 8},
        {"name": "w", "types": ["m"], "field": "data.v", "when": "below", "limit": 1, "subscriptions": ["loud"],
         "destinations": ["a"]},
    ],
}  # fmt: skip
STEP = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["m", "app_crashed_repeated", "other"]),
        "severity": st.sampled_from(["info", "error"]),
        "environment": st.sampled_from(["prod", "dev"]),
        "project": st.sampled_from(["", "shop"]),
        "labels": st.sampled_from([{}, {"team": "x"}]),
        "data": st.sampled_from([{}, {"v": 0}, {"v": 7}, {"v": 10}, {"v": "x"}]),
    },
    optional={"id": st.sampled_from(["i1", "i2"]), "key": st.sampled_from(["k1", "k2"])},
)
STEPS = st.lists(st.tuples(st.sampled_from([0, 0, 0.5, 1, 3, 6]), STEP), max_size=25)


def run(steps: list[tuple[float, dict[str, Any]]], *, batched: bool, restart_at: int | None = None) -> Timeline:
    """Play steps: what comes at the same moment in one batch, or each event on its own."""
    line = Timeline(**WORKSPACE)
    waiting: list[dict[str, Any]] = []
    for position, (pause, fields) in enumerate(steps):
        if pause and waiting:
            line.batch(waiting)
            waiting = []
        line.wait(pause)
        if position == restart_at:
            if waiting:
                line.batch(waiting)
                waiting = []
            line.restart()
        waiting.append(fields)
        if not batched:
            line.batch(waiting)
            waiting = []
    if waiting:
        line.batch(waiting)
    return line.wait(10)


@given(STEPS)
def test_one_batch_or_event_by_event(steps: list[tuple[float, dict[str, Any]]]) -> None:
    """How events are cut into batches changes no plan and nothing that is remembered."""
    alone, together = run(steps, batched=False), run(steps, batched=True)
    assert [shape(plan) for plan in alone.plans] == [shape(plan) for plan in together.plans]
    assert alone.memory.series == together.memory.series
    assert alone.memory.counts == together.memory.counts
    assert alone.memory.cooldowns == together.memory.cooldowns


@given(STEPS, st.integers(0, 25))
def test_a_restart_from_the_store_changes_nothing(steps: list[tuple[float, dict[str, Any]]], cut: int) -> None:
    """What was stored is enough to go on as before."""
    through, cut_off = run(steps, batched=True), run(steps, batched=True, restart_at=cut)
    assert [shape(plan) for plan in through.plans] == [shape(plan) for plan in cut_off.plans]


@given(STEPS, STEP)
def test_explain_decides_as_production_does(steps: list[tuple[float, dict[str, Any]]], last: dict[str, Any]) -> None:
    """Explained just before it is sent, an event has the very plans that it then gets, and explaining changes nothing."""
    line = run(steps, batched=True)
    event = made_event(900, line.now_ms, **{**last, "id": "fresh"})
    before = deepcopy((line.memory.cooldowns, line.memory.counts, line.memory.series))
    state = line.memory.state(Overlay(), {})
    explained = explain(line.ruleset, state, event, line.now_ms, line.numbers.next)
    assert (line.memory.cooldowns, line.memory.counts, line.memory.series) == before
    assert [part.plan for part in explained] == line.commit([event])
    again = explain(line.ruleset, state, event, line.now_ms)
    assert shape(again[0].plan)[:3] == shape(explained[0].plan)[:3]


def test_explain_tells_what_is_out_of_scope_and_how_far_rules_have_come() -> None:
    """Each subscription is in the plan or left out with its field; rules that make events say where they stand."""
    line = Timeline(**WORKSPACE)
    event = made_event(1, START_MS, type="m", environment="prod", data={"v": 7})
    (first,) = explain(line.ruleset, line.memory.state(Overlay(), {}), event, START_MS)
    names = line.ruleset.names
    assert [(names[v.subscription_id][2], v.code.word) for v in first.outside] == [("shop", "project")]
    assert [names[v.subscription_id][2] for v in first.plan.verdicts] == ["ladder", "cool", "both", "loud"]
    derived, waits, good = first.progress
    assert isinstance(derived, Counted)
    assert isinstance(waits, Measured)
    assert isinstance(good, Measured)
    assert (derived.rule.name, derived.count, derived.following) == ("d", 1, 2)
    assert (waits.rule.name, waits.stand, waits.value, waits.due_ms) == ("v", Stand.WAITING, 7, START_MS + 2000)
    assert (good.rule.name, good.stand, good.value, good.due_ms) == ("w", Stand.GOOD, 7, None)


def test_explain_tells_what_would_be_made() -> None:
    """The events that alertd would make of it are explained too, one after another."""
    line = Timeline()
    line.event("app_crashed_repeated")
    event = made_event(9, line.now_ms, type="app_crashed_repeated")
    explained = explain(line.ruleset, line.memory.state(Overlay(), {}), event, line.now_ms)
    assert [part.plan.event.type for part in explained] == ["app_crashed_repeated", "app_crashed"]
    assert len(line.plans) == 1


def test_whom_a_metric_alert_does_not_tell_is_left_out_by_it() -> None:
    """What an alert tells some alone shows all others with the alert as the reason."""
    line = Timeline(**WORKSPACE)
    event = made_event(1, START_MS, type="m", severity="error", environment="prod", data={"v": 0})
    fired = explain(line.ruleset, line.memory.state(Overlay(), {}), event, START_MS)[1]
    assert fired.plan.event.type == "app_alert_triggered"
    outside = {line.ruleset.names[v.subscription_id][2]: v.code.word for v in fired.outside}
    assert outside == {"ladder": "metric_alert", "cool": "metric_alert", "both": "metric_alert", "shop": "metric_alert"}
