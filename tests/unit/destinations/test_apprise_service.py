"""What the library apprise is given, and what is said of a URL that it cannot read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from alertd.destinations.apprise_service import Letter, fitting, service_of
from alertd.destinations.registry import parse_settings

LONG = Letter("A title " * 12, "words that go on " * 100, "info")


def made(title_maxlen: int, body_maxlen: int, *, as_one: bool) -> Any:
    """Make a service of the real library that takes so much, title and text apart or as one."""
    service = service_of("json://hooks.example.com/x")
    service.title_maxlen, service.body_maxlen = title_maxlen, body_maxlen
    service.overflow_amalgamate_title = as_one
    return service


@pytest.mark.parametrize(
    ("title_maxlen", "body_maxlen", "as_one"),
    [(250, 1000, False), (40, 160, False), (0, 160, False), (0, 1000, True), (250, 1000, True), (40, 160, True)],
)
def test_a_cut_is_marked(title_maxlen: int, body_maxlen: int, *, as_one: bool) -> None:
    """What a service has no room for is cut by us, with the mark; the library, which marks nothing, cuts no more."""
    service = made(title_maxlen, body_maxlen, as_one=as_one)
    letter = fitting(LONG, service)
    (sent,) = service._apply_overflow(letter.body, letter.title, overflow="truncate", body_format="text")
    assert sent["body"].endswith("…")
    assert sent["body"].endswith(letter.body)
    assert letter.title.strip() in (sent["title"], sent["body"].partition("\r\n")[0])
    assert len(sent["body"]) > body_maxlen // 3


def test_what_fits_is_left_as_it_is() -> None:
    """Nothing is cut without need, nor where a service's room is too small for a mark."""
    letter = Letter("A title", "and words", "info")
    assert fitting(letter, made(250, 1000, as_one=False)) == letter
    assert fitting(letter, made(0, len("A title\r\nand words"), as_one=False)) == letter
    assert fitting(letter, made(0, 5, as_one=False)) == letter


def test_what_is_expected_of_a_url() -> None:
    """The sentence that begins with *expected* says what is."""
    with pytest.raises(ValidationError) as caught:
        parse_settings("apprise", {"url": "nosuchservice://hooks.example.com/x"})
    (error,) = caught.value.errors(include_input=False)
    assert error["msg"].startswith("Value error, a URL that apprise can read: ")
