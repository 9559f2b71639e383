"""`alertd explain`: the plan as a tree for people."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
import pytest

from alertd.cli.explain import tree
from alertd.model.delivery import DeliveryState, Outcome, OutcomeKind
from tests.daemon import eventually

if TYPE_CHECKING:
    from tests.unit.cli.stage import Stage


def shown(stage: Stage, *words: str) -> list[str]:
    """Type the command and give its lines."""
    result = stage.typed("explain", *words)
    assert result.exit_code == 0, result.output
    return list(result.stdout.splitlines())


def test_a_type_is_explained_as_a_tree(stage: Stage) -> None:
    """The event first, then each subscription with its verdict in words, and where it would go."""
    lines = shown(stage, "run:failed", "--severity", "info", "--project", "shop")
    assert lines[0].startswith("run:failed info shop ")
    assert lines[1:] == [
        "├─ ✓ everything (channel all): would be sent",
        "│     → hook",
        "├─ ✗ serious (channel all): the event's severity is info, below min_severity, which is warning",
        "└─ ✗ elsewhere (channel all): the event's environment is not among those of the subscription or its channel",
    ]


def test_a_stored_event_is_explained_with_what_became_of_it(stage: Stage) -> None:
    """The id of a stored event gives what was decided then, and the state of its deliveries."""
    assert stage.typed("send", "run:failed", "--id", "run-1").exit_code == 0
    lines = shown(stage, "run-1")
    assert lines[0] == "run:failed info run-1"
    assert any(line.endswith(": sent") for line in lines)
    assert not any("would be" in line for line in lines)
    assert any(line.strip("│ ").startswith("→ hook ") for line in lines)


def test_an_event_is_found_by_its_alert_and_by_its_deliveries(stage: Stage) -> None:
    """Those are the ids that messages, the console and `tail` show."""
    assert stage.typed("send", "run:failed", "--id", "run-2").exit_code == 0
    (told,) = orjson.loads(stage.typed("explain", "run-2", "--json").stdout)["deliveries"]
    for name in (told["alert_id"], told["id"]):
        assert shown(stage, name)[0] == "run:failed info run-2"
    assert shown(stage, "dlv_0000000000000000")[0].startswith("no such event")


def test_a_wrong_id_is_no_event(stage: Stage) -> None:
    """What is neither a stored event nor a known type is said to be neither, and nothing about it reads as if it had happened."""
    for wrong in ("keep1", "019e0022-7c00-7000-8000-3f6a1c2b9d10"):
        lines = shown(stage, wrong)
        assert lines[0] == f"no such event; an event of type {wrong} would be:"
        assert lines[1] == f"{wrong} info (made up here: nothing is sent)"
        assert any(line.endswith("everything (channel all): would be sent") for line in lines)
        assert not any(line.endswith(": sent") for line in lines)
    assert (
        shown(stage, "keep1", "--project", "shop")[0]
        == "no event of type keep1 is known; an event of type keep1 would be:"
    )


def test_a_known_type_is_no_wrong_id(stage: Stage) -> None:
    """A type of a catalogue is explained without a word about events; no invented id is shown that nobody could look up."""
    assert shown(stage, "app_deployed")[0] == "app_deployed info (made up here: nothing is sent)"


def test_a_subscription_whose_destination_is_told_already_says_so() -> None:
    """Two subscriptions with one destination make one message: the second shows that nothing is missing."""
    verdicts: list[dict[str, object]] = [
        {"subscription": name, "channel": "all", "verdict": "sent", "detail": "sent", "destinations": []}
        for name in ("first", "second")
    ]
    delivery = {"id": "dlv_2", "destination": "hook", "subscription": "first", "state": "delivered", "attempt_count": 1}
    delivery["replay_of"] = "dlv_1"
    event = {"type": "t", "severity": "info", "id": "a"}
    assert tree({"event": event, "verdicts": verdicts, "deliveries": [delivery]}) == [
        "t info a",
        "├─ ✓ first (channel all): sent",
        "│     → hook delivered after 1 attempt (dlv_2, a replay of dlv_1)",
        "└─ ✓ second (channel all): sent",
        "      → nothing of its own: another subscription's message goes there",
    ]


LANE = {"state": "enabled", "queue_depth": 0, "breaker_state": "closed", "paused_until": None, "rests_until": None}
PAST, NOW, SOON, LATE = (f"2026-11-23T12:00:0{second}.000Z" for second in (1, 2, 3, 4))
RESTING = {**LANE, "breaker_state": "open", "rests_until": LATE}


@pytest.mark.parametrize(
    ("state", "attempts", "next_at", "lane", "expected"),
    [
        ("pending", 0, PAST, LANE, ""),
        ("pending", 0, PAST, {**LANE, "queue_depth": 4}, "; 4 in its queue"),
        ("pending", 0, PAST, RESTING, f"; breaker open; next attempt not before {LATE}"),
        ("retrying", 2, SOON, RESTING, f"; breaker open; next attempt not before {LATE}"),
        ("retrying", 2, LATE, {**LANE, "rests_until": SOON}, f"; next attempt not before {LATE}"),
        ("retrying", 2, PAST, {**LANE, "breaker_state": "half_open"}, "; breaker half-open"),
        ("retrying", 2, PAST, {**LANE, "rests_until": NOW}, ""),
        ("retrying", 2, LATE, {**RESTING, "state": "disabled"}, "; its destination is disabled"),
        ("pending", 0, PAST, None, "; its destination was removed"),
        ("in_flight", 2, LATE, RESTING, ""),
        ("delivered", 2, None, RESTING, ""),
        ("cancelled", 0, None, None, ""),
    ],
)
def test_what_a_delivery_waits_for_is_said(
    state: str,
    attempts: int,
    next_at: str | None,
    lane: dict[str, object] | None,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who asks at night why nothing came sees until when; what is over, or under way, waits for nothing."""
    monkeypatch.setattr("alertd.cli.explain._now", lambda: NOW)
    verdict = {"subscription": "first", "channel": "all", "verdict": "sent", "detail": "sent", "destinations": []}
    where = {"id": "dlv_1", "destination": "hook", "subscription": "first", "lane": lane, "next_at": next_at}
    delivery = {**where, "state": state, "attempt_count": attempts, "replay_of": None}
    delivery["error"] = "returned 503" if attempts else None
    event = {"type": "t", "severity": "info", "id": "a"}
    line = tree({"event": event, "verdicts": [verdict], "deliveries": [delivery]})[-1]
    error = ": returned 503" if attempts else ""
    assert line == f"      → hook {state} after {attempts} attempts{error}{expected} (dlv_1)"


def test_what_waits_for_its_receiver_says_until_when(stage: Stage) -> None:
    """As the daemon tells it: a receiver that asked for ten minutes is not asked before."""
    bench = stage.bench
    assert bench is not None
    outcome = Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429", retry_after_seconds=600)
    bench.doors["default", "hook"].outcome = outcome
    assert stage.typed("send", "t", "--id", "slow").exit_code == 0

    def tried() -> bool:
        return any(kept.state is DeliveryState.RETRYING for kept in bench.store._deliveries.values())

    stage.on_loop(eventually(tried, "the attempt"))
    [line] = [line for line in shown(stage, "slow") if "→ hook" in line]
    _, _, until = line.rpartition(" (dlv_")[0].partition(": returned 429; next attempt not before ")
    assert 590 < datetime.fromisoformat(until).timestamp() - time.time() <= 600


def test_a_cause_leads_to_what_it_made_and_back(stage: Stage) -> None:
    """What a stored event made hangs in its tree with its own verdicts; the made one, asked for by its id, names its cause."""
    for number in (1, 2):
        crash = ("send", "app_crashed_repeated", "--project", "shop", "--id", f"crash-{number}")
        assert stage.typed(*crash).exit_code == 0
    lines = shown(stage, "crash-2")
    made = next(line for line in lines if line.startswith("└─ made app_crashed critical shop drv-"))
    assert "   ├─ ✓ everything (channel all): sent" in lines[lines.index(made) :]
    assert "├─ derived type app_crashed: by now 2 occurrences are counted; number 5 makes an event" in lines
    assert not any("made because of" in line for line in lines)
    assert not any("made app_crashed" in line for line in shown(stage, "crash-1"))
    again = shown(stage, made.rpartition(" ")[2])
    assert again[1] == "  made because of app_crashed_repeated info crash-2"


def test_only_so_many_events_are_asked_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound what was made stands there by its name and id alone."""
    monkeypatch.setattr("alertd.cli.family.FAMILY_MAX", 0)
    for number in (1, 2):
        stage.typed("send", "app_crashed_repeated", "--project", "shop", "--id", f"crash-{number}")
    last = shown(stage, "crash-2")[-1]
    assert last.startswith("└─ made app_crashed critical drv-")


def test_what_comes_of_it_is_a_branch(stage: Stage) -> None:
    """How far a derived type has come, and the event that it would make, hang in the same tree."""
    assert stage.typed("send", "app_crashed_repeated", "--project", "shop").exit_code == 0
    lines = shown(stage, "app_crashed_repeated", "--project", "shop")
    assert any("derived type app_crashed: occurrence number 2; number 5 makes an event" in line for line in lines)
    assert any(line.startswith("└─ makes app_crashed ") for line in lines)


def test_for_programs(stage: Stage) -> None:
    """With --json it is the API's answer, and whether the event is stored and its type known; bad options are usage errors."""
    result = stage.typed("explain", "run:failed", "--json")
    assert (json.loads(result.stdout)["stored"], json.loads(result.stdout)["type_known"]) == (False, True)
    found = json.loads(stage.typed("explain", "keep1", "--json").stdout)
    assert (found["stored"], found["type_known"], found["event"]["type"]) == (False, False, "keep1")
    assert stage.typed("send", "run:failed", "--id", "run-2").exit_code == 0
    assert json.loads(stage.typed("explain", "run-2", "--json").stdout)["stored"] is True
    assert stage.typed("explain", "run:failed", "--data", "[]").exit_code == 2
    assert stage.typed("explain", "run failed", "--project", "x").exit_code == 1
