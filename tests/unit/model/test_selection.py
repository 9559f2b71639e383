"""What a selection chooses, and how far back a text is looked for."""

from __future__ import annotations

import pytest

from alertd.model.selection import STATES, TEXT_SPAN_MS, Selection

NOW = 1_800_000_000_000


def test_nothing_chosen_means_everything() -> None:
    """A selection without anything chooses nothing; false is a choice."""
    assert Selection().chosen() == {}
    assert Selection(type="a", acknowledged=False).chosen() == {"type": "a", "acknowledged": False}


def test_every_state_of_a_delivery_can_be_chosen() -> None:
    """Among them the one that is never stored."""
    assert STATES == ("pending", "in_flight", "retrying", "delivered", "dead", "cancelled")


@pytest.mark.parametrize(
    ("until_ms", "since_ms"),
    [(None, NOW - TEXT_SPAN_MS), (NOW - 5, NOW - 5 - TEXT_SPAN_MS), (NOW + 5, NOW - TEXT_SPAN_MS), (7, 0)],
)
def test_a_text_is_looked_for_in_a_day(until_ms: int | None, since_ms: int) -> None:
    """Without `since` a text is looked for in the day before `until`, or before now when that is earlier."""
    found = Selection(text="x", until_ms=until_ms).dated(NOW)
    assert (found.since_ms, found.until_ms) == (since_ms, until_ms)


def test_what_bounds_itself_is_left_as_it_is() -> None:
    """A text with `since`, one inside an alert, and a selection without a text keep their range."""
    for selection in (Selection(text="x", since_ms=1), Selection(text="x", alert_number=5), Selection(type="a")):
        assert selection.dated(NOW) == selection
