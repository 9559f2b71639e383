"""A digest as it is kept: bounded whatever it stands for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.model.digest import EMPTY, EVENT_MAX, LISTED_MAX, MESSAGE_MAX, PROJECTS_MAX, KeptDigest, Listed, read, small
from alertd.model.severity import Severity


def event(**fields: Any) -> bytes:
    """Make an event."""
    return orjson.dumps({"type": "t", "id": "1", "severity": "error", "time": "2026-05-07T00:00:00Z"} | fields)


def test_an_event_within_the_bound_is_kept_whole() -> None:
    """At the bound it is; one byte more, and it is made small."""
    room = EVENT_MAX - len(event(data={"x": ""}))
    whole = event(data={"x": "y" * room})
    assert len(whole) == EVENT_MAX
    assert small(whole) == whole
    assert orjson.loads(small(event(data={"x": "y" * (room + 1)})))["data"] == {}


def test_a_large_event_keeps_what_a_list_needs() -> None:
    """What happened, where, how bad, since when, and what an exception is called."""
    data = {
        "title": "KeyError: 'sku'",
        "exception": {"type": "KeyError", "values": ["x" * 9000]},
        "run_id": 17,
        "o": {},
    }
    made = orjson.loads(small(event(message="m" * 9000, project="shop", url="https://x.example/1", data=data)))
    assert made["message"] == "m" * (MESSAGE_MAX - 1) + "…"
    assert (made["project"], made["url"], made["severity"]) == ("shop", "https://x.example/1", "error")
    assert made["data"] == {"title": "KeyError: 'sku'", "run_id": 17, "exception": {"type": "KeyError"}}


def test_a_long_address_is_left_out() -> None:
    """Cut it would lead nowhere."""
    assert "url" not in orjson.loads(small(event(url="https://x.example/" + "a" * 5000)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=12),
    max_leaves=30,
)


@given(message=st.text(max_size=6000), data=JSON, error=JSON)
def test_whatever_an_event_says_it_becomes_small(message: str, data: Any, error: Any) -> None:
    """It is JSON, has its type, and is bounded."""
    made = small(event(message=message, data={"d": data, "exception": error, "pad": "x" * 5000}, key="k" * 2000))
    assert orjson.loads(made)["type"] == "t"
    assert len(made) <= EVENT_MAX * 4


@pytest.mark.parametrize("parts", [[1], [19, 1], [20, 5], [21], [5, 500, 3], [7] * 5])
def test_it_counts_all_and_lists_the_first(parts: list[int]) -> None:
    """However it came together; and what was written is read again."""
    digest, number = EMPTY, 0
    for count in parts:
        assert digest.missing == max(0, LISTED_MAX - number)
        fresh = [
            Listed(n, n * 2, "new" if n % 2 else None, event(message=str(n))) for n in range(number, number + count)
        ]
        digest = digest.with_more(count, fresh[: digest.missing], Severity(count % 5))
        number += count
    assert digest.worst == max(count % 5 for count in parts)
    assert digest.count == sum(parts)
    listed = read(digest.body)
    assert [each.delivery_id for each in listed] == list(range(min(LISTED_MAX, number)))
    assert all(
        each == Listed(n, n * 2, "new" if n % 2 else None, event(message=str(n))) for n, each in enumerate(listed)
    )


def test_the_first_digests_are_read() -> None:
    """They were lists of rows: what is not listed is not known to be worse."""
    old = KeptDigest(30, orjson.dumps([[1, 2, None, orjson.Fragment(event())]]))
    assert read(old.body) == [Listed(1, 2, None, event())]
    more = old.with_more(1, [Listed(3, 4, None, event())], Severity.WARNING)
    assert (old.worst, more.worst, len(read(more.body))) == (Severity.ERROR, Severity.ERROR, 2)


def test_digests_of_before_know_no_projects() -> None:
    """They learn those of what comes to them."""
    for body in (b'[[1,2,null,{"type":"t","severity":"info"}]]', b'{"worst":3,"listed":[]}'):
        old = KeptDigest(30, body)
        assert old.projects == ()
        assert old.with_more(1, (), Severity.INFO, ["shop"]).projects == ("shop",)


def test_projects_are_bounded() -> None:
    """As many as the bound are known, and one more is not."""
    full = EMPTY.with_more(1, (), Severity.INFO, map(str, range(PROJECTS_MAX)))
    assert len(full.projects) == PROJECTS_MAX
    more = full.with_more(1, (), Severity.INFO, ["one more"])
    assert more.projects == full.projects
    assert more.count == 2
