"""The numbers of all names that the rules of now have, followed from one set of workspaces to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from alertd.model.catalogue import derived_types
from alertd.model.channel import SYSTEM_CHANNELS
from alertd.model.span import span_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from alertd.engine.ruleset import NameKey
    from alertd.model.workspace import Workspace
    from alertd.store.base import NameStore


class Numbers:
    """Asks the store for the numbers of what is new; a list that did not change is not looked at."""

    def __init__(self, store: NameStore) -> None:
        self._store = store
        self._lists: dict[tuple[str, int], _List] = {}
        self._ids: Mapping[NameKey, int] = {}

    async def of(self, workspaces: Sequence[Workspace]) -> Mapping[NameKey, int]:
        """Give every name that rules of these workspaces need with its number. Raises StoreUnavailableError."""
        lists: dict[tuple[str, int], _List] = {}
        gone: list[NameKey] = []
        fresh: list[NameKey] = []
        for own in workspaces:
            for place, (kind, items) in enumerate(_lists(own)):
                known = self._lists.get((own.name, place)) or _List(kind, own.name, ())
                if known.items is not items:
                    now = _List(kind, own.name, items)
                    start, old_stop, new_stop = span_of(known.identities(), now.identities())
                    gone += known.keys(start, old_stop)
                    fresh += now.keys(start, new_stop)
                    known = now
                lists[own.name, place] = known
        for left in self._lists.keys() - lists.keys():
            gone += self._lists[left].keys()
        if gone or fresh:
            ids = dict(self._ids)
            for key in gone:
                del ids[key]
            ids.update(await self._store.intern(fresh))
            self._ids = ids
        self._lists = lists
        return self._ids


class _List(NamedTuple):
    """One list of a workspace; what is built in is no more than its name."""

    kind: str
    workspace: str
    items: Sequence[Any]

    def identities(self) -> list[int]:
        """Tell its items from others without looking at them; holding them keeps that true."""
        return [*map(id, self.items)]

    def keys(self, start: int = 0, stop: int | None = None) -> list[NameKey]:
        """Give the keys of a part."""
        return [(self.kind, self.workspace, getattr(each, "name", each)) for each in self.items[start:stop]]


def _lists(workspace: Workspace) -> Iterator[tuple[str, Sequence[Any]]]:
    yield "workspace", (workspace.name,)
    yield "channel", SYSTEM_CHANNELS
    yield "channel", workspace.channels
    yield "destination", workspace.destinations
    yield "subscription", workspace.subscriptions
    yield "derived_type", derived_types(workspace)
    yield "metric_alert", workspace.metric_alerts
    yield "project", workspace.projects
