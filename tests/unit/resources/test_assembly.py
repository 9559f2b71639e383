"""The assembly: whatever was changed before, workspaces are what they would be if they were put together anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.resources.dangling import dangling
from alertd.resources.entry import Entry
from alertd.resources.kinds import BY_WORD, OWNED_KINDS
from alertd.resources.snapshot import Snapshot

if TYPE_CHECKING:
    from alertd.model.workspace import Workspace
    from alertd.store.resource import ResourceKey

NAMES = st.sampled_from(["a", "b", "default", "default-a", "critical-types", "owner-email"])
REFERRED = st.lists(NAMES, min_size=1, max_size=2, unique=True)
DOCUMENTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "channel": st.just({"kind": "glob", "pattern": "x*"}),
    "destination": st.just({"type": "null"}),
    "project": st.just({}),
    "event_type": st.fixed_dictionaries({"severity": st.sampled_from(["critical", "info"])}),
    "subscription": st.fixed_dictionaries({"channels": REFERRED, "destinations": REFERRED}),
    "derived_type": st.fixed_dictionaries({"channel": NAMES, "type": st.just("t"), "occurrences": st.just([2])}),
    "metric_alert": st.fixed_dictionaries(
        {
            "channel": NAMES,
            "field": st.just("v"),
            "when": st.just("above"),
            "limit": st.just(1),
            "subscriptions": st.lists(NAMES, max_size=2, unique=True),
            "destinations": st.lists(NAMES, max_size=2, unique=True),
        }
    ),
    "workspace": st.fixed_dictionaries({"catalogues": st.sampled_from([[], ["paas"]])}),
}


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Draw a resource, whatever it refers to."""
    kind = BY_WORD[draw(st.sampled_from(sorted(DOCUMENTS)))]
    name = "default" if kind.word == "workspace" else draw(NAMES)
    model = kind.model.model_validate({"name": name, **draw(DOCUMENTS[kind.word])})
    return Entry(kind.word, "default", name, model, 1)


@st.composite
def changes(draw: st.DrawFn) -> tuple[list[Entry], list[ResourceKey]]:
    """Draw what is kept and what is removed together."""
    kept = draw(st.lists(entries(), max_size=3))
    removed = draw(st.lists(entries(), max_size=2))
    return kept, [entry.key for entry in removed if entry.kind != "workspace"]


def shown(workspace: Workspace) -> dict[str, Any]:
    """Write a workspace down."""
    return workspace.model_dump(mode="json")


@settings(max_examples=300)
@given(st.lists(entries(), max_size=3), st.lists(changes(), max_size=6))
def test_a_change_is_as_a_new_beginning(
    given_: list[Entry], changed: list[tuple[list[Entry], list[ResourceKey]]]
) -> None:
    """Lists, references that lead nowhere, what is built in, and all names, after each of many changes."""
    provisioned = {entry.key: entry for entry in given_ if entry.kind != "workspace"}
    snapshot = Snapshot(provisioned, {})
    for kept, named in changed:
        removed = [key for key in named if key not in provisioned]
        before = shown(snapshot.workspace("default"))
        after = snapshot.changed(kept, removed)
        anew = Snapshot(provisioned, after.owned)
        found = shown(after.workspace("default"))
        expected = shown(anew.workspace("default"))
        for name, value in expected.items():
            assert _sorted(found[name]) == _sorted(value), name
        assert shown(snapshot.workspace("default")) == before
        for kind in OWNED_KINDS:
            names = set(anew.names(kind.word, "default"))
            assert set(after.names(kind.word, "default")) == names
            assert all(after.knows(kind.word, "default", name) for name in names)
            assert not after.knows(kind.word, "default", "none")
        assert {(e.key, *rest) for e, *rest in dangling(after)} == {(e.key, *rest) for e, *rest in dangling(anew)}
        snapshot = after


def _sorted(value: Any) -> Any:
    """Leave out the order: what was removed and made again is at another place than in the order of a start."""
    return (
        sorted(value, key=lambda each: str(each["name"]))
        if isinstance(value, list) and value[:1] and isinstance(value[0], dict)
        else value
    )


def test_what_is_not_touched_is_the_same_list() -> None:
    """A new channel leaves destinations and subscriptions as they are, so that nothing has to look at them."""
    make = BY_WORD["channel"].model.model_validate
    first = Entry("channel", "default", "a", make({"name": "a", "kind": "glob", "pattern": "x"}), 1)
    tell = BY_WORD["subscription"].model.model_validate(
        {"name": "s", "channels": ["a"], "destinations": ["owner-email"]}
    )
    snapshot = Snapshot({}, {}).changed([first, Entry("subscription", "default", "s", tell, 1)], [])
    one = snapshot.workspace("default")
    second = Entry("channel", "default", "b", make({"name": "b", "kind": "glob", "pattern": "y"}), 1)
    other = snapshot.changed([second], []).workspace("default")
    assert [channel.name for channel in other.channels] == ["a", "b", "critical-types"]
    assert other.subscriptions is one.subscriptions
    assert other.destinations is one.destinations
