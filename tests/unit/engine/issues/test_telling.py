"""What alertd says of incidents: what it is, how it came, what went live before, within bounds; its end under the same key."""

from __future__ import annotations

from dataclasses import replace

import orjson

from alertd.engine.issues.incidents import open_for_deploy, open_for_issue, resolve
from alertd.engine.issues.telling import FRAMES_MAX, TEXT_MAX, told_of_incident
from alertd.model.change import Change, ChangeKind, Commit
from alertd.model.event import SIMULATION, from_payload
from alertd.model.severity import Severity
from tests.unit.engine.issues.errors import MINUTE, NOW, error, frame
from tests.unit.engine.issues.test_incidents import CRASH, LOG, issue, opened


def test_what_is_said_of_one_that_opens() -> None:
    """Its title, how it came, the commits of the last deployment."""
    incident, _ = opened()
    event = told_of_incident("opened", incident, "default", NOW, CRASH)
    assert event.body["message"].split("\n") == [
        "SHOP-1 new in prod: KeyError: 'sku'",
        "SHOP-1: seen for the first time, 10 min after v17 went live",
        "abc1234 Tune, by Ann",
    ]
    assert (event.type, event.severity, event.environment) == ("incident.opened", Severity.ERROR, "prod")
    assert event.body["data"]["title"] == "KeyError: 'sku'"
    assert from_payload(event.payload).body == event.body


def test_its_end_has_the_same_key() -> None:
    """And says why it is over; the event is the same however often it is made."""
    incident, _ = opened()
    over = resolve(incident, NOW + MINUTE, "ann")
    assert over is not None
    ended = told_of_incident("resolved", over, "default", NOW + MINUTE, {})
    assert ended.key == told_of_incident("opened", incident, "default", NOW, {}).key == "inc_0000000000000007"
    assert ended.body["message"].endswith(": resolved")
    assert ended.id == told_of_incident("resolved", over, "default", NOW + 2 * MINUTE, {}).id


def test_a_large_deployment_is_summed_up() -> None:
    """Five commits are named, the newest first; the others are counted."""
    commits = tuple(Commit(f"{n:040x}", NOW, message=f"Change {n}") for n in range(30))
    change = Change(ChangeKind.PUSH, "shop", NOW, name="main", commits=commits)
    event = told_of_incident("opened", open_for_deploy(5, 1, change, NOW, [change]), "default", NOW, {})
    lines = event.body["message"].split("\n")
    assert (len(lines), lines[1][11:], lines[-1]) == (7, "Change 29", "and 25 more commits")
    assert event.severity is Severity.INFO
    (deploy,) = event.body["data"]["incident"]["deploys"]
    assert (len(deploy["commits"]), deploy["commit_count"]) == (20, 30)


def test_commits_of_which_little_is_known_leave_no_gaps() -> None:
    """A commit without a message or an author is its id alone, and one that is not named is one commit."""
    commits = tuple(Commit(f"{n:040x}", NOW) for n in range(6))
    change = Change(ChangeKind.PUSH, "shop", NOW, name="main", commits=commits)
    event = told_of_incident("opened", open_for_deploy(5, 1, change, NOW, [change]), "default", NOW, {})
    lines = event.body["message"].split("\n")
    assert (lines[1], lines[-1]) == ("0" * 10, "and 1 more commit")


def test_the_crash_is_bounded() -> None:
    """The frames nearest to it, texts up to a bound, and nothing of what else the error carried."""
    frames = [frame(f"f{n}", f"m{n}.py", context_line="secret") for n in range(2 * FRAMES_MAX)]
    data = {**error("E", "x" * 2 * TEXT_MAX, frames), "request": {"url": "https://x"}}
    found, transition = issue()
    incident = open_for_issue(7, found, transition, "prod", data, LOG)
    told = told_of_incident("opened", incident, "default", NOW, data).body["data"]
    (raised,) = told["exception"]["values"]
    assert [each["function"] for each in raised["stacktrace"]["frames"]] == [
        f"f{n}" for n in range(FRAMES_MAX, 2 * FRAMES_MAX)
    ]
    assert len(raised["value"]) == TEXT_MAX
    assert told.keys() == {"incident", "title", "exception"}
    assert b"secret" not in orjson.dumps(told)


def test_what_is_simulated_says_so() -> None:
    """By its source, which no other event of alertd's has."""
    incident, _ = opened()
    sources = [
        told_of_incident("opened", replace(incident, test=test), "default", NOW, {}).body["source"]
        for test in (True, False)
    ]
    assert sources == [SIMULATION, "alertd"]
