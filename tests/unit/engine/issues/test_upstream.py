"""What was done in Sentry is done here: each action, told by the decoder of Sentry's webhooks; nothing else is touched."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.issues import commands
from alertd.engine.issues.lifecycle import advance, begin
from alertd.engine.issues.upstream import is_upstream, obey, upstream_of
from alertd.model.event import Event
from alertd.model.issue import Change, How, Issue, State
from alertd.model.ledger import Ledger
from alertd.model.severity import Severity
from alertd.sources.base import Context
from alertd.sources.native import decode_json
from alertd.sources.sentry_webhook import decode_webhook
from tests.unit.engine.issues.errors import DAY, MINUTE, NOW, facts, time_of
from tests.unit.engine.issues.test_facts import json


def webhook(action: str, **issue: Any) -> Event:
    """Decode a webhook of Sentry's about an issue."""
    extra = issue.pop("data", {})
    body = {"action": action, "data": {"issue": {"id": "77", "title": "KeyError", "level": "error", **issue}, **extra}}
    (event,) = decode_webhook(orjson.dumps(body), "issue", Context("default", NOW, frozenset({"default"})))
    return event


def known(state: State = State.NEW, ledger: Ledger | None = None) -> tuple[Issue, Ledger]:
    """Begin an issue, and bring it into a state."""
    ledger = ledger or Ledger(1, "shop")
    issue, _ = begin(facts(), ledger, 5, NOW)
    if state is State.RESOLVED:
        issue, _ = commands.resolve(issue, How.NOW, "", ledger, NOW, "ann")
    elif state is State.MUTED:
        issue, _ = commands.mute(issue, NOW, "ann")
    return issue, ledger


def done(action: str, state: State = State.NEW, **issue: Any) -> tuple[Issue, Change | None]:
    """Do it to an issue in a state; return what became of it."""
    found = upstream_of(webhook(action, **issue))
    assert found is not None
    before, ledger = known(state)
    after, transition = obey(before, found, ledger, NOW)
    return after, None if transition is None else transition.change


def test_resolved() -> None:
    """At once, in the release that is named, in the next one where any is known; twice changes nothing."""
    issue, change = done("resolved")
    assert (issue.state, change) == (State.RESOLVED, Change.RESOLVED)
    assert issue.resolution is not None
    assert issue.resolution[:2] == (How.NOW, "")
    issue, _ = done("resolved", statusDetails={"inRelease": "shop@2.0.0"})
    assert issue.resolution is not None
    assert issue.resolution[:2] == (How.IN_RELEASE, "shop@2.0.0")
    issue, _ = done("resolved", statusDetails={"inNextRelease": True})
    assert issue.resolution is not None
    assert issue.resolution[:2] == (How.IN_NEXT_RELEASE, "shop@1.0.0")
    assert done("resolved", State.RESOLVED)[1] is None


def test_resolved_in_a_commit() -> None:
    """As in Sentry nothing comes back by what was released before the commit: only by what is released since."""
    commit = {"id": "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "message": "Fix it"}
    upstream = upstream_of(webhook("resolved", statusDetails={"inCommit": commit}))
    assert upstream is not None
    before, ledger = known()
    issue, transition = obey(before, upstream, ledger, NOW)
    assert transition is not None
    assert transition.why == f"resolved in {commit['id']}"
    assert issue.resolution is not None
    assert issue.resolution[:2] == (How.IN_RELEASE, commit["id"])
    assert advance(issue, facts(2, NOW + MINUTE, release="shop@1.0.0"), ledger, NOW + MINUTE) is None
    back = advance(issue, facts(3, NOW + DAY, release="shop@1.0.1"), ledger, NOW + DAY)
    assert back is not None
    assert back.change is Change.REGRESSION


@pytest.mark.parametrize("commit", [None, "6113728", {}, {"id": 7}, {"id": ""}])
def test_no_commit(commit: Any) -> None:
    """What names no commit resolves at once."""
    issue, _ = done("resolved", statusDetails={"inCommit": commit})
    assert issue.resolution is not None
    assert issue.resolution[:2] == (How.NOW, "")


@pytest.mark.parametrize(
    ("issue", "mute"),
    [
        ({}, (None, None, False)),
        ({"substatus": "archived_until_escalating"}, (None, None, True)),
        ({"statusDetails": {"ignoreDuration": 30}}, (NOW + 30 * MINUTE, None, False)),
        ({"statusDetails": {"ignoreUntil": time_of(NOW + DAY)}}, (NOW + DAY, None, False)),
        ({"statusDetails": {"ignoreUntil": time_of(NOW - DAY)}}, (None, None, False)),
        ({"statusDetails": {"ignoreUntil": "soon"}}, (None, None, False)),
        ({"statusDetails": {"ignoreCount": 10}}, (None, 11, False)),
        ({"statusDetails": {"ignoreCount": -1, "ignoreDuration": 0}}, (None, None, False)),
    ],
)
@pytest.mark.parametrize("action", ["archived", "ignored"])
def test_archived(action: str, issue: dict[str, Any], mute: tuple[Any, ...]) -> None:
    """Muted for the time, the events or the spike that it waits for; what makes no sense mutes for good."""
    found, change = done(action, **issue)
    assert (found.state, change) == (State.MUTED, Change.MUTED)
    assert found.mute is not None
    assert found.mute[:3] == mute


@pytest.mark.parametrize(
    ("substatus", "before", "after", "change"),
    [
        ("escalating", State.NEW, State.ESCALATING, Change.SPIKE),
        ("escalating", State.MUTED, State.ESCALATING, Change.SPIKE),
        ("regressed", State.RESOLVED, State.REGRESSED, Change.REGRESSION),
        ("regressed", State.NEW, State.NEW, None),
        ("ongoing", State.RESOLVED, State.ONGOING, Change.REOPENED),
        ("ongoing", State.MUTED, State.ONGOING, Change.UNMUTED),
        ("", State.MUTED, State.ONGOING, Change.UNMUTED),
        ("new", State.MUTED, State.ONGOING, Change.UNMUTED),
        ("ongoing", State.NEW, State.NEW, None),
        ("", State.RESOLVED, State.ONGOING, Change.REOPENED),
    ],
)
def test_unresolved(substatus: str, before: State, after: State, change: Change | None) -> None:
    """Its substatus says why; what Sentry itself found has a trigger, and so has the end of a mute."""
    found, became = done("unresolved", before, substatus=substatus)
    assert (found.state, became) == (after, change)
    if change is Change.REOPENED:
        assert change.trigger is None


def test_assigned() -> None:
    """To whom it says, and to nobody."""
    assert done("assigned", data={"assignee": {"type": "user", "id": "1", "name": "ann"}})[0].assignee == "ann"
    assert done("assigned")[1] is None


def test_what_is_not_meant() -> None:
    """What has just been created changes nothing, and nobody but Sentry is believed."""
    assert upstream_of(webhook("created")) is None
    body = webhook("resolved").body
    assert is_upstream(body)
    assert not is_upstream({**body, "source": "me"})


def test_whoever_writes_what_sentry_would_is_not_believed() -> None:
    """The same event, made by another decoder than Sentry's webhooks have, says nothing."""
    told = webhook("archived")
    context = Context("default", NOW, frozenset({"default"}))
    (same,) = decode_json(told.payload, context)
    assert same.body == told.body
    assert upstream_of(told) is not None
    assert upstream_of(same) is None


@given(json)
def test_whatever_data_holds(data: Any) -> None:
    """Nothing raises, and nothing but a state that exists comes of it."""
    for action in ("resolved", "archived", "unresolved", "assigned"):
        odd = {"action": action, "issue_id": "1", "status_details": data, "assignee": data, "substatus": data}
        body = {"source": "sentry", "data": odd}
        event = Event("t", "x", "default", "shop", "", Severity.INFO, time_of(NOW), "77", body, b"{}", upstream=True)
        found = upstream_of(event)
        assert found is not None
        issue, ledger = known()
        assert obey(issue, found, ledger, NOW)[0].state in State


@given(st.dictionaries(st.sampled_from(["in_release", "ignore_count", "ignore_duration", "ignore_until"]), st.one_of(
    st.integers(), st.floats(), st.text(), st.booleans())))  # fmt: skip
def test_whatever_the_details_hold(details: dict[str, Any]) -> None:
    """The same of the details that are read."""
    for action in ("resolved", "archived"):
        data = {"action": action, "issue_id": "1", "status_details": details}
        event = Event(
            "t",
            "x",
            "default",
            "shop",
            "",
            Severity.INFO,
            time_of(NOW),
            "77",
            {"source": "sentry", "data": data},
            b"{}",
            upstream=True,
        )
        found = upstream_of(event)
        assert found is not None
        issue, ledger = known()
        assert obey(issue, found, ledger, NOW)[1] is not None
