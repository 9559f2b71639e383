"""Derived types: once each on their counts, in the batch of their cause, never without end."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.engine.derivation import CHAIN_MAX, DerivationError, check_chains
from alertd.model.event import from_payload
from alertd.model.severity import Severity
from tests.unit.engine.timeline import Timeline, compiled

CRASH = "app_crashed_repeated"
SUBSCRIPTIONS = [{"name": "s", "channels": ["all"], "destinations": ["a"]}]


def crashes(line: Timeline, count: int, **fields: Any) -> list[int]:
    """Crash so often and say on which crash `app_crashed` was made."""
    return [n for n in range(1, count + 1) if "app_crashed" in [p.event.type for p in line.event(CRASH, **fields)]]


def derived(name: str, makes: str, *types: str, **more: Any) -> dict[str, Any]:
    """Write a derived type that makes an event of each first occurrence."""
    return {"name": name, "type": makes, "types": types, "occurrences": [1], **more}


def test_an_app_has_crashed_on_the_second_fifth_and_twelfth() -> None:
    """Built in: once each, then no more."""
    assert crashes(Timeline(), 50, project="shop") == [2, 5, 12]


def test_projects_are_counted_on_their_own_and_environments_together() -> None:
    """One project's crashes are counted whatever their environment and key."""
    line = Timeline()
    assert crashes(line, 1, project="shop", environment="prod") == []
    assert crashes(line, 1, project="blog") == []
    assert crashes(line, 1, project="shop", environment="staging", key="other") == [1]


@pytest.mark.parametrize(("per", "other"), [("environment", {"environment": "dev"}), ("key", {"key": "k2"})])
def test_another_measure(per: str, other: dict[str, str]) -> None:
    """`per` counts environments, or keys, on their own."""
    line = Timeline(derived_types=[derived("d", "many", "boom", occurrences=[2], per=per)])
    line.event("boom", environment="prod", key="k1")
    line.event("boom", **({"environment": "prod", "key": "k1"} | other))
    assert line.made("many") == []
    line.event("boom", environment="prod", key="k1")
    assert len(line.made("many")) == 1


def test_a_quiet_period_begins_the_count_anew() -> None:
    """3600 seconds without a crash, to the millisecond, as the built-in one has it; an own one may say otherwise."""
    line = Timeline()
    assert crashes(line, 5) == [2, 5]
    assert crashes(line.set_clock(3599.999), 1) == []
    assert crashes(line.set_clock(3600), 3) == [2]
    own = derived("app_crashed", "app_crashed", CRASH, occurrences=[2], reset_after_seconds=5)
    line = Timeline(derived_types=[own])
    assert crashes(line, 5) == [2]
    assert crashes(line.set_clock(5), 2) == [2]


def test_what_is_made_says_where_it_comes_from() -> None:
    """It has the scope and labels of its cause, the catalogue's severity, a source and a cause, and is like any event."""
    line = Timeline()
    line.event(CRASH, project="shop", environment="prod")
    (_, plan) = line.event(
        CRASH, project="shop", environment="prod", labels={"team": "x"}, message="OOM", data={"exit": 137}, id="c2"
    )
    event = plan.event
    assert (event.project, event.environment, event.severity) == ("shop", "prod", Severity.CRITICAL)
    assert event.body["source"] == "alertd"
    assert event.body["labels"] == {"team": "x"}
    assert event.body["data"] == {
        "derived_type": "app_crashed", "count": 2,
        "cause": {"id": "c2", "type": CRASH, "message": "OOM", "data": {"exit": 137}},
    }  # fmt: skip
    assert from_payload(event.payload).body == event.body == orjson.loads(event.payload)


def test_the_same_cause_makes_the_same_id() -> None:
    """The id follows from the cause, so that what is decided again is the same event; another cause, another id."""
    ids = []
    for _ in range(2):
        line = Timeline()
        for n in range(5):
            line.event(CRASH, id=f"c{n}")
        ids.append([event.id for event in line.made("app_crashed")])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_redelivery_makes_nothing_twice() -> None:
    """A cause that comes again is known, counts nothing and makes nothing."""
    line = Timeline()
    for n in (1, 2, 1, 2, 2):
        line.event(CRASH, id=f"c{n}")
    assert len(line.made("app_crashed")) == 1
    assert line.plans[-1].event.id != line.plans[-2].event.id


def test_a_forged_id_stops_only_itself() -> None:
    """Somebody who sends the id of an event to come is taken for that event; the batch goes on."""
    line = Timeline()
    first = Timeline()
    first.batch([{"type": CRASH, "id": "c1"}, {"type": CRASH, "id": "c2"}])
    (to_come,) = first.made("app_crashed")
    plans = line.batch([{"type": CRASH, "id": "c1"}, {"type": "x", "id": to_come.id}, {"type": CRASH, "id": "c2"}])
    assert [plan.event.type for plan in plans] == [CRASH, "x", CRASH]
    assert len({plan.event.id for plan in plans}) == 3


def test_it_is_routed_like_any_event() -> None:
    """Channels, scope and conditions of subscriptions apply to what is made."""
    line = Timeline(
        channels=[{"name": "crashes", "kind": "group", "pattern": "crashes"}],
        subscriptions=[{"name": "s", "channels": ["crashes"], "destinations": ["a"], "min_severity": "critical"}],
    )
    plans = [plan for _ in range(2) for plan in line.event(CRASH)]
    assert [(p.event.type, len(p.deliveries)) for p in plans] == [(CRASH, 0), (CRASH, 0), ("app_crashed", 1)]


def test_a_channel_may_be_the_source() -> None:
    """With its environments; a derived type of another environment does not count."""
    channels = [{"name": "pays", "kind": "glob", "pattern": "payment:*", "environments": ["prod"]}]
    source = {"name": "d", "type": "many", "channel": "pays", "occurrences": [2]}
    line = Timeline(channels=channels, derived_types=[source])
    for environment in ("prod", "dev", ""):
        line.event("payment:failed", environment=environment)
    assert line.made("many") == []
    line.event("payment:late", environment="prod")
    assert len(line.made("many")) == 1


def test_chains_are_followed_in_the_same_batch() -> None:
    """What is made may make more, each once."""
    types = [derived(f"d{n}", f"t{n + 1}", f"t{n}") for n in range(CHAIN_MAX - 1)]
    line = Timeline(derived_types=types)
    line.event("t0")
    assert line.types() == [f"t{n}" for n in range(CHAIN_MAX)]


@pytest.mark.parametrize(
    "types",
    [
        [derived("a", "y", "x"), derived("b", "x", "y")],
        [derived("a", CRASH, "app_crashed")],
        [{"name": n, "type": n, "channel": "all", "occurrences": [3]} for n in ("a", "b")],
        [derived(f"d{n}", f"t{n + 1}", f"t{n}") for n in range(CHAIN_MAX + 1)],
    ],
)
def test_what_would_feed_itself_is_refused(types: list[dict[str, Any]]) -> None:
    """A loop, through others or the built-in one too, and a chain that is too long are refused when compiled."""
    with pytest.raises(DerivationError):
        compiled(derived_types=types)


def test_none_counts_what_it_has_made_itself() -> None:
    """A derived type over everything, or over its own type, counts what comes from elsewhere."""
    everything = {"name": "a", "type": "many", "channel": "all", "occurrences": [2, 4, 6]}
    line = Timeline(catalogues=[], derived_types=[everything])
    line.batch([{"type": "boom"}] * 6)
    assert [event.body["data"]["count"] for event in line.made("many")] == [2, 4, 6]
    line.event("many")
    assert [count.times for count in line.memory.counts.values()] == [7]


def test_many_derived_types_are_checked_quickly() -> None:
    """Diamonds do not multiply."""
    check_chains({f"d{n}{side}": [f"d{n + 1}a", f"d{n + 1}b"] for n in range(7) for side in "ab"})


def test_a_restart_goes_on_counting() -> None:
    """The count is kept."""
    line = Timeline()
    assert crashes(line, 3) == [2]
    assert crashes(line.restart(), 2) == [2]


def test_late_causes_count_when_they_arrive() -> None:
    """What a cause says of its own time does not matter: neither to the count nor to the quiet period."""
    line = Timeline()
    assert crashes(line, 1, time="1999-01-01T00:00:00Z") == []
    assert crashes(line, 1, time="2999-01-01T00:00:00Z") == [1]
    assert crashes(line.set_clock(3600), 2, time="1999-01-01T00:00:00Z") == [2]


def test_a_clock_that_leaps_is_a_quiet_period() -> None:
    """Time that went by while the machine slept counts."""
    line = Timeline()
    assert crashes(line, 4) == [2]
    assert crashes(line.set_clock(86_400), 2) == [2]


def test_a_clock_that_was_ahead_does_not_stop_the_count() -> None:
    """After a restart under an earlier time the count goes on, and the next cause sets its end right."""
    line = Timeline().set_clock(86_400)
    assert crashes(line, 3) == [2]
    assert crashes(line.set_clock(-86_400).restart(), 2) == [2]  # the fifth
    assert crashes(line.set_clock(3600), 2) == [2]


def test_a_disabled_one_counts_nothing() -> None:
    """Neither does the built-in one without its catalogue."""
    assert crashes(Timeline(catalogues=["runs"]), 12) == []
    assert crashes(Timeline(derived_types=[derived("app_crashed", "app_crashed", CRASH, enabled=False)]), 12) == []
