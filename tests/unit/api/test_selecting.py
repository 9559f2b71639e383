"""How a selection is read from a query and from a body: the same names, the same checks."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import MultiDict

from alertd.api.query import Query
from alertd.api.selecting import SELECTING, names_of, query_of, select
from alertd.errors import InvalidError
from alertd.model.selection import Selection

NAMES = names_of(SELECTING)
WHOLE = {
    "type": "run:failed",
    "project": "shop",
    "environment": "prod",
    "severity": "fatal",
    "channel": "all",
    "subscription": "everything",
    "destination": "hook",
    "state": "in_flight",
    "alert_id": "alt_19c3f2a4b5600001",
    "since": "2026-05-07T00:00:00Z",
    "until": "2026-05-07T00:00:01+00:00",
    "text": "Run 17",
}
SELECTED = Selection(
    type="run:failed",
    project="shop",
    environment="prod",
    severity="critical",
    channel="all",
    subscription="everything",
    destination="hook",
    state="in_flight",
    alert_number=0x19C3F2A4B5600001,
    since_ms=1_778_112_000_000,
    until_ms=1_778_112_001_000,
    text="Run 17",
)


def places(error: InvalidError) -> dict[str, str]:
    """Every bad place with what is wrong there."""
    return {problem.pointer: problem.detail for problem in error.problems}


def test_every_name_is_read_from_a_query_and_from_a_body() -> None:
    """Both say the same."""
    assert set(WHOLE) == set(NAMES)
    for query in (Query(MultiDict(WHOLE), NAMES), query_of(WHOLE, NAMES, "/filter")):
        selection = select(query)
        query.check()
        assert selection == SELECTED


def test_whatever_is_wrong_is_named_where_it_stands() -> None:
    """All bad places of a body at once, below where its filter stands."""
    query = query_of({"state": "lost", "severity": "bad", "text": "", "sevrity": "x", "since": "now"}, NAMES, "/filter")
    select(query)
    with pytest.raises(InvalidError) as caught:
        query.check()
    found = places(caught.value)
    assert set(found) == {"/filter/state", "/filter/severity", "/filter/text", "/filter/sevrity", "/filter/since"}
    assert "in_flight" in found["/filter/state"]
    assert "known are type," in found["/filter/sevrity"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [(None, "/filter"), ([], "/filter"), ({"type": 5}, "/filter/type"), ({"text": None}, "/filter/text")],
)
def test_a_body_holds_texts(given: Any, pointer: str) -> None:
    """Anything but an object of texts is refused by its place."""
    with pytest.raises(InvalidError) as caught:
        query_of(given, NAMES, "/filter")
    assert set(places(caught.value)) == {pointer}
