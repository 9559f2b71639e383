"""Event types over HTTP: one's own, those of the built-in catalogues, and those that were learnt from events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from alertd.api.resources import Collection
from alertd.clock import rfc3339
from alertd.model.catalogue import known_types
from alertd.model.event_type import EventType
from alertd.resources.kinds import EVENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.api.context import Context
    from alertd.model.fact import TypeFacts
    from alertd.resources.entry import Entry

_NOWHERE = {"provisioned": False, "origin": None, "created_at": None, "updated_at": None}


class EventTypes(Collection):
    """`/api/v1/workspaces/{workspace}/event-types`."""

    choices = ("built_in", "learnt")
    lives = True

    def __init__(self, context: Context) -> None:
        super().__init__(context, EVENT_TYPE)

    @override
    def status(self, entry: Entry) -> dict[str, Any]:
        """Show how the type was seen."""
        return {"built_in": False, "learnt": False, **self._seen(entry.workspace).get(entry.name, _NEVER)}

    @override
    def built_in(self, workspace: str) -> Iterable[dict[str, Any]]:
        """Give the types of the catalogues and those that were learnt, but for those that somebody has defined."""
        snapshot = self.context.registry.snapshot
        own = {entry.name for entry in snapshot.entries(EVENT_TYPE.word, workspace)}
        seen, known = self._seen(workspace), known_types(snapshot.workspace(workspace))
        for name, model in known.items():
            if name not in own:
                yield _view(model, seen.get(name, _NEVER), built_in=True)
        for name, facts in seen.items():
            if name not in own and name not in known:
                yield _view(EventType(name=name), facts, built_in=False)

    def _seen(self, workspace: str) -> dict[str, dict[str, Any]]:
        facts = self.context.facts.types(self.context.workspace_number(workspace))
        return {name: _facts(each) for name, each in facts.items()}


_NEVER: dict[str, Any] = {"first_seen_at": None, "last_seen_at": None, "events_total": 0}


def _facts(facts: TypeFacts) -> dict[str, Any]:
    return {
        "first_seen_at": rfc3339(facts.first_seen_ms),
        "last_seen_at": rfc3339(facts.last_seen_ms),
        "events_total": facts.events,
    }


def _view(model: EventType, seen: dict[str, Any], *, built_in: bool) -> dict[str, Any]:
    return {**model.model_dump(mode="json"), **_NOWHERE, "built_in": built_in, "learnt": not built_in, **seen}
