"""Occurrence ladders of subscriptions: sent exactly on the counts that are asked for, until a quiet period."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.engine.ladder import Ladder
from alertd.engine.state import Count
from alertd.model.verdict import VerdictCode
from tests.unit.engine.timeline import Timeline, words


def ladder(*subscriptions: dict[str, Any], **more: Any) -> Timeline:
    """Make a timeline of subscriptions that send the 2nd, 5th and 12th occurrence."""
    base = {"channels": ["all"], "destinations": ["a"], "occurrences": [2, 5, 12]}
    return Timeline(subscriptions=[{"name": f"s{n}", **base, **each} for n, each in enumerate(subscriptions)], **more)


def sent_at(line: Timeline, count: int, **fields: Any) -> list[int]:
    """Send so many events and say which of them were sent."""
    return [n for n in range(1, count + 1) if words(line.event("boom", **fields)) == ["sent"]]


def test_exactly_the_rungs_are_sent() -> None:
    """The 2nd, the 5th and the 12th are sent, and none after the last rung."""
    assert sent_at(ladder({}), 40) == [2, 5, 12]


def test_what_is_not_sent_says_where_it_stands() -> None:
    """A verdict of the ladder has the count and the next count that is sent, 0 when none is."""
    line = ladder({})
    details = [line.event("boom")[0].verdicts[0].detail for _ in range(13)]
    assert details[0] == (1, 2)
    assert details[1] == (2, 5)
    assert details[11:] == [(12, 0), (13, 0)]


def test_a_quiet_period_begins_the_count_anew() -> None:
    """It counts from the last occurrence, to the millisecond; what comes earlier prolongs it."""
    line = ladder({"reset_after_seconds": 60})
    assert sent_at(line, 12) == [2, 5, 12]
    line.set_clock(59.999)
    assert sent_at(line, 1) == []
    line.set_clock(59.999)
    assert sent_at(line, 1) == []
    line.set_clock(60)
    assert sent_at(line, 5) == [2, 5]


def test_each_place_and_key_is_counted_on_its_own() -> None:
    """Project, environment, key and subscription each have their count."""
    line = ladder({"projects": ["shop", "blog"]})
    for fields in ({"project": "shop"}, {"project": "blog"}, {"project": "shop", "environment": "prod"}):
        assert sent_at(line, 4, **fields) == [2]
    assert sent_at(line, 4, project="shop", key="other") == [2]


def test_only_what_meets_the_conditions_is_counted() -> None:
    """An event below the floor, or that no matcher lets through, is no occurrence."""
    line = ladder({"min_severity": "error", "matchers": ['team="x"']})
    good = {"severity": "error", "labels": {"team": "x"}}
    assert words(line.event("boom", **good)) == ["occurrences"]
    assert words(line.event("boom", severity="info", labels={"team": "x"})) == ["severity"]
    assert words(line.event("boom", severity="error")) == ["matcher"]
    assert words(line.event("boom", **good)) == ["sent"]


def test_a_restart_goes_on_counting() -> None:
    """The count is kept, and so is how long it goes on."""
    line = ladder({"reset_after_seconds": 60})
    assert sent_at(line, 3) == [2]
    line.restart()
    assert sent_at(line, 2) == [2]  # the fifth
    line.set_clock(60).restart()
    assert sent_at(line, 2) == [2]


def test_duplicates_are_no_occurrences() -> None:
    """An id that is sent again counts once."""
    line = ladder({})
    for _ in range(3):
        line.event("boom", id="same")
    assert words(line.event("boom")) == ["sent"]


def test_late_events_count_when_they_arrive() -> None:
    """What an event says of its own time does not matter."""
    line = ladder({"reset_after_seconds": 60})
    line.event("boom", time="1999-01-01T00:00:00Z")
    assert words(line.event("boom", time="2999-01-01T00:00:00Z")) == ["sent"]


def test_a_clock_that_was_ahead_does_not_stop_the_count() -> None:
    """After a restart under an earlier time the count goes on, and the next occurrence sets its end right."""
    line = ladder({"reset_after_seconds": 60})
    line.set_clock(86_400)
    assert sent_at(line, 3) == [2]
    line.set_clock(-86_400).restart()
    assert sent_at(line, 2) == [2]
    line.set_clock(60)
    assert sent_at(line, 2) == [2]


def test_a_cooldown_may_take_a_rung() -> None:
    """What is on a rung and rests is not sent; the verdict says both, and the ladder goes on."""
    line = ladder({"cooldown_seconds": 10})
    verdicts = [line.event("boom")[0].verdicts[0] for _ in range(5)]
    assert [v.code for v in verdicts] == [
        VerdictCode.OCCURRENCES,
        VerdictCode.SENT,
        *[VerdictCode.OCCURRENCES] * 2,
        VerdictCode.COOLDOWN,
    ]
    assert verdicts[4].detail == (10_000, 5, 12)


def test_counts_are_the_same_in_one_batch() -> None:
    """Twelve occurrences in a batch climb as twelve on their own."""
    line = ladder({})
    plans = line.batch([{"type": "boom"}] * 12)
    assert [n for n, word in enumerate(words(plans), 1) if word == "sent"] == [2, 5, 12]


@pytest.mark.parametrize(("known", "times"), [(None, 1), (Count(4, 1000), 5), (Count(4, 999), 1)])
def test_a_step(known: Count | None, times: int) -> None:
    """At the very end of the quiet period the count begins anew."""
    assert Ladder((2,), 100).step(known, 999) == Count(times, 1099)
