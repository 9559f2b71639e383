"""A snapshot: every resource that is live at one moment, those of the configuration and those of the API as one.

Immutable; a change makes the next one and copies only what it touches. Where the configuration and the API name the same
resource, the configuration's counts and the other is hidden until that one is gone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from alertd.model.defaults import OWNER, critical_channel, default_subscriptions
from alertd.model.workspace import DEFAULT, Workspace, WorkspaceSettings
from alertd.resources.documents import document_of
from alertd.resources.kinds import (
    BY_WORD,
    CHANNEL,
    DESTINATION,
    KINDS,
    OWNED_KINDS,
    PROJECT,
    SUBSCRIPTION,
    WORKSPACE,
    Kind,
    referred,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from alertd.model.fields import Resource
    from alertd.model.subscription import Subscription
    from alertd.store.resource import ResourceKey


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource: `origin` says where the configuration holds it (`alertd.yml:42`; None: made over the API)."""

    kind: str
    workspace: str
    name: str
    model: Resource = field(repr=False)
    version: int = 0
    origin: str | None = None
    created_at_ms: int | None = None
    updated_at_ms: int | None = None

    @property
    def built_in(self) -> bool:
        """Whether nobody made it."""
        return self.origin is None and self.version == 0

    @property
    def key(self) -> ResourceKey:
        """What it is found by."""
        return (self.kind, self.workspace, self.name)

    @property
    def etag(self) -> str:
        """The entity tag of its present state, quotes included."""
        if self.origin is None:
            return f'"{self.version}"'
        text = orjson.dumps(document_of(self.model), option=orjson.OPT_SORT_KEYS)
        return f'"p{hashlib.sha256(text).hexdigest()[:16]}"'


class Snapshot:
    """What is live. `owned` are the API's own entries, the hidden ones too."""

    def __init__(
        self,
        provisioned: Mapping[ResourceKey, Entry],
        owned: Mapping[ResourceKey, Entry],
        lists: dict[tuple[str, str], dict[str, Entry]] | None = None,
        assembled: Mapping[str, Workspace] | None = None,
    ) -> None:
        self.provisioned = provisioned
        self.owned = owned
        self._lists = _lists(provisioned, owned) if lists is None else lists
        self._workspaces = dict(assembled or {})

    def get(self, key: ResourceKey) -> Entry | None:
        """Return an entry, or None."""
        return self._lists.get(key[:2], {}).get(key[2])

    def entries(self, kind: str, workspace: str) -> list[Entry]:
        """All entries of a kind in a workspace: the configuration's in its order, then the API's, oldest first."""
        return list(self._lists.get((kind, workspace), {}).values())

    def names(self, kind: str, workspace: str) -> Iterable[str]:
        """All names of a kind in a workspace, the built-in ones included."""
        known = BY_WORD.get(kind)
        defaults = self._default_subscriptions(workspace) if kind == SUBSCRIPTION.word else ()
        own = self._lists.get((kind, workspace), {})
        return (*own, *(known.built_in if known else ()), *(each.name for each in defaults if each.name not in own))

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

    def changed(self, kept: Iterable[Entry], removed: Iterable[ResourceKey]) -> Snapshot:
        """Return the next snapshot: without `removed`, with `kept`."""
        owned, lists, assembled = dict(self.owned), dict(self._lists), dict(self._workspaces)

        def touch(key: ResourceKey) -> dict[str, Entry]:
            assembled.pop(key[1], None)
            found = lists[key[:2]] = dict(lists.get(key[:2], {}))
            return found

        for key in removed:
            owned.pop(key, None)
            touch(key).pop(key[2], None)
            if not lists[key[:2]]:
                del lists[key[:2]]
        for entry in kept:
            owned[entry.key] = entry
            if entry.key not in self.provisioned:
                touch(entry.key)[entry.name] = entry
        return Snapshot(self.provisioned, owned, lists, assembled)

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

    def workspaces(self) -> list[Workspace]:
        """Everything as workspaces with their resources, for compiling; references that lead nowhere are left out."""
        return [self.workspace(name) for name in self.workspace_names()]

    def workspace(self, name: str) -> Workspace:
        """One workspace with its resources (it must be there)."""
        found = self._workspaces.get(name)
        if found is None:
            found = self._workspaces[name] = self._assemble(name)
        return found

    def _assemble(self, name: str) -> Workspace:
        own: dict[str, Any] = {kind.field: tuple(self._sound(kind, name)) for kind in KINDS}
        head = self._lists[WORKSPACE.word, name][name].model
        whole = Workspace.model_construct(None, **{**dict(head), **own})
        channel = critical_channel(whole)
        defaults = self._default_subscriptions(name) if channel is not None else ()
        more = {CHANNEL: (channel,) if channel else (), DESTINATION: (OWNER,), SUBSCRIPTION: defaults}
        return whole.model_copy(
            update={kind.field: (*own[kind.field], *_new(own[kind.field], m)) for kind, m in more.items()}
        )

    def _default_subscriptions(self, workspace: str) -> tuple[Subscription, ...]:
        return default_subscriptions(self._lists.get((PROJECT.word, workspace), {}))

    def _sound(self, kind: Kind, workspace: str) -> Iterator[Resource]:
        known = {noun: frozenset(self.names(noun, workspace)) for _, noun in kind.references}
        for entry in self.entries(kind.word, workspace):
            model = entry.model
            if all(known[noun].issuperset(referred(model, name)) for name, noun in kind.references):
                yield model
            else:
                yield without(model, [(name, known[noun]) for name, noun in kind.references])

    def dangling(self) -> list[tuple[Entry, str, str]]:
        """References that lead nowhere: the entry, its field, the missing name."""
        return [
            (entry, name, missing)
            for workspace in self.workspace_names()
            for kind in KINDS
            for name, noun in kind.references
            for known in [frozenset(self.names(noun, workspace))]
            for entry in self.entries(kind.word, workspace)
            for missing in referred(entry.model, name)
            if missing not in known
        ]


def without(model: Resource, known: Iterable[tuple[str, Collection[str]]]) -> Resource:
    """Return a resource whose references are only to `known` names; one that loses the last it had is switched off."""
    update: dict[str, Any] = {}
    for name, names in known:
        before = referred(model, name)
        kept = tuple(each for each in before if each in names)
        if kept != before:
            update[name] = kept if isinstance(getattr(model, name), tuple) else None
            if not kept:
                update["enabled"] = False  # what is left of it could only pass for something that sends
    return model.model_copy(update=update)


def _new(own: Iterable[Any], built_in: Iterable[Resource]) -> Iterator[Resource]:
    """Give what is built in and not replaced by a resource of the user's own."""
    taken = {each.name for each in own}
    return (each for each in built_in if each.name not in taken)  # type: ignore[attr-defined]


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
