"""Compiling from what was compiled before gives what compiling from nothing gives, whatever has changed between them."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.engine.derivation import DerivationError
from alertd.engine.document import Documents, ruleset_of
from alertd.engine.ruleset import Reach, Ruleset, compile_ruleset, name_keys
from alertd.model.workspace import Workspace

if TYPE_CHECKING:
    from alertd.engine.ruleset import NameKey

NAMES = ("a", "b", "c")
TYPES = ("run:failed", "app_crashed", "made:x", "made:y", "made:z", "other")
PLACES = list(product(TYPES, ("", "shop"), ("prod", "dev")))


def numbers() -> dict[NameKey, int]:
    """Give every name that these workspaces may have its number."""
    kinds = ("channel", "destination", "subscription", "derived_type", "metric_alert")
    keys = [(kind, "default", name) for kind in kinds for name in (*NAMES, "app_crashed")]
    return {key: number for number, key in enumerate([*keys, *name_keys([Workspace(name="default")])], 1)}


IDS = numbers()
ENVIRONMENTS = st.sampled_from([(), ("prod",)])
CHANNELS = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["glob", "regex", "literal"]),
            "pattern": st.sampled_from(["made:x", "made:.*", "[mo].*"]),
            "environments": ENVIRONMENTS,
        }
    ),
    st.fixed_dictionaries({"kind": st.just("list"), "types": st.sampled_from([("made:x", "other"), ("app_crashed",)])}),
    st.fixed_dictionaries({"kind": st.just("group"), "pattern": st.sampled_from(["crashes", "deployments", "own"])}),
)
CHOSEN = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple)
SUBSCRIPTIONS = st.fixed_dictionaries(
    {
        "channels": CHOSEN,
        "destinations": CHOSEN,
        "projects": st.sampled_from([(), ("shop",)]),
        "environments": ENVIRONMENTS,
    }
)
DERIVED = st.fixed_dictionaries(
    {"type": st.sampled_from(["made:x", "made:y"]), "channel": st.sampled_from(NAMES), "occurrences": st.just((2,))}
)
METRICS = st.fixed_dictionaries(
    {"channel": st.sampled_from(NAMES), "field": st.just("v"), "when": st.just("above"), "limit": st.just(1.0),
     "subscriptions": st.sampled_from([(), ("a",)])}
)  # fmt: skip
TYPE = st.just({"name": "made:x", "group": "own", "data_schema": {"type": "object"}})


def named(items: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, dict[str, Any]]]:
    """Give up to three of a kind by their names."""
    return st.dictionaries(st.sampled_from(NAMES), items, max_size=3)


STEPS = st.one_of(
    st.tuples(st.just("channels"), named(CHANNELS)),
    st.tuples(st.just("channels"), named(CHANNELS)),
    st.tuples(st.just("subscriptions"), named(SUBSCRIPTIONS)),
    st.tuples(st.just("derived_types"), named(DERIVED)),
    st.tuples(st.just("metric_alerts"), named(METRICS)),
    st.tuples(st.just("event_types"), st.one_of(st.just({}), TYPE.map(lambda each: {"made:x": each}))),
    st.tuples(st.just("reach"), st.sampled_from([frozenset[str](), frozenset({"shop"}), None])),
)


def workspace(parts: dict[str, dict[str, dict[str, Any]]]) -> Workspace:
    """Make a workspace whose references all lead somewhere."""
    given_ = {kind: [{"name": name, **each} for name, each in own.items()] for kind, own in parts.items()}
    there = {"subscriptions": [each["name"] for each in given_.get("subscriptions", [])]}
    channels = {each["name"] for each in given_["channels"]}
    given_["channels"] += [{"name": n, "kind": "literal", "pattern": "none"} for n in NAMES if n not in channels]
    for each in given_.get("metric_alerts", []):
        each["subscriptions"] = [name for name in each["subscriptions"] if name in there["subscriptions"]]
    destinations = [{"name": name, "type": "null", "per_subscription": name == "c"} for name in NAMES]
    return Workspace.model_validate({"name": "default", "destinations": destinations, **given_})


def seen(ruleset: Ruleset) -> Any:
    """Say all that deciding asks of rules."""
    rules = ruleset.workspaces["default"]
    scopes = [rules.scope(*place) for place in PLACES]
    heard = [[(s, [c.id for c in channels]) for s, channels in rules.listening(name)] for name in TYPES]
    told = [
        (each.candidates, each.plain, each.system, each.derived, each.metrics, each.schema is None, each.closed)
        for each in scopes
    ]
    schemas = {name for name, each in rules.schemas.items() if each}
    return told, heard, rules.channel_count, rules.metrics, rules.known, schemas, rules.per_subscription


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=8))
def test_taking_over_changes_nothing(steps: list[tuple[str, Any]]) -> None:
    """Step by step, with all that rules have been asked before still remembered; what is refused is refused both times."""
    parts: dict[str, Any] = {"channels": {}}
    reach: Reach | None = Reach({})
    before: Ruleset | None = None
    for kind, content in steps:
        if kind == "reach":
            reach = None if content is None else Reach({("default", "a"): content}, frozenset({("default", "b")}))
        else:
            parts = {**parts, kind: content}
        whole = workspace(parts)
        try:
            fresh = compile_ruleset([whole], IDS, 1, None, reach or Reach({}))
        except DerivationError:
            fresh = None
        try:
            found = compile_ruleset([whole], IDS, 1, None, reach or Reach({}), before)
        except DerivationError:
            found = None
        if fresh is None or found is None:
            assert fresh is found is None
            continue
        assert seen(found) == seen(fresh)
        before = found


CHANNEL = {"kind": "glob", "pattern": "made:*"}
HEARD: dict[str, Any] = {
    "channels": {"a": CHANNEL},
    "subscriptions": {"a": {"channels": ("a",), "destinations": ("a",)}},
}


def compiled(parts: dict[str, Any], before: Ruleset | None = None) -> Ruleset:
    """Compile a workspace."""
    return compile_ruleset([workspace(parts)], IDS, 1, None, Reach({}), before)


def test_what_was_selected_stays_known_when_nobody_listens_to_what_is_new() -> None:
    """A channel of which nothing is made yet takes no event its scope; one that somebody listens to does."""
    first = compiled(HEARD)
    known = first.workspaces["default"].scope("made:x", "", "prod")
    silent = compiled({**HEARD, "channels": {"a": CHANNEL, "b": CHANNEL}}, first)
    assert silent.workspaces["default"].scope("made:x", "", "prod") is known
    heard = compiled({**HEARD, "channels": {"a": {**CHANNEL, "environments": ("dev",)}, "b": CHANNEL}}, silent)
    assert heard.workspaces["default"].scope("made:x", "", "prod").candidates == ()
    assert silent.workspaces["default"].scope("made:x", "", "prod") is known
    assert first.workspaces["default"].scope("made:x", "", "prod") is known


def test_other_reach_is_another_scope() -> None:
    """Where a destination reaches other people, what was selected before is looked for again, there alone."""
    whole = workspace(HEARD)
    first = compile_ruleset([whole], IDS, 1, None, Reach({}))
    assert first.workspaces["default"].scope("made:x", "", "prod").plain
    nobody = compile_ruleset([whole], IDS, 2, None, Reach({("default", "a"): frozenset()}), first)
    assert nobody.workspaces["default"].scope("made:x", "", "prod").closed
    assert first.workspaces["default"].scope("made:x", "", "prod").plain


@settings(max_examples=100)
@given(st.lists(STEPS, max_size=6))
def test_documents_are_written_as_if_anew(steps: list[tuple[str, Any]]) -> None:
    """What a document says does not depend on what was written before, and it can be compiled again."""
    parts: dict[str, Any] = {"channels": {}}
    documents = Documents()
    for kind, content in steps:
        if kind != "reach":
            parts = {**parts, kind: content}
        whole = workspace(parts)
        lines = documents.write([whole, Workspace(name="other")])
        assert lines == Documents().write([whole, Workspace(name="other")])
        ids = {**IDS, **{(k, "other", n): 1000 + m for m, (k, _, n) in enumerate(name_keys([Workspace(name="other")]))}}
        try:
            again = ruleset_of(b"\n".join(lines), 1, ids)
        except DerivationError:
            continue
        assert again.workspaces["default"].channel_count == compiled(parts).workspaces["default"].channel_count
    assert b"".join(Documents().write([])) == b"[]"
