"""A ruleset as a document: what of the resources decides, as JSON, so that an old decision can be explained later.

Settings of destinations, people and schemas are not in it: no secret is, and what it explains is scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.model.compact import compact
from alertd.model.span import span_of
from alertd.model.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.engine.ruleset import NameKey, Ruleset
    from alertd.model.fields import Resource

_COLLECTIONS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("event_types", frozenset({"name", "group", "severity"})),
    ("channels", frozenset({"name", "kind", "pattern", "types", "environments"})),
    ("destinations", frozenset({"name", "type", "per_subscription"})),
    ("subscriptions", frozenset()),
    ("derived_types", frozenset()),
    ("metric_alerts", frozenset()),
)
"""The lists of a workspace that decide, and what is kept of their items (empty: all but the title)."""
_UNIMPORTANT: Final = frozenset({"title"})


class Documents:
    """Writes rulesets as lines, one for each resource. What did not change from one to the next is not written anew."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Lines] = {}

    def write(self, workspaces: Sequence[Workspace]) -> tuple[bytes, ...]:
        """Write the part of these workspaces that decides."""
        known: dict[tuple[str, str], _Lines] = {}
        lines: list[bytes] = []
        for position, workspace in enumerate(workspaces):
            lines += self._workspace(workspace, known, b"," if position else b"[")
        self._known = known
        return (*lines, b"]" if lines else b"[]")

    def _workspace(self, workspace: Workspace, known: dict[tuple[str, str], _Lines], opening: bytes) -> list[bytes]:
        lines = [opening + orjson.dumps({"name": workspace.name, "catalogues": workspace.catalogues})[:-1]]
        for name, fields in _COLLECTIONS:
            items = getattr(workspace, name)
            own = known[workspace.name, name] = self._known.get((workspace.name, name), _NOTHING).with_(items, fields)
            if own.lines:
                lines.append(b',"%s":[' % name.encode())
                lines += own.lines
                lines[-1] = lines[-1][:-1]  # without its comma
                lines.append(b"]")
        lines.append(b"}")
        return lines


class _Lines(NamedTuple):
    """The items of one list, each with its line."""

    items: Sequence[Resource]
    lines: list[bytes]

    def with_(self, items: Sequence[Resource], fields: frozenset[str]) -> _Lines:
        """Give the lines of other items."""
        if items is self.items:
            return self
        start, old_stop, new_stop = span_of(self.items, items)
        made = [compact(orjson.dumps(_plain(each, fields)) + b",") for each in items[start:new_stop]]
        return _Lines(items, [*self.lines[:start], *made, *self.lines[old_stop:]])


_NOTHING: Final = _Lines((), [])


def _plain(item: Resource, fields: frozenset[str]) -> dict[str, Any]:
    if fields:
        return item.model_dump(mode="json", include=set(fields), exclude_defaults=True)
    return item.model_dump(mode="json", exclude=set(_UNIMPORTANT), exclude_defaults=True)


def ruleset_of(document: bytes, revision: int, ids: Mapping[NameKey, int]) -> Ruleset:
    """Compile a document again; `ids` are the numbers of all names, which never change.

    Raises ValueError when this alertd cannot read it, KeyError when a name has no number.
    """
    workspaces = [Workspace.model_validate(each) for each in orjson.loads(document)]
    own = {key: ids[key] for key in name_keys(workspaces)}
    return compile_ruleset(workspaces, own, revision)
