"""Progress: how derived types and metric alerts stand with an event that is thought of, and with one that is stored."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.engine.explain import explain
from alertd.engine.memory import Overlay
from alertd.engine.progress import Counted, Measured, Stand, by_now
from alertd.model.event import SIMULATION
from tests.unit.engine.timeline import START_MS, Timeline, made_event


def alert(**more: Any) -> Timeline:
    """Make a timeline with an alert on `data.cpu` above 90 for 60 seconds."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 60}
    return Timeline(metric_alerts=[rule | more])


def stands(line: Timeline, cpu: Any, **fields: Any) -> Measured:
    """Say how the alert would stand with an event."""
    data = {} if cpu is None else {"cpu": cpu}
    event = made_event(99, line.now_ms, **{"type": "m", "data": data, **fields})
    (found,) = explain(line.ruleset, line.memory.state(Overlay(), {}), event, line.now_ms)[0].progress
    assert isinstance(found, Measured)
    return found


def now(line: Timeline, cpu: Any) -> Measured:
    """Say how it stands by now with an event that is stored."""
    event = made_event(99, START_MS, type="m", data={"cpu": cpu})
    rules = line.ruleset.workspaces["default"]
    (found,) = by_now(rules, rules, line.memory.state(Overlay(), {}), event, line.now_ms)
    assert isinstance(found, Measured)
    return found


@pytest.mark.parametrize(
    ("cpu", "stand"), [(None, Stand.MISSING), ("97", Stand.NO_NUMBER), (True, Stand.NO_NUMBER), (90, Stand.GOOD)]
)
def test_a_value_that_moves_nothing(cpu: Any, stand: Stand) -> None:
    """A field that is not there, or is no number, is told apart from a good value; of a stored event as well."""
    line = alert()
    assert (stands(line, cpu).stand, now(line, cpu).stand) == (stand, stand)


def test_it_waits_fires_and_is_over() -> None:
    """Each step is named with the time since when, and that of which it would fire."""
    line = alert()
    first = stands(line, 91)
    assert first.series is not None
    assert (first.stand, first.series.since_ms, first.due_ms) == (Stand.WAITING, START_MS, START_MS + 60_000)
    line.event("m", data={"cpu": 91})
    line.set_clock(60)
    assert stands(line, 95).stand is Stand.FIRES
    line.tick()
    assert stands(line, 95).stand is Stand.FIRING
    assert stands(line, 20).stand is Stand.OVER
    line.event("m", data={"cpu": 20})
    assert stands(line, 20).stand is Stand.GOOD


def test_what_fired_and_was_forgotten_fires_anew() -> None:
    """After so long without a value a further one is the first of a new series."""
    line = alert(for_seconds=0, forget_after_seconds=100)
    line.event("m", data={"cpu": 91})
    assert stands(line, 91).stand is Stand.FIRING
    line.set_clock(100)
    assert stands(line, 91).stand is Stand.FIRES
    assert stands(line, 1).stand is Stand.GOOD


def test_a_late_value_moves_nothing() -> None:
    """One that is older than the newest of its series says so, and shows what is followed."""
    line = alert()
    line.event("m", data={"cpu": 91})
    line.set_clock(30)
    late = stands(line, 20, time="2027-01-15T07:59:59.000Z")
    assert late.series is not None
    assert (late.stand, late.value, late.series.value) == (Stand.LATE, 20, 91)


def test_a_stored_event_says_what_is_followed_by_now() -> None:
    """Its own value against the limit, and the series as it stands; nothing where that was forgotten, or the alert is gone."""
    line = alert()
    assert now(line, 95).series is None
    line.event("m", data={"cpu": 91})
    found = now(line, 95)
    assert found.series is not None
    assert (found.stand, found.value, found.series.value, found.due_ms) == (Stand.BEYOND, 95, 91, START_MS + 60_000)
    event = made_event(99, START_MS, type="m", data={"cpu": 95})
    rules, state = line.ruleset.workspaces["default"], line.memory.state(Overlay(), {})
    (gone,) = by_now(rules, None, state, event, line.now_ms)
    assert isinstance(gone, Measured)
    assert (gone.stand, gone.series) == (Stand.BEYOND, None)


def test_what_alertd_made_and_what_is_simulated_is_not_looked_at() -> None:
    """Their values move no metric alert, and none is named with them."""
    line = Timeline(metric_alerts=[{"name": "c", "channel": "all", "field": "data.count", "when": "above", "limit": 1}])
    line.event("app_crashed_repeated", data={"count": 0})
    crashed = line.event("app_crashed_repeated", data={"count": 0})[1].event
    simulated = made_event(99, START_MS, type="m", data={"count": 0}, source=SIMULATION)
    rules, state = line.ruleset.workspaces["default"], line.memory.state(Overlay(), {})
    assert [list(by_now(rules, rules, state, event, START_MS)) for event in (crashed, simulated)] == [[], []]
    again = made_event(98, START_MS, type="app_crashed_repeated", data={"count": 0})
    line.event("app_crashed_repeated")
    line.event("app_crashed_repeated")
    parts = explain(line.ruleset, state, again, START_MS)
    assert [[type(each) for each in part.progress] for part in parts] == [[Counted, Measured], []]
    assert explain(line.ruleset, state, simulated, START_MS)[0].progress == ()


def test_a_count_by_now() -> None:
    """A stored event shows how many are counted by now, and none once it was quiet for long enough."""
    line = Timeline()
    event = line.event("app_crashed_repeated")[0].event
    rules = line.ruleset.workspaces["default"]

    def counted() -> tuple[int, int]:
        (found,) = by_now(rules, rules, line.memory.state(Overlay(), {}), event, line.now_ms)
        assert isinstance(found, Counted)
        return found.count, found.following

    assert counted() == (1, 2)
    line.event("app_crashed_repeated")
    assert counted() == (2, 5)
    line.set_clock(7 * 86400)
    assert counted() == (0, 2)
