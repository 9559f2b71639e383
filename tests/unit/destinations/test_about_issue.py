"""The issue that a message is about, also where an event of alertd's own tells of it; nobody else's word is taken for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.destinations.about_issue import issue_of
from alertd.destinations.composing import content_of
from alertd.destinations.standard_body import body_of
from alertd.destinations.templated import values_of
from tests.conformance.messages import make_issue, make_message

ISSUE = orjson.loads(make_issue())


def telling(kind: str = "incident.opened", source: str = "alertd", **data: Any) -> Any:
    """Make a message whose event tells of an issue."""
    event = {"type": kind, "source": source, "key": "inc_1", "message": "SHOP-42 new in prod: KeyError", "data": data}
    return make_message(event_type=kind, event=orjson.dumps(event))


@pytest.mark.parametrize("kind", ["issue.new", "issue.unmuted", "incident.opened", "incident.resolved"])
def test_what_alertd_tells_of_an_issue_carries_it(kind: str) -> None:
    """In the body, for templates, and in what people read: its link, since when, how often."""
    message = telling(kind, issue=ISSUE)
    assert orjson.loads(body_of(message))["data"]["issue"] == ISSUE
    assert values_of(message)["issue"] == ISSUE
    content = content_of(message)
    assert (content.first_seen, content.event_count) == (ISSUE["first_seen"], ISSUE["event_count"])
    assert content.links[0].url == ISSUE["url"]
    assert [each.id for each in content.suspects] == [ISSUE["suspect_commits"][0]["id"]]


def test_an_incident_keeps_its_own_thread() -> None:
    """What tells of an incident is closed by its end, not by what becomes of the issue."""
    opened, resolved = (content_of(telling(f"incident.{word}", issue=ISSUE)) for word in ("opened", "resolved"))
    assert opened.dedup_key == resolved.dedup_key
    assert opened.dedup_key != content_of(make_message(issue=make_issue())).dedup_key
    assert content_of(telling(issue=ISSUE | {"state": "resolved"})).state is content_of(telling()).state


def test_a_short_id_is_said_once() -> None:
    """It is not put before a title that begins with it."""
    assert content_of(telling(issue=ISSUE)).short_id == ""
    assert content_of(make_message(issue=make_issue())).short_id == "SHOP-42"


@pytest.mark.parametrize(
    "message",
    [
        make_message(),
        telling("run:failed", issue=ISSUE),
        telling("issue.new", "shop", issue=ISSUE),
        telling(),
        telling(issue="x"),
        make_message(event_type="issue.new", event=b"[]"),
    ],
)
def test_nothing_else_does(message: Any) -> None:
    """Another type, another source, no object: there is none."""
    assert issue_of(message) == {}
    assert orjson.loads(body_of(message))["data"]["issue"] is None
