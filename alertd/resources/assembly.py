"""The assembly of workspaces out of entries, with what nobody made. What a change does not touch is not assembled again."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from alertd.model.defaults import OWNER, critical_channel, default_subscriptions
from alertd.model.workspace import Workspace
from alertd.resources.kinds import (
    BY_WORD,
    CHANNEL,
    DESTINATION,
    EVENT_TYPE,
    KINDS,
    PROJECT,
    SUBSCRIPTION,
    WORKSPACE,
    Kind,
    referred,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from alertd.model.fields import Resource
    from alertd.model.subscription import Subscription
    from alertd.resources.entry import Entry

Place = tuple[str, str]
"""(kind, workspace)"""

_FEEDS: Final = {
    WORKSPACE.word: (CHANNEL.word, SUBSCRIPTION.word),
    EVENT_TYPE.word: (CHANNEL.word, SUBSCRIPTION.word),
    PROJECT.word: (SUBSCRIPTION.word,),
}
"""Of which kinds something is built in that follows from a kind."""
_NAMES: Final = {PROJECT.word: SUBSCRIPTION.word}
"""The kind of which something is named after a kind."""
_USERS: Final = {word: tuple(k.word for k in KINDS if word in {noun for _, noun in k.references}) for word in BY_WORD}
"""The kinds that refer to a kind."""

_model: Final = attrgetter("model")


class Assembly:
    """Workspaces as they are now. What is made of `lists`, which do not change, is remembered."""

    def __init__(self, lists: Mapping[Place, Mapping[str, Entry]]) -> None:
        self._lists = lists
        self._own: dict[Place, tuple[Resource, ...]] = {}
        self._unsound: set[Place] = set()
        self._whole: dict[Place, tuple[Resource, ...]] = {}
        self._defaults: dict[str, dict[str, Subscription]] = {}
        self._workspaces: dict[str, Workspace] = {}

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with."""
        return bool(self._own)

    def after(
        self, lists: Mapping[Place, Mapping[str, Entry]], touched: Collection[Place], gone: Collection[Place]
    ) -> Assembly:
        """Give the assembly of other lists: those at `touched` places are others, those at `gone` ones have lost a name.

        What refers to a list that has only gained names is as sound as it was.
        """
        own, whole, unsound = dict(self._own), dict(self._whole), set(self._unsound)
        defaults, workspaces = dict(self._defaults), dict(self._workspaces)
        for kind, workspace in touched:
            workspaces.pop(workspace, None)
            others = [*_FEEDS.get(kind, ()), kind]
            for named in (kind, _NAMES.get(kind, kind)):
                users = [(user, workspace) for user in _USERS[named]]
                lost = (kind, workspace) in gone
                for user in users:
                    if lost or user in unsound:
                        own.pop(user, None)
                        others.append(user[0])
            for other in others:
                whole.pop((other, workspace), None)
            own.pop((kind, workspace), None)
            if kind == PROJECT.word:
                defaults.pop(workspace, None)
        after = Assembly(lists)
        after._own, after._whole, after._unsound = own, whole, unsound & own.keys()
        after._defaults, after._workspaces = defaults, workspaces
        return after

    def workspace(self, name: str) -> Workspace:
        """One workspace with its resources (it must be there)."""
        found = self._workspaces.get(name)
        if found is None:
            found = self._workspaces[name] = self._assemble(name)
        return found

    def names(self, kind: str, workspace: str) -> Iterable[str]:
        """All names of a kind in a workspace, the built-in ones included."""
        own, known = self._lists.get((kind, workspace), {}), BY_WORD.get(kind)
        defaults = self.defaults(workspace) if kind == SUBSCRIPTION.word else ()
        return (*own, *(known.built_in if known else ()), *(name for name in defaults if name not in own))

    def knows(self, kind: str, workspace: str, name: str) -> bool:
        """Whether a name is among them."""
        known = BY_WORD.get(kind)
        if name in self._lists.get((kind, workspace), ()) or (known is not None and name in known.built_in):
            return True
        return kind == SUBSCRIPTION.word and name in self.defaults(workspace)

    def defaults(self, workspace: str) -> Mapping[str, Subscription]:
        """Give the default subscriptions of a workspace's projects, by name."""
        found = self._defaults.get(workspace)
        if found is None:
            made = default_subscriptions(self._lists.get((PROJECT.word, workspace), {}))
            found = self._defaults[workspace] = {each.name: each for each in made}
        return found

    # -- below ----------------------------------------------------------------------------------------------------

    def _assemble(self, name: str) -> Workspace:
        head = self._lists[WORKSPACE.word, name][name].model
        own: dict[str, Any] = {kind.field: self._sound(kind, name) for kind in KINDS}
        whole = Workspace.model_construct(None, **{**dict(head), **own})
        more = {kind.field: self._with_built_in(kind, name, whole) for kind in (CHANNEL, DESTINATION, SUBSCRIPTION)}
        return whole.model_copy(update=more)

    def _with_built_in(self, kind: Kind, workspace: str, whole: Workspace) -> tuple[Resource, ...]:
        """Give a list with what is built in and not replaced by a resource of the user's own."""
        place = (kind.word, workspace)
        found = self._whole.get(place)
        if found is None:
            taken = self._lists.get(place, {})
            made = (each for each in self._built_in(kind, workspace, whole) if each.name not in taken)
            found = self._whole[place] = (*self._own[place], *made)
        return found

    def _built_in(self, kind: Kind, workspace: str, whole: Workspace) -> Iterable[Any]:
        if kind is DESTINATION:
            return (OWNER,)
        channel = critical_channel(whole)
        if channel is None:
            return ()
        return (channel,) if kind is CHANNEL else self.defaults(workspace).values()

    def _sound(self, kind: Kind, workspace: str) -> tuple[Resource, ...]:
        """Give a list without references that lead nowhere."""
        place = (kind.word, workspace)
        found = self._own.get(place)
        if found is None:
            entries = self._lists.get(place, {}).values()
            found = tuple(map(_model, entries))
            if kind.references:
                sound = tuple(self._mended(kind, workspace, model) for model in found)
                if any(one is not other for one, other in zip(found, sound, strict=True)):
                    self._unsound.add(place)
                found = sound
            self._own[place] = found
        return found

    def _mended(self, kind: Kind, workspace: str, model: Resource) -> Resource:
        known = {
            field: [name for name in referred(model, field) if self.knows(noun, workspace, name)]
            for field, noun in kind.references
        }
        if all(len(names) == len(referred(model, field)) for field, names in known.items()):
            return model
        return without(model, known.items())


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
