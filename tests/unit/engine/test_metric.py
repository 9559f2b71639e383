"""Metric alerts: a value beyond its limit for a while, reminders, the end; by events and by time alone."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.clock import rfc3339
from alertd.engine.metric import LATE_MS, number_in
from alertd.model.severity import Severity
from alertd.model.verdict import VerdictCode
from tests.unit.engine.timeline import START_MS, Timeline, compiled, words

FIRED, OVER = "app_alert_triggered", "app_alert_resolved"


def alert(**more: Any) -> Timeline:
    """Make a timeline with an alert on `data.cpu` above 90 for 60 seconds."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 60}
    workspace = {name: more.pop(name) for name in ("subscriptions", "derived_types", "channels") if name in more}
    return Timeline(metric_alerts=[rule | more], **workspace)


def value(line: Timeline, cpu: Any, **fields: Any) -> list[str]:
    """Send a value; say which events the alert made of it."""
    types = [plan.event.type for plan in line.event("m", data={"cpu": cpu}, **fields)]
    return [name for name in types if name != "m"]


def reasons(line: Timeline) -> list[str]:
    """Say why each of the alert's events was made."""
    return [event.body["data"]["reason"] for event in line.made(FIRED, OVER)]


def test_it_fires_when_the_time_is_up_without_another_value() -> None:
    """Sixty seconds after the first value beyond the limit, not before, and once."""
    line = alert()
    assert value(line, 91) == []
    line.set_clock(59.999)
    assert line.tick() == []
    line.set_clock(0.001)
    assert [plan.event.type for plan in line.tick()] == [FIRED]
    assert line.wait(3600).made(FIRED, OVER)[1:] == []


def test_it_fires_with_a_value_when_nobody_looked() -> None:
    """A value that arrives after the time is up fires it too, and time alone then does not do so again."""
    line = alert()
    value(line, 91)
    line.set_clock(60)
    assert value(line, 95) == [FIRED]
    assert line.tick() == []


def test_a_good_value_in_between_begins_anew() -> None:
    """The limit itself is good."""
    line = alert()
    value(line, 91)
    line.wait(59)
    value(line, 90)
    assert line.wait(60).made(FIRED) == []
    value(line, 90.1)
    assert len(line.wait(60).made(FIRED)) == 1


def test_at_once() -> None:
    """Without `for_seconds` the first value beyond the limit fires, and the first good one ends it."""
    line = alert(for_seconds=0, when="below", limit=5)
    assert [value(line, v) for v in (5, 4, 3, 6, 7)] == [[], [FIRED], [], [OVER], []]


def test_reminders_come_by_time_alone() -> None:
    """Every interval while it fires, and none after its end."""
    line = alert(for_seconds=0, reminder_seconds=30)
    value(line, 91)
    assert reasons(line.wait(95)) == ["firing", "reminder", "reminder", "reminder"]
    value(line, 1)
    assert reasons(line.wait(95))[4:] == ["resolved"]


def test_reminders_that_nobody_looked_for_are_one() -> None:
    """A daemon that was asleep for ten intervals reminds once."""
    line = alert(for_seconds=0, reminder_seconds=30)
    value(line, 91)
    line.set_clock(305)
    line.tick()
    line.tick()
    assert reasons(line) == ["firing", "reminder"]


def test_each_place_and_key_is_followed_on_its_own() -> None:
    """One key's good value does not end another's alert."""
    line = alert(for_seconds=0)
    assert value(line, 95, project="shop", key="host1") == [FIRED]
    assert value(line, 95, project="shop", key="host2") == [FIRED]
    assert value(line, 10, project="shop", key="host2") == [OVER]
    keys = [event.key for event in line.made(FIRED, OVER)]
    assert keys == ["cpu/host1", "cpu/host2", "cpu/host2"]


def test_scope_limits_what_is_looked_at() -> None:
    """Values of other projects and environments are no values."""
    line = alert(for_seconds=0, projects=["shop"], environments=["prod"])
    assert value(line, 95, project="shop") == []
    assert value(line, 95, environment="prod") == []
    assert value(line, 95, project="shop", environment="prod") == [FIRED]


def test_what_it_says() -> None:
    """The alert's severity and numbers while it fires, information when it is over, and its cause."""
    line = alert(for_seconds=0, severity="error")
    value(line, 95.5, project="shop", id="m1")
    line.wait(10)
    value(line, 3, project="shop", id="m2")
    fired, over = line.made(FIRED, OVER)
    assert (fired.severity, over.severity, fired.project) == (Severity.ERROR, Severity.INFO, "shop")
    assert fired.body["data"] == {
        "metric_alert": "cpu", "state": "firing", "reason": "firing", "field": "data.cpu", "value": 95.5, "when": "above",
        "limit": 90.0, "since": rfc3339(START_MS), "cause": {"id": "m1", "type": "m"},
    }  # fmt: skip
    assert (over.body["data"]["state"], over.body["data"]["value"]) == ("resolved", 3)
    assert fired.body["message"] == "data.cpu is 95.5, above 90"
    assert over.body["message"] == "data.cpu is 3 again, after 10 s beyond 90"


def test_no_value_for_long_ends_it() -> None:
    """A series that falls silent is forgotten, and resolved first when it fires."""
    line = alert(for_seconds=0, forget_after_seconds=300)
    value(line, 95)
    line.wait(299)
    value(line, 96)
    assert reasons(line.wait(299)) == ["firing"]
    assert reasons(line.wait(1)) == ["firing", "stale"]
    assert line.memory.series == {}
    assert value(line, 97) == [FIRED]


def test_a_silence_that_nobody_looked_at_ends_it_too() -> None:
    """A value that comes after the silence ends the old alert and begins another."""
    line = alert(for_seconds=0, forget_after_seconds=300)
    value(line, 95)
    line.set_clock(300)
    assert value(line, 95) == [OVER, FIRED]


def test_late_values_move_nothing() -> None:
    """A value that is older than the newest one neither fires nor ends an alert."""
    line = alert(for_seconds=0).wait(100)
    before = rfc3339(line.now_ms - 1)
    assert value(line, 10) == []
    assert value(line, 99, time=before) == []
    assert value(line, 99) == [FIRED]
    assert value(line, 10, time=before) == []
    assert value(line, 10) == [OVER]


def test_a_sender_whose_clock_was_set_back_is_heard_again() -> None:
    """A value that is older by more than the bound is no late one."""
    line = alert(for_seconds=0)
    value(line, 10)
    assert value(line, 99, time=rfc3339(line.now_ms - LATE_MS)) == []
    assert value(line, 99, time=rfc3339(line.now_ms - LATE_MS - 1)) == [FIRED]


def test_a_sender_whose_clock_is_ahead_does_not_block_others() -> None:
    """A time to come counts as that of the arrival."""
    line = alert(for_seconds=0)
    value(line, 10, time="2999-01-01T00:00:00Z")
    line.set_clock(1)
    assert value(line, 99) == [FIRED]


def test_duplicates_are_no_values() -> None:
    """An id that comes again moves nothing."""
    line = alert(for_seconds=0)
    value(line, 10, id="m1")
    value(line, 95, id="m2")
    line.event("m", id="m1", data={"cpu": 10})
    assert reasons(line) == ["firing"]


@pytest.mark.parametrize("seconds", [0, 30, 59])
def test_a_restart_in_the_middle_changes_nothing(seconds: float) -> None:
    """A wait, a reminder and the end go on as if nothing had been."""
    lines = [alert(reminder_seconds=45), alert(reminder_seconds=45)]
    for line in lines:
        value(line, 91)
        line.wait(seconds)
        if line is lines[1]:
            line.restart()
        line.wait(60 - seconds)
        if line is lines[1]:
            line.restart()
        line.wait(50)
        value(line, 1)
    assert reasons(lines[0]) == reasons(lines[1]) == ["firing", "reminder", "resolved"]
    assert [e.payload for e in lines[0].made(FIRED, OVER)] == [e.payload for e in lines[1].made(FIRED, OVER)]


def test_a_clock_that_was_ahead_counts_from_now() -> None:
    """After a restart under an earlier time the wait is no longer than it was."""
    line = alert()
    line.set_clock(86_400)
    value(line, 91)
    line.set_clock(-86_400).restart()
    assert line.wait(59).made(FIRED) == []
    assert len(line.wait(1).made(FIRED)) == 1


def test_a_clock_that_leaps_ends_the_wait() -> None:
    """The machine slept: the value was beyond the limit all the while, as far as anybody knows."""
    line = alert()
    value(line, 91)
    line.set_clock(7200)
    assert [plan.event.type for plan in line.tick()] == [FIRED]


def test_an_alert_that_is_gone_is_forgotten() -> None:
    """Series of an alert that was removed go with it, and nothing more is said."""
    line = alert(for_seconds=0)
    value(line, 95)
    line.ruleset = compiled()
    line.memory.use(line.ruleset)
    line.wait(2)
    assert line.memory.series == {}
    assert reasons(line) == ["firing"]
    assert line.memory.next_due_ms() is None


def test_a_changed_alert_goes_by_its_new_rules() -> None:
    """A wait that was made shorter ends sooner."""
    line = alert()
    value(line, 91)
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 10}
    line.ruleset = compiled(metric_alerts=[rule])
    line.memory.use(line.ruleset)
    assert len(line.wait(10).made(FIRED)) == 1


TELLING = [
    {"name": "named", "channels": ["nothing"], "destinations": ["a"], "environments": ["prod"]},
    {"name": "other", "channels": ["all"], "destinations": ["b"]},
]
CHANNELS = [{"name": "all", "kind": "glob", "pattern": "*"}, {"name": "nothing", "kind": "literal", "pattern": "none"}]


def test_it_tells_those_alone_that_it_names() -> None:
    """A named subscription needs no channel that matches but its scope; all others hear nothing."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90}
    timeline = Timeline(
        channels=CHANNELS,
        subscriptions=TELLING,
        metric_alerts=[{**rule, "subscriptions": ["named"], "destinations": ["b"]}],
    )
    numbers = timeline.ruleset.ids
    _, fired = timeline.event("m", data={"cpu": 99}, environment="prod")
    told = [(v.subscription_id, v.code) for v in fired.verdicts]
    own = numbers["metric_alert", "default", "cpu"]
    assert told == [(numbers["subscription", "default", "named"], VerdictCode.SENT), (own, VerdictCode.SENT)]
    assert [d.destination_id for d in fired.deliveries] == [numbers["destination", "default", name] for name in "ab"]
    _, fired = timeline.event("m", data={"cpu": 99}, environment="dev", key="k")
    assert [(v.subscription_id, v.code) for v in fired.verdicts] == [(own, VerdictCode.SENT)]


def test_with_nobody_named_it_is_routed_by_channels() -> None:
    """Like any other event."""
    line = alert(for_seconds=0, channels=CHANNELS, subscriptions=TELLING)
    _, fired = line.event("m", data={"cpu": 99})
    assert words([fired]) == ["sent"]
    assert fired.verdicts[0].channel_id == line.ruleset.ids["channel", "default", "all"]


def test_no_alert_feeds_itself() -> None:
    """What alertd makes carries no values, whatever channel an alert listens to."""
    line = Timeline(metric_alerts=[{"name": "v", "channel": "all", "field": "data.value", "when": "above", "limit": 0}])
    line.event("m", data={"value": 5})
    assert line.wait(60).types() == ["m", FIRED]


def test_derived_types_may_count_alerts() -> None:
    """An alert that fires again and again is an occurrence like any other."""
    counting = {"name": "d", "type": "flapping", "types": [FIRED], "occurrences": [3]}
    line = alert(for_seconds=0, derived_types=[counting])
    for _ in range(3):
        value(line, 99)
        value(line, 1)
    assert len(line.made("flapping")) == 1


@pytest.mark.parametrize(
    ("field", "body", "number"),
    [
        ("data.a.b", {"data": {"a": {"b": 3}}}, 3.0),
        ("data.a.0", {"data": {"a": [1.5]}}, 1.5),
        ("data.a", {"data": {"a": "3"}}, None),
        ("data.a", {"data": {"a": True}}, None),
        ("data.a", {"data": {"a": None}}, None),
        ("data.a", {}, None),
        ("load", {"labels": {"load": "0.5"}}, 0.5),
        ("load", {"labels": {"load": "nan"}}, None),
        ("load", {"labels": {"load": "inf"}}, None),
        ("load", {"labels": {"load": "high"}}, None),
        ("data.a", {"data": {"a": 10**400}}, None),
    ],
)
def test_what_is_a_number(field: str, body: dict[str, Any], number: float | None) -> None:
    """JSON numbers, and labels that are one; nothing else, and nothing that is not finite."""
    assert number_in(field, body) == number


@pytest.mark.parametrize("cpu", ["97", None, True, [], {"a": 1}])
def test_what_is_no_value_moves_nothing(cpu: Any) -> None:
    """An event without the number is no value, good or bad."""
    line = alert(for_seconds=0)
    assert value(line, cpu) == []
    assert line.memory.series == {}
