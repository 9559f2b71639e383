"""JSON of SDKs: strict, but for halves of characters."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.errors import DecodeError, NotJsonError
from alertd.sources.sentry_json import load, load_object
from tests.unit.sources.sentry_samples import CONTEXT, refused


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"a\uDE00b"', "a\ufffdb"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\u0041"', "\ufffdA"),
        (rb'["\\ud83d", "\ud83d"]', ["\\ud83d", "\ufffd"]),
        (rb'{"\ud83d":"\\\ud83d"}', {"\ufffd": "\\\ufffd"}),
        (rb'"\ud83d\ude00"', "\U0001f600"),
    ],
)
def test_halves_of_characters(body: bytes, value: Any) -> None:
    """Half a character becomes the replacement character; whole ones and escaped backslashes are not touched."""
    assert load(body, CONTEXT) == value
    assert load(memoryview(body), CONTEXT) == value


@pytest.mark.parametrize("body", [b"", b"{", rb'"\ud83', rb'"\ud83d', b"NaN", b"[1e400]", b"\xed\xa0\xbd", b'"\x01"'])
def test_all_else_is_strict(body: bytes) -> None:
    """What is not JSON is not JSON."""
    with pytest.raises(NotJsonError):
        load(body, CONTEXT)


def test_ten_thousand_levels() -> None:
    """A nest that even the parser gives up on is refused as such, also with half a character in it."""
    for core in (b"", rb'"\ud83d"'):
        with pytest.raises(DecodeError, match="nested deeper") as caught:
            load(b"[" * 10_000 + core + b"]" * 10_000, CONTEXT)
        assert not isinstance(caught.value, NotJsonError)


def test_places_are_named() -> None:
    """An object is asked for at a place, and errors are there."""
    assert load_object(b"{}", "/a", CONTEXT) == {}
    assert refused(lambda: load_object(b"[]", "/a", CONTEXT)) == {"/a": "expected an object, found an array"}
    assert set(refused(lambda: load_object(b"[", "/a", CONTEXT))) == {"/a"}
