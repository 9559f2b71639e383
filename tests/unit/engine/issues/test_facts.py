"""Which events bear an issue, and what is read of them, whatever a producer put there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.engine.issues.batch import IssueBatch, IssueRules, Loaded
from alertd.engine.issues.facts import NAME_MAX, TITLE_MAX, bears_issue, facts_of
from alertd.engine.issues.incidents import IncidentRule
from alertd.engine.issues.stored import decode_issue, encode_issue
from alertd.engine.issues.stored_incident import decode_incident, encode_incident
from tests.unit.engine.issues.errors import NOW, event

EVERYWHERE = IssueRules(incidents=lambda _workspace_id: IncidentRule(new=frozenset()))


@pytest.mark.parametrize(
    ("body", "bears"),
    [
        ({}, False),
        ({"data": {}}, False),
        ({"data": {"fingerprint": ["a"], "title": "x"}}, False),
        ({"data": {"event_id": "1", "title": "x"}}, False),
        ({"data": {"event_id": "1", "title": "x", "level": "terrible"}}, False),
        ({"data": {"event_id": "1", "title": "x", "level": ["error"]}}, False),
        ({"data": {"event_id": "1", "level": "error"}}, False),
        ({"data": {"event_id": "1", "title": "x", "level": "error"}}, True),
        ({"data": {"event_id": "1", "title": "x", "level": "info"}}, True),
    ],
)
def test_what_bears_an_issue(body: dict[str, Any], bears: bool) -> None:
    """An identity, a title and one of Sentry's levels: nothing else does, a severity of error or a fingerprint neither."""
    assert bears_issue(body) is bears


def test_what_is_read() -> None:
    """Texts cut to their bounds; the first of a user's names that there is; what is missing is empty."""
    made = event(title="t" * 999, culprit="c" * 999, release="r" * 999, user={"username": "u" * 999, "email": "e"})
    found = facts_of(made, NOW)
    assert found is not None
    assert (len(found.title), len(found.culprit), len(found.release)) == (TITLE_MAX, TITLE_MAX, NAME_MAX)
    assert found.user == "u" * NAME_MAX
    bare = event(release="", user={}, title="")
    found = facts_of(bare, NOW)
    assert found is not None
    assert (found.title, found.culprit, found.release, found.user) == ("sentry.error", "", "", "")


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = ("culprit", "release", "user", "exception", "stacktrace", "logentry", "fingerprint", "title", "event_id")


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(names), json), st.lists(json, max_size=2), st.lists(json, max_size=3))
def test_nothing_that_a_producer_writes_breaks_it(odd: dict[str, Any], values: list[Any], frames: list[Any]) -> None:
    """Whatever stands where a stack, a user or a title should: it is weighed, opens an incident, and can be stored."""
    made = event()
    made.body["data"] = {"event_id": "1", "title": "x", "level": "error", **odd}
    if values:
        made.body["data"]["exception"] = {"values": [*values, {"stacktrace": {"frames": frames}, "value": values[0]}]}
    batch = IssueBatch(Loaded(), EVERYWHERE)
    found = batch.weigh(made, 1, 100, NOW)
    assert found is not None
    assert found.incident is not None
    assert decode_issue(encode_issue(found.issue)) == found.issue
    assert decode_incident(encode_incident(found.incident)) == found.incident
