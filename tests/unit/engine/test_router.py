"""What is decided for one event: scope, conditions, destinations, cooldown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.router import EngineState, excluded, plan
from alertd.engine.ruleset import Ruleset, compile_ruleset, name_keys
from alertd.model.event import Event
from alertd.model.severity import BY_WORD
from alertd.model.verdict import Verdict, VerdictCode, decode, encode
from alertd.model.workspace import Workspace

if TYPE_CHECKING:
    from alertd.engine.plan import CooldownKey, Plan

NOW = 1_800_000_000_000


def rules(*subscriptions: dict[str, Any], **more: Any) -> Ruleset:
    """Compile a workspace of the given subscriptions over the channels `runs` and `all` and two destinations."""
    workspace = Workspace.model_validate(
        {
            "name": "default",
            "channels": [
                {"name": "runs", "kind": "regex", "pattern": "run:.*"},
                {"name": "all", "kind": "glob", "pattern": "*"},
                {"name": "production", "kind": "glob", "pattern": "*", "environments": ["prod"]},
            ],
            "destinations": [{"name": "a", "type": "null"}, {"name": "b", "type": "null"}],
            "subscriptions": [{"channels": ["runs"], "destinations": ["a"], **s} for s in subscriptions],
            **more,
        }
    )
    ids = {key: number for number, key in enumerate(name_keys([workspace]), 1)}
    return compile_ruleset([workspace], ids, 1)


def event(**fields: Any) -> Event:
    """Make an event as a decoder would."""
    body = {"type": "run:failed", "workspace": "default", "severity": "error", "key": "run:failed", **fields}
    return Event(
        type=body["type"],
        id="e1",
        workspace="default",
        project=body.get("project", ""),
        environment=body.get("environment", ""),
        severity=BY_WORD[body["severity"]],
        time="2026-05-07T00:00:00Z",
        key=body["key"],
        body=body,
        payload=b"{}",
        trigger=fields.get("trigger"),
    )


def decide(ruleset: Ruleset, state: EngineState | None = None, now: int = NOW, **fields: Any) -> Plan:
    """Plan one event."""
    return plan(ruleset, state or EngineState(), event(**fields), 1000, now)


def words(found: Plan) -> list[str]:
    """Read the verdicts of a plan as words."""
    return [verdict.code.word for verdict in found.verdicts]


@pytest.mark.parametrize(
    ("subscription", "fields", "word"),
    [
        ({}, {}, "sent"),
        ({"enabled": False}, {}, "disabled"),
        ({"min_severity": "error"}, {"severity": "error"}, "sent"),
        ({"min_severity": "error"}, {"severity": "warning"}, "severity"),
        ({"min_severity": "fatal"}, {"severity": "critical"}, "sent"),
        ({"matchers": ['team="x"']}, {"labels": {"team": "x"}}, "sent"),
        ({"matchers": ['team="x"']}, {"labels": {"team": "y"}}, "matcher"),
        ({"matchers": ['team="x"', 'env!=""']}, {"labels": {"team": "x"}}, "matcher"),
        ({"triggers": ["new"]}, {}, "trigger"),
        ({"triggers": ["new"]}, {"trigger": "regression"}, "trigger"),
        ({"triggers": ["new"]}, {"trigger": "new"}, "sent"),
    ],
)
def test_each_condition_decides(subscription: dict[str, Any], fields: dict[str, Any], word: str) -> None:
    """The first condition that does not hold is the verdict; when all hold it is `sent`."""
    found = decide(rules({"name": "s", **subscription}), **fields)
    assert words(found) == [word]
    assert len(found.deliveries) == (word == "sent")
    assert found.matched


@pytest.mark.parametrize(
    ("subscription", "fields", "why"),
    [
        ({"projects": ["shop"]}, {"project": "shop"}, None),
        ({"projects": ["shop"]}, {"project": "blog"}, "project"),
        ({"projects": ["shop"]}, {}, "project"),
        ({"environments": ["prod", "staging"]}, {"environment": "staging"}, None),
        ({"environments": ["prod"]}, {"environment": "dev"}, "environment"),
        ({"environments": ["prod"]}, {}, "environment"),
        ({"channels": ["production"]}, {"environment": "prod"}, None),
        ({"channels": ["production"]}, {"environment": "dev"}, "environment"),
        ({"channels": ["production", "all"]}, {"environment": "dev"}, None),
    ],
)
def test_scope_leaves_out_and_says_why(subscription: dict[str, Any], fields: dict[str, Any], why: str | None) -> None:
    """A subscription out of scope gets no stored verdict; `excluded` names the field."""
    ruleset = rules({"name": "s", **subscription})
    found = decide(ruleset, **fields)
    assert words(found) == ([] if why else ["sent"])
    assert [v.code.word for v in excluded(ruleset, event(**fields))] == ([why] if why else [])


def test_a_type_without_a_channel_matches_nothing() -> None:
    """An event that no channel takes is planned with no verdict and no delivery, and is no alert."""
    found = decide(rules({"name": "s"}), type="deploy:done")
    assert not found.matched
    assert found.verdicts == []
    assert found.deliveries == []


def test_system_channels_are_in_every_workspace() -> None:
    """A subscription may name a built-in channel by its type."""
    found = decide(rules({"name": "s", "channels": ["deploy:failed"]}), type="deploy:failed")
    assert words(found) == ["sent"]


def test_one_delivery_for_each_destination() -> None:
    """What reaches a destination through several subscriptions is delivered once, named after the first."""
    ruleset = rules({"name": "one", "destinations": ["a", "b"]}, {"name": "two", "channels": ["all"]})
    found = decide(ruleset)
    assert words(found) == ["sent", "sent"]
    first = ruleset.ids["subscription", "default", "one"]
    assert [d.subscription_id for d in found.deliveries] == [first, first]
    assert [d.id for d in found.deliveries] == [1001, 1002]
    assert all(d.event_number == 1000 and d.next_at_ms == NOW for d in found.deliveries)


def test_per_subscription_destinations_get_one_each() -> None:
    """`per_subscription` turns that off for one destination."""
    ruleset = rules(
        {"name": "one"},
        {"name": "two"},
        destinations=[{"name": "a", "type": "null", "per_subscription": True}, {"name": "b", "type": "null"}],
    )
    assert len(decide(ruleset).deliveries) == 2


def test_a_disabled_destination_is_left_out_with_its_verdict() -> None:
    """One disabled destination is named in a sent verdict; all disabled is the verdict itself, and takes no cooldown."""
    ruleset = rules({"name": "s", "destinations": ["a", "b"], "cooldown_seconds": 60})
    a, b = (ruleset.ids["destination", "default", name] for name in "ab")
    found = decide(ruleset, EngineState(closed={a: VerdictCode.DESTINATION_DISABLED}))
    assert words(found) == ["sent"]
    assert found.verdicts[0].destinations == ((a, VerdictCode.DESTINATION_DISABLED),)
    assert [d.destination_id for d in found.deliveries] == [b]
    found = decide(ruleset, EngineState(closed=dict.fromkeys((a, b), VerdictCode.DESTINATION_DISABLED)))
    assert words(found) == ["destination_disabled"]
    assert found.cooldowns == {}


def test_what_is_simulated_quiets_nothing_real() -> None:
    """Its cooldown and its occurrences are its own."""
    for state_of in ({"cooldown_seconds": 60}, {"occurrences": [1, 10]}):
        ruleset = rules({"name": "s", **state_of})
        found = decide(ruleset, source="alertd/simulation")
        assert words(found) == ["sent"]
        state = EngineState(found.cooldowns, counts=found.changes.counts if found.changes else {})
        assert words(plan(ruleset, state, event(), 2, NOW)) == ["sent"]
        assert words(plan(ruleset, state, event(source="alertd/simulation"), 3, NOW)) != ["sent"]


def test_cooldown_rests_to_the_millisecond() -> None:
    """After a sent alert its key rests for exactly the cooldown; the verdict tells what remains."""
    ruleset = rules({"name": "s", "cooldown_seconds": 60})
    state = EngineState(decide(ruleset).cooldowns)
    assert state.cooldowns
    late = decide(ruleset, state, NOW + 59_999)
    assert words(late) == ["cooldown"]
    assert late.verdicts[0].detail == 1
    assert late.cooldowns == {}
    assert words(decide(ruleset, state, NOW + 60_000)) == ["sent"]


def test_cooldown_is_kept_per_subscription_project_environment_and_key() -> None:
    """Another key, project, environment or subscription does not rest."""
    ruleset = rules({"name": "s", "cooldown_seconds": 60}, {"name": "t", "destinations": ["b"]})
    state = EngineState(decide(ruleset).cooldowns)
    assert words(decide(ruleset, state)) == ["cooldown", "sent"]
    for fields in ({"key": "other"}, {"project": "p"}, {"environment": "e"}):
        assert words(decide(ruleset, state, **fields)) == ["sent", "sent"]


def test_what_is_not_sent_takes_no_cooldown() -> None:
    """Severity and matchers are weighed before the cooldown is taken."""
    ruleset = rules({"name": "s", "cooldown_seconds": 60, "min_severity": "error"})
    assert decide(ruleset, severity="info").cooldowns == {}


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["run:failed", "deploy:failed", "other"]),
            "severity": st.sampled_from(["info", "error", "critical"]),
            "key": st.sampled_from(["a", "b"]),
            "environment": st.sampled_from(["prod", "dev"]),
        }
    ),
    max_size=20,
)


@given(EVENTS, st.integers(0, 20))
def test_a_restart_in_between_changes_no_plan(events: list[dict[str, Any]], cut: int) -> None:
    """Deciding goes on from stored cooldowns just as from those in memory."""
    ruleset = rules(
        {"name": "s", "cooldown_seconds": 10, "min_severity": "error"},
        {"name": "t", "channels": ["all"], "destinations": ["b"], "cooldown_seconds": 3, "environments": ["prod"]},
    )

    def run(restart_at: int | None) -> list[list[str]]:
        kept: dict[CooldownKey, int] = {}
        found = []
        for position, fields in enumerate(events):
            now = NOW + position * 1000
            if position == restart_at:
                kept = {key: until for key, until in kept.items() if until > now}
            made = decide(ruleset, EngineState(kept), now, **fields)
            kept.update(made.cooldowns)
            found.append(words(made))
        return found

    assert run(None) == run(cut)


VERDICTS = st.builds(
    Verdict,
    st.integers(1, 1 << 40),
    st.integers(1, 1 << 40),
    st.sampled_from(VerdictCode),
    st.none() | st.integers(0, 1 << 50) | st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.lists(st.tuples(st.integers(1, 1 << 40), st.sampled_from(VerdictCode)), max_size=3).map(tuple),
)


@given(st.lists(VERDICTS, max_size=5))
def test_verdicts_survive_being_stored(verdicts: list[Verdict]) -> None:
    """The stored form gives back what was decided."""
    assert decode(encode(verdicts)) == verdicts
