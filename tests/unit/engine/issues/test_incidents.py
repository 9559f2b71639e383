"""Incidents: what opens one, what is noted, what ends it, and how severe it is said to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alertd.engine.issues import commands
from alertd.engine.issues.incidents import (
    QUIET_MS,
    IncidentRule,
    Report,
    acknowledge,
    follow,
    note_deploy,
    open_for_deploy,
    open_for_issue,
    open_for_report,
    resolve,
    settle,
)
from alertd.engine.issues.lifecycle import begin
from alertd.engine.issues.score import parts_of
from alertd.engine.issues.stored_incident import decode_incident, encode_incident
from alertd.model.change import Change, ChangeKind, Commit
from alertd.model.incident import TIMELINE_HEAD, TIMELINE_MAX, Deploy, Incident, IncidentKind, IncidentState, Shipped
from alertd.model.issue import How, Issue, Transition
from alertd.model.ledger import Ledger
from tests.unit.engine.issues.errors import HOUR, MINUTE, NOW, error, facts, frame

LOG = [
    Change(
        ChangeKind.PUSH, "shop", NOW - HOUR, commits=(Commit("abc1234", NOW - HOUR, "Ann", "Tune", ("shop/cart.py",)),)
    ),
    Change(ChangeKind.DEPLOY, "shop", NOW - 10 * MINUTE, "prod", "abc1234", "v17"),
]
CRASH = error(frames=[frame("total", "/app/shop/cart.py")])


def issue() -> tuple[Issue, Transition]:
    """Begin an issue."""
    return begin(facts(), Ledger(1, "shop"), 5, NOW)


def opened() -> tuple[Incident, Issue]:
    """Open the incident of a new issue."""
    found, transition = issue()
    found.incident_id = 7
    return open_for_issue(7, found, transition, "prod", CRASH, LOG), found


def test_what_an_incident_knows() -> None:
    """Title, cause, score with its parts, suspects, deployments, and a timeline that begins before it."""
    incident, _ = opened()
    assert incident.title == "SHOP-1 new in prod: KeyError: 'sku'"
    assert (incident.kind, incident.state, incident.cause) == (IncidentKind.ISSUE, IncidentState.OPEN, "new")
    assert [(part.name, part.points) for part in incident.parts] == [("level", 35), ("new", 10), ("deploy", 5)]
    assert incident.score == 50
    assert [suspect.commit_id for suspect in incident.suspects] == ["abc1234"]
    brought = (Shipped("abc1234", "Tune", "Ann"),)
    assert incident.deploys == (Deploy(NOW - 10 * MINUTE, "v17", "prod", "", "abc1234", brought, 1),)
    assert [(moment.what, moment.text) for moment in incident.timeline] == [
        ("deploy", "v17 went live"),
        ("opened", "SHOP-1: seen for the first time, 10 min after v17 went live"),
    ]


def test_the_score_is_at_most_a_hundred() -> None:
    """All that is bad at once; each part has points and a reason."""
    parts = parts_of("fatal", "spike", 1e6, 10**9, (Deploy(NOW, ""),))
    assert [part.points for part in parts] == [50, 20, 15, 10, 5]
    assert all(part.why for part in parts)
    incident, _ = opened()
    assert replace(incident, parts=parts + parts).score == 100
    assert [part.name for part in parts_of("debug", None, 1, 1, ())] == ["level"]


@pytest.mark.parametrize(
    ("trigger", "environment", "opens"),
    [
        ("new", "prod", True),
        ("new", "production", True),
        ("new", "staging", False),
        ("new", "", False),
        ("regression", "staging", True),
        ("spike", "", True),
        ("unmuted", "prod", False),
    ],
)
def test_what_opens_one(trigger: str, environment: str, opens: bool) -> None:
    """By default a spike or a regression anywhere, a new issue in production."""
    assert IncidentRule().opens(trigger, environment) is opens  # type: ignore[arg-type]  # parameters are texts


def test_a_rule_chooses() -> None:
    """None is in no environment, empty is in all."""
    rule = IncidentRule(new=None, regression=frozenset({"eu"}), spike=None, unmuted=frozenset())
    assert not rule.opens("new", "prod")
    assert rule.opens("regression", "eu")
    assert rule.opens("regression", "EU")
    assert not rule.opens("regression", "us")
    assert rule.opens("unmuted", "us")


def test_it_is_acknowledged_once() -> None:
    """Who and when is kept; again is nothing, and what is over cannot be."""
    incident, _ = opened()
    taken = acknowledge(incident, NOW + MINUTE, "ann")
    assert taken is not None
    assert (taken.state, taken.acknowledged_ms, taken.acknowledged_by) == (
        IncidentState.ACKNOWLEDGED,
        NOW + MINUTE,
        "ann",
    )
    assert taken.timeline[-1].by == "ann"
    assert acknowledge(taken, NOW + HOUR, "bob") is None
    over = resolve(taken, NOW + HOUR, "bob")
    assert over is not None
    assert acknowledge(over, NOW + HOUR, "bob") is None


def test_it_is_resolved_by_hand_once() -> None:
    """Who and when is kept; again is nothing."""
    incident, _ = opened()
    over = resolve(incident, NOW + HOUR, "ann")
    assert over is not None
    assert (over.is_over, over.resolved_ms, over.resolved_by) == (True, NOW + HOUR, "ann")
    assert resolve(over, NOW + HOUR, "bob") is None
    assert settle(over, None, NOW + 9 * HOUR) is None


def test_it_is_resolved_by_quiet() -> None:
    """At the bound after the last arrival, whatever time that event carried; acknowledged or not."""
    incident, found = opened()
    found.arrived_ms, found.last_seen_ms = NOW + HOUR, NOW
    assert settle(incident, found, NOW + HOUR + QUIET_MS - 1) is None
    over = settle(incident, found, NOW + HOUR + QUIET_MS)
    assert over is not None
    assert over.timeline[-1].text == "quiet for 30 minutes"
    assert over.resolved_by == ""
    taken = acknowledge(incident, NOW, "ann")
    assert taken is not None
    assert settle(taken, found, NOW + 3 * HOUR) is not None


@pytest.mark.parametrize("own", [8, None])
def test_one_that_a_merge_left_open_is_over(own: int | None) -> None:
    """Whatever the merged issue does: it has another incident, or none at all."""
    incident, found = opened()
    found.incident_id = own
    over = settle(incident, found, NOW + MINUTE)
    assert over is not None
    assert (over.is_over, over.timeline[-1].text, over.resolved_by) == (True, "merged into SHOP-1", "")


def test_what_happens_to_its_issue_is_noted() -> None:
    """A resolution and a regression meanwhile are entries; the score is that of the worst."""
    incident, found = opened()
    resolved, transition = commands.resolve(found, How.NOW, "", Ledger(1, "shop"), NOW + MINUTE, "ann")
    assert transition is not None
    incident = follow(incident, resolved, transition)
    escalated, transition = commands.escalate(resolved, NOW + HOUR, "sentry")
    assert transition is not None
    worse = follow(incident, escalated, transition)
    assert [moment.what for moment in worse.timeline] == ["deploy", "opened", "resolved", "spike"]
    assert (incident.score, worse.score, worse.last_event_ms) == (50, 60, NOW + HOUR)
    assert worse.cause == "new"


def test_its_timeline_is_bounded() -> None:
    """The first entries and the newest stay; what was dropped is counted."""
    incident, _ = opened()
    for number in range(200):
        incident = note_deploy(incident, Change(ChangeKind.DEPLOY, "shop", NOW + number, "prod", f"r{number}"))
    assert len(incident.timeline) == TIMELINE_MAX
    assert incident.omitted == 202 - TIMELINE_MAX
    assert incident.timeline[0].text == "v17 went live"
    assert incident.timeline[TIMELINE_HEAD - 1].text == f"r{TIMELINE_HEAD - 3} went live"
    assert incident.timeline[-1].text == "r199 went live"


def test_a_deployment_informs_and_is_over() -> None:
    """Of kind deploy, resolved at once, with no score."""
    change = Change(ChangeKind.DEPLOY, "shop", NOW - 5, "prod", "abc", "v17", "Ann", "https://example.com/d")
    incident = open_for_deploy(7, 1, change, NOW)
    assert (incident.kind, incident.is_over, incident.score) == (IncidentKind.DEPLOY, True, 0)
    assert (incident.title, incident.url) == ("shop: v17 went live to prod", "https://example.com/d")
    push = Change(ChangeKind.PUSH, "shop", NOW, "", "abcdef0123456789")
    assert open_for_deploy(7, 1, push, NOW).title == "shop: abcdef012345 was pushed"


@pytest.mark.parametrize(("test", "kind"), [(False, IncidentKind.REPORTED), (True, IncidentKind.SIMULATED)])
def test_one_that_was_reported(test: bool, kind: IncidentKind) -> None:
    """It has suspects from the change window that came with it, and says whether it is a test."""
    report = Report(1, "shop", "prod", "k", "It burns", "critical", CRASH, "https://example.com/i", test)
    incident = open_for_report(7, report, LOG, NOW)
    assert (incident.kind, incident.test, incident.score) == (kind, test, 55)
    assert incident.suspects[0].commit_id == "abc1234"
    assert settle(incident, None, NOW + QUIET_MS) is not None


def test_it_is_read_back_as_it_was() -> None:
    """From its stored form, in every state."""
    incident, _ = opened()
    taken = acknowledge(incident, NOW, "ann")
    assert taken is not None
    over = resolve(taken, NOW, "ann")
    assert over is not None
    for each in (incident, taken, over):
        assert decode_incident(encode_incident(each)) == each
