"""Text made harmless."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.clean import BLOCK_MAX, LINE_MAX, block, line


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("a\n\n \n\n\nb", "a\n\nb"),
        ("  a\tb \n", "a\tb"),
        ("a\u202eb\u2066c\ufeffd\u200fe", "abcde"),
        ("a\ud800b", "a\ufffdb"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("שלום \U0001f468\u200d\U0001f469", "שלום \U0001f468\u200d\U0001f469"),
        (17, "17"),
        (1.5, "1.5"),
        (True, ""),
        (None, ""),
        ({"a": 1}, ""),
        (["a"], ""),
    ],
)
def test_a_text_is_cleaned(value: Any, expected: str) -> None:
    """Controls and surrogates become U+FFFD, line ends a line feed; what turns the direction of text is taken out."""
    assert block(value) == expected


def test_a_line_is_one_line() -> None:
    """White space of any kind is one space."""
    assert line(" a\r\n\t b\u2029\u00a0c ") == "a b c"


@pytest.mark.parametrize(("clean", "limit"), [(block, BLOCK_MAX), (line, LINE_MAX)])
def test_length_is_bounded_and_marked(clean: Any, limit: int) -> None:
    """A text of the bound's length stays; a longer one is cut to it and marked."""
    assert clean("x" * limit) == "x" * limit
    assert clean("x" * (limit + 1)) == "x" * (limit - 1) + "…"
    assert clean("\u200f" * limit * 3 + "x").endswith("…")


@given(st.text())
def test_cleaning_again_changes_nothing(text: str) -> None:
    """Clean text is clean, and always UTF-8."""
    for clean in (block, line):
        once = clean(text)
        assert clean(once) == once
        once.encode("utf-8")
