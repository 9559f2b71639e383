"""Groups that channels join keep their last type, and whatever is removed, what is left can be read and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alertd.clock import SystemClock
from alertd.config.load import load_config
from alertd.errors import ConflictError
from alertd.resources.dangling import dangling
from alertd.resources.kinds import BY_WORD, CHANNEL, EVENT_TYPE, WORKSPACE
from alertd.resources.snapshot import Snapshot, provisioned_entries
from alertd.store.memory import MemoryStore
from tests.unit.resources.test_registry import FREE, Live, registry_on

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.resources.registry import Registry
    from alertd.store.resource import ResourceKey

LONE = {"name": "deploy:late", "group": "lone"}
JOINED = {"name": "joined", "kind": "group", "pattern": "lone"}
WHOLE: list[tuple[str, dict[str, Any]]] = [
    ("event_type", LONE),
    ("project", {"name": "shop"}),
    ("channel", {"name": "runs", "kind": "glob", "pattern": "run:*"}),
    ("channel", JOINED),
    ("destination", {"name": "a", "type": "null"}),
    ("destination", {"name": "b", "type": "null"}),
    ("subscription", {"name": "one", "channels": ["runs"], "destinations": ["a", "b"]}),
    ("subscription", {"name": "two", "channels": ["runs", "joined"], "destinations": ["b"], "projects": ["shop"]}),
    ("derived_type", {"name": "many", "type": "m", "channel": "joined", "occurrences": [2]}),
    ("derived_type", {"name": "more", "type": "n", "types": ["m"], "occurrences": [2]}),
    (
        "metric_alert",
        {"name": "x", "channel": "runs", "field": "v", "when": "above", "limit": 1, "destinations": ["a"]},
    ),
    (
        "metric_alert",
        {"name": "y", "types": ["t"], "field": "v", "when": "above", "limit": 1, "subscriptions": ["two"]},
    ),
]
"""A workspace in which much refers to other things: a kind and a document each."""


@pytest.fixture
def store() -> MemoryStore:
    """Keep what the registry stores."""
    return MemoryStore(SystemClock())


@pytest.fixture
async def registry(store: MemoryStore) -> Registry:
    """Make a registry that holds the whole workspace."""
    made = registry_on(store, Live())
    await made.load({})
    for kind, document in WHOLE:
        await made.create(BY_WORD[kind], "default", document, "ann")
    return made


@pytest.mark.parametrize("key", [(kind, "default", document["name"]) for kind, document in WHOLE], ids=str)
async def test_what_a_cascade_leaves_can_be_read_and_run(
    registry: Registry, store: MemoryStore, tmp_path: Path, key: ResourceKey
) -> None:
    """Whatever is removed, the rest is there after a restart, refers to nothing that is gone, and its export is taken."""
    await registry.remove(key, FREE, "bob", cascade=True)
    again = registry_on(store, Live())
    left = await again.load({})
    assert left.get(key) is None
    assert dangling(left) == []
    file = tmp_path / "alertd.yml"
    file.write_text(await again.export("default"))
    (workspace,) = load_config(file, {}).workspaces
    assert {entry.key for entry in provisioned_entries([workspace], lambda *_: None).values()} == left.owned.keys()


async def test_the_last_type_of_a_group_is_in_use(registry: Registry) -> None:
    """It is not removed, and leaves its group by no change, while a channel joins that; with a cascade the channel goes."""
    key = ("event_type", "default", LONE["name"])
    for change in (registry.remove(key, FREE, "bob"), registry.patch(key, {"group": "other"}, FREE, "bob")):
        with pytest.raises(ConflictError) as caught:
            await change
        assert [problem.pointer for problem in caught.value.problems] == ["/channels/joined"]
    await registry.patch(key, {"title": "Late"}, FREE, "bob")
    await registry.create(EVENT_TYPE, "default", {**LONE, "name": "deploy:later"}, "ann")
    await registry.remove(key, FREE, "bob")
    await registry.remove(("event_type", "default", "deploy:later"), FREE, "bob", cascade=True)
    assert registry.snapshot.get(("channel", "default", "joined")) is None


async def test_a_catalogue_whose_group_is_joined_stays_on(registry: Registry) -> None:
    """Switching it off would leave the channel without a type; so would taking all of its types into other groups."""
    await registry.create(CHANNEL, "default", {**JOINED, "name": "code", "pattern": "source"}, "ann")
    with pytest.raises(ConflictError):
        await registry.patch((WORKSPACE.word, "default", "default"), {"catalogues": ["runs"]}, FREE, "bob")
    await registry.create(EVENT_TYPE, "default", {"name": "github_link", "group": "other"}, "ann")
    with pytest.raises(ConflictError):
        await registry.create(EVENT_TYPE, "default", {"name": "github_unlink", "group": "other"}, "ann")
    await registry.patch((WORKSPACE.word, "default", "default"), {"catalogues": ["paas"]}, FREE, "bob")


async def test_a_group_without_a_type_leads_nowhere(registry: Registry) -> None:
    """A configuration that takes the types away is told which channel joins them."""
    owned = {key: entry for key, entry in registry.snapshot.owned.items() if key[0] != "event_type"}
    found = [(entry.name, field, name) for entry, field, name in dangling(Snapshot({}, owned))]
    assert found == [("joined", "pattern", "lone")]
