"""Cutting text to a provider's limits."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.limits import ELLIPSIS, fit, pack, unescaped, utf8_bytes, utf16_units

MEASURES = st.sampled_from([len, utf8_bytes, utf16_units])
ESCAPES = st.sampled_from([unescaped, html.escape])


@given(text=st.text(), limit=st.integers(0, 60), measure=MEASURES, escape=ESCAPES)
def test_result_fits_and_is_a_marked_beginning(text: str, limit: int, measure: object, escape: object) -> None:
    """What comes out measures at most the limit; it is all of the text, or a beginning of it with an ellipsis."""
    assert callable(measure)
    assert callable(escape)
    found = fit(text, limit, escape=escape, measure=measure)
    assert measure(found) <= limit
    if measure(escape(text)) <= limit:
        assert found == escape(text)
    elif found:
        assert found.endswith(escape(ELLIPSIS))
        begins = {escape(text[:n].rstrip()) for n in range(len(text) + 1)}
        assert found.removesuffix(escape(ELLIPSIS)) in begins


@given(text=st.text("ab<&", max_size=80), limit=st.integers(1, 60))
def test_an_escape_is_never_cut(text: str, limit: int) -> None:
    """What is cut can be unescaped into a beginning of the text."""
    found = fit(text, limit, escape=html.escape)
    assert html.unescape(found).removesuffix(ELLIPSIS) == text[: len(html.unescape(found).removesuffix(ELLIPSIS))]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcd", 4, "abcd"),
        ("abcde", 4, "abc…"),
        ("ab cde", 4, "ab…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("ae\u0301xx", 3, "a…"),
        ("a\U0001f468\u200d\U0001f469b", 4, "a…"),
        ("a\u2764\ufe0fb", 3, "a…"),
        ("e" + "\u0301" * 40, 10, "e" + "\u0301" * 8 + "…"),
    ],
)
def test_cut_at_the_bound(text: str, limit: int, expected: str) -> None:
    """A text of the limit's length stays; one more is cut, not in the middle of what is seen as one character."""
    assert fit(text, limit) == expected


def test_measures() -> None:
    """Bytes and UTF-16 units are counted as providers count them, lone surrogates too."""
    text = "aé界\U0001f600\ud800"
    assert utf8_bytes(text) == 1 + 2 + 3 + 4 + 3
    assert utf16_units(text) == 1 + 1 + 1 + 2 + 1


@pytest.mark.parametrize(
    ("limit", "hidden", "expected"),
    [
        (11, 0, "one\ntwo\nsix"),
        (10, 0, ""),
        (18, 0, "one\ntwo\nsix"),
        (30, 7, "one\ntwo\nsix\n… and 7 more"),
        (24, 7, "one\ntwo\nsix\n… and 7 more"),
        (23, 7, "one\ntwo\n… and 8 more"),
        (12, 7, ""),
        (13, 7, "… and 10 more"),
    ],
)
def test_whole_lines_are_packed(limit: int, hidden: int, expected: str) -> None:
    """As many lines as fit, and the count of all others; nothing when not even the count fits."""
    assert pack(["one", "two", "six"], limit, hidden=hidden) == expected


@given(lines=st.lists(st.text("ab", max_size=9), max_size=9), limit=st.integers(0, 90), hidden=st.integers(0, 500))
def test_packed_lines_and_their_count_make_all(lines: list[str], limit: int, hidden: int) -> None:
    """Shown lines and counted ones are all there are, within the limit."""
    found = pack(lines, limit, hidden=hidden, more="+{}")
    assert len(found) <= limit
    shown = found.split("\n") if found else []
    if shown and shown[-1].startswith("+"):
        assert int(shown[-1]) + len(shown) - 1 == len(lines) + hidden
    elif any(shown):
        assert shown == lines
        assert hidden == 0
