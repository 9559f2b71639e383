"""The scope index: the same answers as asking every subscription, at a cost that follows what is selected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.engine import channel
from alertd.engine.router import excluded
from alertd.engine.rules import excluded_by
from alertd.engine.scope import FEW, PAIRS_MAX
from tests.unit.engine.timeline import compiled, made_event

PLACES = st.sampled_from(["", "p", "q", "r"])
SETS = st.lists(PLACES, max_size=3, unique=True)
SUBSCRIPTION = st.fixed_dictionaries(
    {
        "projects": SETS,
        "environments": SETS,
        "channels": st.lists(st.sampled_from(["all", "some", "limited"]), min_size=1, max_size=3, unique=True),
    }
)


@given(st.lists(SUBSCRIPTION, max_size=8), SETS, SETS, PLACES, PLACES, st.sampled_from([0, 2, FEW]))
def test_it_selects_what_asking_each_would(
    subscriptions: list[dict[str, Any]], seen: list[str], limited: list[str], project: str, environment: str, few: int
) -> None:
    """Whatever projects and environments subscriptions and channels name, one is selected or left out with its field."""
    channels = [
        {"name": "all", "kind": "glob", "pattern": "*"},
        {"name": "some", "kind": "list", "types": ["x", "y"], "environments": seen},
        {"name": "limited", "kind": "glob", "pattern": "*", "environments": limited},
    ]
    named = [{"name": f"s{n}", "destinations": ["a"], **each} for n, each in enumerate(subscriptions)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channel, "FEW", few)
        ruleset = compiled(channels=channels, subscriptions=named)
    rules = ruleset.workspaces["default"]
    inside = {s.id for s, _ in rules.scope("x", project, environment).candidates}
    asked = {s.id for s, c in rules.listening("x") if excluded_by(s, c, project, environment) is None}
    left = {
        v.subscription_id
        for v in excluded(ruleset, made_event(1, 0, type="x", project=project, environment=environment))
    }
    assert inside == asked
    assert inside | left == {ruleset.ids["subscription", "default", each["name"]] for each in named}
    assert not inside & left


def test_the_order_of_the_file_stays() -> None:
    """Whatever they name, subscriptions are weighed in the order that they are written in."""
    places = [{"projects": ["p"]}, {}, {"environments": ["e"]}, {"projects": ["p"], "environments": ["e"]}, {}]
    subscriptions = [{"name": f"s{n}", "channels": ["all"], "destinations": ["a"], **p} for n, p in enumerate(places)]
    rules = compiled(subscriptions=subscriptions).workspaces["default"]
    assert [s.order for s, _ in rules.scope("x", "p", "e").candidates] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [32, 33])
def test_one_that_names_very_much_is_found_all_the_same(count: int) -> None:
    """At the bound of pairs and beyond it."""
    assert (PAIRS_MAX >= 32 * 32) is (PAIRS_MAX < 32 * 33)
    wide = {"projects": [f"p{n}" for n in range(32)], "environments": [f"e{n}" for n in range(count)]}
    rules = compiled(subscriptions=[{"name": "s", "channels": ["all"], "destinations": ["a"], **wide}])
    scope = rules.workspaces["default"].scope
    assert len(scope("x", "p31", f"e{count - 1}").candidates) == 1
    assert [scope("x", *place).candidates for place in (("p1", "e99"), ("p99", "e1"), ("", "e1"), ("p1", ""))] == [
        ()
    ] * 4


@given(st.sampled_from(["app_deployed", "deploy:failed", "app_scaled", "app_renamed", "alertd.started", "boom"]))
def test_groups_and_lists_select_their_types(name: str) -> None:
    """A group selects the types of the catalogues that are on and the workspace's own; a list selects what it names."""
    channels = [
        {"name": "deploys", "kind": "group", "pattern": "deployments"},
        {"name": "mine", "kind": "list", "types": ["app_scaled", "app_renamed", "app_scaled", "alertd.started"]},
        {"name": "own", "kind": "group", "pattern": "explosions"},
    ]
    subscriptions = [{"name": c["name"], "channels": [c["name"]], "destinations": ["a"]} for c in channels]
    types = [{"name": "boom", "group": "explosions"}]
    ruleset = compiled(channels=channels, subscriptions=subscriptions, event_types=types)
    found = [ruleset.names[s.id][2] for s, _ in ruleset.workspaces["default"].scope(name, "", "").candidates]
    expected = {"app_deployed": "deploys", "deploy:failed": "deploys", "boom": "own"}
    assert found == [expected.get(name, "mine")]


def test_a_catalogue_that_is_off_has_no_types() -> None:
    """Its groups are empty, and its derived types are not made."""
    channels = [{"name": "deploys", "kind": "group", "pattern": "deployments"}]
    subscriptions = [{"name": "s", "channels": ["deploys"], "destinations": ["a"]}]
    rules = compiled(channels=channels, subscriptions=subscriptions, catalogues=["runs"]).workspaces["default"]
    assert rules.scope("app_deployed", "", "").candidates == ()
    assert len(rules.scope("deploy:failed", "", "").candidates) == 1
