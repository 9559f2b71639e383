"""How far rules have come, in words: the value, the limit, since when, and what is still missing."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.api.progress_views import progress_view
from alertd.clock import rfc3339
from alertd.engine.explain import explain
from alertd.engine.memory import Overlay
from alertd.engine.progress import by_now
from tests.unit.engine.timeline import START_MS, Timeline, made_event

SINCE, DUE = rfc3339(START_MS), rfc3339(START_MS + 60_000)


def line_with(**more: Any) -> Timeline:
    """Make a timeline with an alert on `data.cpu` above 90 for 60 seconds."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 60}
    return Timeline(metric_alerts=[rule | more])


def said(line: Timeline, data: dict[str, Any], *, stored: bool = False) -> str:
    """Say how the alert stands with an event that is thought of, or stored."""
    event = made_event(99, line.now_ms, type="m", data=data)
    rules, state = line.ruleset.workspaces["default"], line.memory.state(Overlay(), {})
    if stored:
        (found,) = by_now(rules, rules, state, event, line.now_ms)
    else:
        (found,) = explain(line.ruleset, state, event, line.now_ms)[0].progress
    shown = progress_view(found)
    assert (shown["kind"], shown["name"], shown["field"], shown["limit"]) == ("metric_alert", "cpu", "data.cpu", 90)
    return str(shown["detail"])


@pytest.mark.parametrize("stored", [False, True])
def test_what_is_not_looked_at_says_why(*, stored: bool) -> None:
    """No such field, and no number there; a long value is cut."""
    line = line_with()
    assert said(line, {}, stored=stored) == "the event has no data.cpu, so the alert does not look at it"
    other = said(line, {"cpu": "high"}, stored=stored)
    assert other == 'data.cpu is "high", which is no number, so the alert does not look at it'
    assert "… (1002 characters), which is no number" in said(line, {"cpu": "x" * 1000}, stored=stored)


def test_an_event_that_is_thought_of() -> None:
    """Good, waiting, firing with it, firing already, over: each with what is still missing."""
    line = line_with(reminder_seconds=600)
    waits = f"above 90 since {SINCE}, not yet for 60 s: the alert fires at {DUE} unless a value comes before that is not above 90"
    assert said(line, {"cpu": 90}) == "data.cpu is 90, not above 90"
    assert said(line, {"cpu": 97}) == f"data.cpu is 97, {waits}"
    line.event("m", data={"cpu": 97})
    assert said(line, {"cpu": 95.5}) == f"data.cpu is 95.5, {waits}"
    line.set_clock(60)
    assert said(line, {"cpu": 97}) == f"data.cpu is 97, above 90 since {SINCE}, for 60 s or longer: the alert fires"
    line.tick()
    again = rfc3339(START_MS + 660_000)
    assert (
        said(line, {"cpu": 97})
        == f"data.cpu is 97, above 90 since {SINCE}: the alert fires already, and reminds at {again}"
    )
    assert said(line, {"cpu": 20}) == "data.cpu is 20, not above 90: the alert fired, and is over now"


def test_an_alert_without_a_wait_or_reminders() -> None:
    """It fires with the first value, and then says no more."""
    line = line_with(for_seconds=0, when="below")
    assert said(line, {"cpu": 1}) == "data.cpu is 1, below 90: the alert fires"
    line.event("m", data={"cpu": 1})
    assert said(line, {"cpu": 1}).endswith(": the alert fires already, and says no more until it is over")


def test_a_late_value() -> None:
    """It moves nothing, and says so."""
    line = line_with()
    line.event("m", data={"cpu": 91}, time=rfc3339(START_MS))
    event = made_event(99, START_MS - 1000, type="m", data={"cpu": 20})
    (found,) = explain(line.ruleset, line.memory.state(Overlay(), {}), event, START_MS)[0].progress
    late = "data.cpu is 20, but the event is older than the newest of its series, and moves nothing"
    assert progress_view(found)["detail"] == late


def test_a_stored_event() -> None:
    """What it had, how long that must last, and how the alert stands by now."""
    line = line_with()
    lasts = "data.cpu is 97, above 90 (the alert fires when that lasts for 60 s); by now"
    assert said(line, {"cpu": 97}, stored=True) == f"{lasts} no value is followed any more"
    line.event("m", data={"cpu": 97})
    waits = f"above 90 since {SINCE}, not yet for 60 s: the alert fires at {DUE} unless a value comes before that is not above 90"
    assert said(line, {"cpu": 97}, stored=True) == f"data.cpu is 97, {waits}"
    assert said(line, {"cpu": 99}, stored=True) == f"{lasts} the value is 97, {waits}".replace(
        "is 97, above 90 (", "is 99, above 90 ("
    )
    line.event("m", data={"cpu": 20})
    assert said(line, {"cpu": 97}, stored=True) == f"{lasts} the value is 20"
    assert said(line, {"cpu": 20}, stored=True) == "data.cpu is 20, not above 90"


def test_a_stored_event_of_an_alert_that_has_changed() -> None:
    """Its value is held against the limit as it then was, what is followed by now against that of today."""
    then, line = line_with(), line_with(limit=50, for_seconds=120)
    event = made_event(99, START_MS, type="m", data={"cpu": 80})
    line.event("m", data={"cpu": 80})
    old, new = (each.ruleset.workspaces["default"] for each in (then, line))
    (found,) = by_now(old, new, line.memory.state(Overlay(), {}), event, START_MS)
    fires = rfc3339(START_MS + 120_000)
    waits = f"not yet for 120 s: the alert fires at {fires} unless a value comes before that is not above 50"
    told = f"data.cpu is 80, not above 90; by now the value is 80, above 50 since {SINCE}, {waits}"
    assert (progress_view(found)["detail"], progress_view(found)["due_at"]) == (told, fires)
    (raised,) = by_now(new, old, line.memory.state(Overlay(), {}), event, START_MS)
    side = f"by now the value is 80, beyond the limit before it was changed, since {SINCE}, not yet for 60 s"
    assert side in progress_view(raised)["detail"]


def test_counts() -> None:
    """Of an event that is thought of its own count, of a stored one how many there are by now."""
    line, details = Timeline(), []
    for number in range(3):
        event = made_event(90 + number, line.now_ms, type="app_crashed_repeated")
        rules, state = line.ruleset.workspaces["default"], line.memory.state(Overlay(), {})
        (thought,) = explain(line.ruleset, state, event, line.now_ms)[0].progress
        (stored,) = by_now(rules, rules, state, event, line.now_ms)
        details.append((progress_view(thought)["detail"], progress_view(stored)["detail"]))
        assert (progress_view(thought)["count"], progress_view(stored)["count"]) == (number + 1, None)
        line.event("app_crashed_repeated")
    assert details == [
        ("occurrence number 1; number 2 makes an event", "by now no occurrences are counted; number 2 makes an event"),
        ("occurrence number 2; number 5 makes an event", "by now 1 occurrence is counted; number 2 makes an event"),
        ("occurrence number 3; number 5 makes an event", "by now 2 occurrences are counted; number 5 makes an event"),
    ]
