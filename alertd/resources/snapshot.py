"""A snapshot: every resource that is live at one moment, those of the configuration and those of the API as one.

Immutable; a change makes the next one and copies only what it touches. Where the configuration and the API name the same
resource, the configuration's counts and the other is hidden until that one is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.model.workspace import DEFAULT, WorkspaceSettings
from alertd.resources.assembly import Assembly
from alertd.resources.entry import Entry
from alertd.resources.kinds import (
    CHANNEL,
    DESTINATION,
    KINDS,
    OWNED_KINDS,
    SUBSCRIPTION,
    WORKSPACE,
    referred,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from alertd.model.workspace import Workspace
    from alertd.store.resource import ResourceKey


class Snapshot:
    """What is live. `owned` are the API's own entries, the hidden ones too."""

    def __init__(
        self,
        provisioned: Mapping[ResourceKey, Entry],
        owned: Mapping[ResourceKey, Entry],
        lists: dict[tuple[str, str], dict[str, Entry]] | None = None,
        assembly: Assembly | None = None,
    ) -> None:
        self.provisioned = provisioned
        self.owned = owned
        self._lists = _lists(provisioned, owned) if lists is None else lists
        self._assembly = Assembly(self._lists) if assembly is None else assembly

    def get(self, key: ResourceKey) -> Entry | None:
        """Return an entry, or None."""
        return self._lists.get(key[:2], {}).get(key[2])

    def entries(self, kind: str, workspace: str) -> list[Entry]:
        """All entries of a kind in a workspace: the configuration's in its order, then the API's, oldest first."""
        return list(self._lists.get((kind, workspace), {}).values())

    def names(self, kind: str, workspace: str) -> Iterable[str]:
        """All names of a kind in a workspace, the built-in ones included."""
        return self._assembly.names(kind, workspace)

    def knows(self, kind: str, workspace: str, name: str) -> bool:
        """Whether there is something of that kind and name in a workspace, built in or not."""
        return self._assembly.knows(kind, workspace, name)

    def built_in(self, kind: str, workspace: str) -> list[Entry]:
        """What of a kind is in a workspace without having been made, but for system channels."""
        own, made = self._lists.get((kind, workspace), {}), self.workspace(workspace)
        found = {each.word: getattr(made, each.field) for each in (CHANNEL, DESTINATION, SUBSCRIPTION)}
        return [Entry(kind, workspace, each.name, each) for each in found.get(kind, ()) if each.name not in own]

    def workspace_names(self) -> list[str]:
        """All workspaces."""
        return [name for kind, name in self._lists if kind == WORKSPACE.word]

    def hidden(self) -> list[Entry]:
        """What the API made and the configuration has taken the name of."""
        return [entry for key, entry in self.owned.items() if key in self.provisioned]

    def changed(self, kept: Sequence[Entry], removed: Sequence[ResourceKey]) -> Snapshot:
        """Return the next snapshot: without `removed`, with `kept`."""
        owned, lists = dict(self.owned), dict(self._lists)
        touched: set[tuple[str, str]] = set()

        def touch(place: tuple[str, str]) -> dict[str, Entry]:
            if place not in touched:
                touched.add(place)
                lists[place] = dict(lists.get(place, {}))
            return lists[place]

        for key in removed:
            owned.pop(key, None)
            touch(key[:2]).pop(key[2], None)
        for entry in kept:
            owned[entry.key] = entry
            if entry.key not in self.provisioned:
                touch(entry.key[:2])[entry.name] = entry
        for place in touched:
            if not lists[place]:
                del lists[place]
        gone = {key[:2] for key in removed}
        return Snapshot(self.provisioned, owned, lists, self._assembly.after(lists, touched, gone))

    def users(self, key: ResourceKey) -> list[tuple[Entry, str]]:
        """Every entry that refers to one, with the field in which it does."""
        return [
            (entry, name)
            for kind in OWNED_KINDS
            for name, noun in kind.references
            if noun == key[0]
            for entry in self.entries(kind.word, key[1])
            if key[2] in referred(entry.model, name)
        ]

    @property
    def assembled(self) -> bool:
        """Whether `workspaces` has little to do."""
        return self._assembly.begun

    def workspaces(self) -> list[Workspace]:
        """Everything as workspaces with their resources, for compiling; references that lead nowhere are left out."""
        return [self.workspace(name) for name in self.workspace_names()]

    def workspace(self, name: str) -> Workspace:
        """One workspace with its resources (it must be there)."""
        return self._assembly.workspace(name)


def _lists(
    provisioned: Mapping[ResourceKey, Entry], owned: Mapping[ResourceKey, Entry]
) -> dict[tuple[str, str], dict[str, Entry]]:
    lists: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in (*provisioned.values(), *owned.values()):
        lists.setdefault((entry.kind, entry.workspace), {}).setdefault(entry.name, entry)
    built_in = Entry(WORKSPACE.word, DEFAULT, DEFAULT, WorkspaceSettings(name=DEFAULT))
    lists.setdefault((WORKSPACE.word, DEFAULT), {DEFAULT: built_in})
    return lists


def provisioned_entries(
    workspaces: Iterable[Workspace], origin: Callable[[str, str, str], str | None]
) -> dict[ResourceKey, Entry]:
    """Turn the configuration's workspaces into entries; `origin` finds a place by (workspace, collection, name).

    A workspace without a place was not written: it is only there because `default` always is.
    """
    found: dict[ResourceKey, Entry] = {}
    for workspace in workspaces:
        name, place = workspace.name, origin(workspace.name, "workspaces", workspace.name)
        if place is not None:
            entry = Entry(WORKSPACE.word, name, name, _settings(workspace), 0, place)
            found[entry.key] = entry
        for kind in KINDS:
            for model in getattr(workspace, kind.field):
                at = origin(name, kind.field, model.name) or "the configuration"
                entry = Entry(kind.word, name, model.name, model, 0, at)
                found.setdefault(entry.key, entry)
    return found


def _settings(workspace: Workspace) -> WorkspaceSettings:
    given = {
        name: getattr(workspace, name) for name in WorkspaceSettings.model_fields if name in workspace.model_fields_set
    }
    return WorkspaceSettings.model_construct(set(given), **given)
