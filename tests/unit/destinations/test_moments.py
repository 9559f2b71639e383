"""Points in time for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.moments import shown, unix_seconds


@pytest.mark.parametrize(
    ("time", "text", "seconds"),
    [
        ("2026-05-07T00:00:00Z", "2026-05-07 00:00 UTC", 1_778_112_000),
        ("2026-05-07T02:00:00.123456+02:00", "2026-05-07 00:00 UTC", 1_778_112_000),
        ("2026-05-07T00:00:00", "", None),
        ("yesterday", "", None),
        ("", "", None),
        ("0001-01-01T00:00:00+14:00", "", None),
    ],
)
def test_times_are_shown_in_utc(time: str, text: str, seconds: int | None) -> None:
    """A time with a zone is shown in UTC to the minute; anything else is no time."""
    assert (shown(time), unix_seconds(time)) == (text, seconds)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """Nothing raises."""
    assert bool(shown(text)) == (unix_seconds(text) is not None)
