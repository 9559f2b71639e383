"""The Retry-After header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.retry_after import parse_retry_after

NOW = 1_778_112_000
"""Thu, 07 May 2026 00:00:00 GMT."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 5 ", 5),
        ("1.5", 1.5),
        ("86401", 86401),
        ("Thu, 07 May 2026 00:02:00 GMT", 120),
        ("Thu, 07 May 2026 02:00:00 +0200", 0),
        ("Thu, 07 May 2026 00:01:00 -0000", 60),
        ("Thursday, 07-May-26 00:00:30 GMT", 30),
        ("Thu May  7 00:00:30 2026", 30),
        ("Wed, 06 May 2026 00:00:00 GMT", 0),
    ],
)
def test_understood(value: str, seconds: float) -> None:
    """Whole and fractional seconds and all three forms of a date are understood; the past means now."""
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        "-1",
        "+5",
        "1e3",
        "inf",
        "nan",
        "\u0665",
        "1_0",
        "0x10",
        "9" * 400,
        "5, 6",
        "Thu, 99 May 2026",
        "x" * 10_000,
    ],
)
def test_garbage_is_ignored(value: str | None) -> None:
    """What is neither seconds nor a date counts as absent."""
    assert parse_retry_after(value, NOW) is None


@given(st.text())
def test_never_raises(value: str) -> None:
    """Any text is read or ignored; what is read is not negative."""
    assert (parse_retry_after(value, NOW) or 0) >= 0
