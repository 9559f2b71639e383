"""Destinations that take nothing of an event: each says why, and the rest is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.engine.router import EngineState, plan
from alertd.engine.ruleset import Reach, Ruleset, compile_ruleset, name_keys
from alertd.model.verdict import VerdictCode
from alertd.model.workspace import Workspace
from tests.unit.engine.timeline import made_event

if TYPE_CHECKING:
    from alertd.engine.plan import Plan

CHANNELS = [{"name": "all", "kind": "glob", "pattern": "*"}, {"name": "own", "kind": "glob", "pattern": "alertd.*"}]


def rules(to: list[str], reach: Reach | None = None) -> Ruleset:
    """Compile one subscription to everything, with a cooldown."""
    workspace = Workspace.model_validate(
        {
            "name": "default",
            "channels": CHANNELS,
            "destinations": [{"name": name, "type": "null"} for name in ("a", "b", "c")],
            "subscriptions": [
                {"name": "s", "channels": ["all", "own"], "destinations": to, "cooldown_seconds": 60}
            ],
        }
    )  # fmt: skip
    ids = {key: number for number, key in enumerate(name_keys([workspace]), 1)}
    return compile_ruleset([workspace], ids, 1, reach=reach)


def decide(ruleset: Ruleset, closed: dict[int, VerdictCode] | None = None, **fields: Any) -> Plan:
    """Plan one event."""
    return plan(ruleset, EngineState(closed=closed or {}), made_event(1, 0, **fields), 1000, 1)


def told(ruleset: Ruleset, found: Plan) -> tuple[str, dict[str, str], list[str]]:
    """Read the verdict: its word, what it says of single destinations, and where deliveries go."""
    names = {number: key[2] for key, number in ruleset.ids.items() if key[0] == "destination"}
    (verdict,) = found.verdicts
    single = {names[d]: code.word for d, code in verdict.destinations}
    return verdict.code.word, single, [names[d.destination_id] for d in found.deliveries]


@pytest.mark.parametrize(
    ("to", "data", "said"),
    [
        (["a"], {"destination": "a"}, ("about_itself", {}, [])),
        (["a", "b"], {"destination": "a"}, ("sent", {"a": "about_itself"}, ["b"])),
        (["a"], {"destination": "b"}, ("sent", {}, ["a"])),
        (["a"], {"destination": "unknown"}, ("sent", {}, ["a"])),
        (["a"], {"destination": ["a"]}, ("sent", {}, ["a"])),
        (["a"], {}, ("sent", {}, ["a"])),
    ],
)
def test_nothing_about_a_destination_goes_through_it(to: list[str], data: dict[str, Any], said: Any) -> None:
    """An event about alertd itself leaves out the destination that it is about; others hear of it."""
    ruleset = rules(to)
    assert told(ruleset, decide(ruleset, type="alertd.destination_failing", data=data)) == said


def test_other_events_may_name_any_destination() -> None:
    """Only alertd's own types are about its destinations."""
    ruleset = rules(["a"])
    assert told(ruleset, decide(ruleset, type="alert", data={"destination": "a"}))[0] == "sent"


def test_a_destination_reaches_people_in_their_projects() -> None:
    """Where there is nobody to write to, it is not configured; elsewhere it is as ever."""
    ruleset = rules(["a", "b"], Reach({("default", "a"): frozenset({"shop"}), ("other", "b"): frozenset()}))
    assert told(ruleset, decide(ruleset, type="x", project="shop")) == ("sent", {}, ["a", "b"])
    assert told(ruleset, decide(ruleset, type="x", project="blog")) == ("sent", {"a": "not_configured"}, ["b"])
    assert told(ruleset, decide(ruleset, type="x")) == ("sent", {"a": "not_configured"}, ["b"])


def test_a_format_may_need_an_issue() -> None:
    """An event that belongs to none is not sent there, unless it tells that one was unmuted, which no error may tell."""
    ruleset = rules(["a"], Reach({}, frozenset({("default", "a")})))
    assert told(ruleset, decide(ruleset, type="x")) == ("format_needs_issue", {}, [])
    assert told(ruleset, decide(ruleset, type="x", issue={"id": "i"})) == ("sent", {}, ["a"])
    own = {"type": "issue.unmuted", "source": "alertd", "data": {"issue": {"id": "i"}}}
    assert told(ruleset, decide(ruleset, **own)) == ("sent", {}, ["a"])
    for other in ({"source": "x"}, {"type": "issue.new"}, {"type": "incident.resolved"}, {"data": {}}):
        assert told(ruleset, decide(ruleset, **{**own, **other})) == ("format_needs_issue", {}, [])
    of_an_issue = made_event(1, 0, type="x")
    of_an_issue.group = "1:a"
    assert told(ruleset, plan(ruleset, EngineState(), of_an_issue, 1000, 1)) == ("sent", {}, ["a"])


def test_each_destination_has_its_own_reason() -> None:
    """The verdict is the first one's, the others say theirs; nothing is taken of the cooldown."""
    ruleset = rules(["a", "b", "c"], Reach({("default", "b"): frozenset()}))
    number = ruleset.ids["destination", "default", "c"]
    found = decide(
        ruleset,
        {number: VerdictCode.DESTINATION_DISABLED},
        type="alertd.destination_failing",
        data={"destination": "a"},
    )
    assert told(ruleset, found) == ("about_itself", {"b": "not_configured", "c": "destination_disabled"}, [])
    assert found.cooldowns == {}


def test_what_is_switched_off_says_so_first() -> None:
    """A destination that is disabled and unconfigured is disabled."""
    ruleset = rules(["a"], Reach({("default", "a"): frozenset()}))
    number = ruleset.ids["destination", "default", "a"]
    assert told(ruleset, decide(ruleset, {number: VerdictCode.DESTINATION_DISABLED}, type="x"))[0] == (
        "destination_disabled"
    )


def test_a_delivery_knows_every_subscription_that_it_serves() -> None:
    """One alert reaches a destination once; the others that asked for it are noted."""
    workspace = Workspace.model_validate(
        {
            "name": "default",
            "channels": CHANNELS,
            "destinations": [{"name": "a", "type": "null"}, {"name": "b", "type": "null", "per_subscription": True}],
            "subscriptions": [{"name": f"s{n}", "channels": ["all"], "destinations": ["a", "b"]} for n in range(3)],
        }
    )
    ids = {key: number for number, key in enumerate(name_keys([workspace]), 1)}
    found = decide(compile_ruleset([workspace], ids, 1), type="x")
    numbers = [ids["subscription", "default", f"s{n}"] for n in range(3)]
    assert [(d.subscription_id, d.also) for d in found.deliveries] == [
        (numbers[0], tuple(numbers[1:])),
        (numbers[0], ()),
        (numbers[1], ()),
        (numbers[2], ()),
    ]
