"""Cooldowns on a timeline: a key rests for its time and no longer, through restarts, clock steps, repeats and lateness."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.timeline import Timeline, words

REST_SECONDS = 60


def cooled() -> Timeline:
    """Make a timeline whose one subscription rests for a minute."""
    return Timeline(
        subscriptions=[{"name": "s", "channels": ["all"], "destinations": ["a"], "cooldown_seconds": REST_SECONDS}]
    )


def said(line: Timeline, **fields: Any) -> str:
    """Send one event and read its verdict."""
    (word,) = words(line.event("boom", **fields))
    return word


@pytest.mark.parametrize("restarted", [False, True])
def test_it_rests_to_the_millisecond(restarted: bool) -> None:
    """What comes meanwhile is not sent and prolongs nothing, whether the daemon was restarted in the middle or not."""
    line = cooled()
    assert said(line) == "sent"
    line.set_clock(30)
    if restarted:
        line.restart()
    assert said(line) == "cooldown"
    line.set_clock(29.999)
    assert said(line) == "cooldown"
    line.set_clock(0.001)
    assert said(line) == "sent"
    assert said(line) == "cooldown"


def test_duplicates_begin_no_rest() -> None:
    """An id that comes again after the rest is no event, so the next new one is sent."""
    line = cooled()
    assert said(line, id="same") == "sent"
    line.set_clock(REST_SECONDS)
    assert line.event("boom", id="same") == []
    assert said(line) == "sent"


@pytest.mark.parametrize("time", ["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_what_an_event_says_of_its_time_does_not_matter(time: str) -> None:
    """A rest goes by arrival: an old event, or one from the future, neither escapes it nor makes it longer."""
    line = cooled()
    assert said(line, time=time) == "sent"
    assert said(line, time=time) == "cooldown"
    line.set_clock(REST_SECONDS)
    assert said(line) == "sent"


def test_a_clock_that_leaps_ends_the_rest() -> None:
    """Time that went by while the machine slept counts."""
    line = cooled()
    assert said(line) == "sent"
    line.set_clock(86_400)
    assert said(line) == "sent"


def test_a_clock_that_was_ahead_makes_no_rest_longer() -> None:
    """After a restart under an earlier time a key that rested then is free, and rests anew as long as it should."""
    line = cooled().set_clock(86_400)
    assert said(line) == "sent"
    line.set_clock(-86_400).restart()
    assert said(line) == "sent"
    line.set_clock(REST_SECONDS - 0.001)
    assert said(line) == "cooldown"
    line.set_clock(0.001)
    assert said(line) == "sent"


def test_in_one_batch_as_one_by_one() -> None:
    """Of several in one batch the first is sent and the others rest."""
    assert words(cooled().batch([{"type": "boom"}] * 3)) == ["sent", "cooldown", "cooldown"]
