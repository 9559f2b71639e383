"""A ruleset as a document: what of the resources decides, as JSON, so that an old decision can be explained later.

Settings of destinations, people and schemas are not in it: no secret is, and what it explains is scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.model.compact import compact
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
    """Writes rulesets. What did not change from one to the next is not written anew."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Resource, bytes]] = {}

    def write(self, workspaces: Sequence[Workspace]) -> bytes:
        """Write the part of these workspaces that decides."""
        known: dict[int, tuple[Resource, bytes]] = {}
        parts = [self._workspace(workspace, known) for workspace in workspaces]
        self._known = known
        return b"[" + b",\n".join(parts) + b"]"

    def _workspace(self, workspace: Workspace, known: dict[int, tuple[Resource, bytes]]) -> bytes:
        head = {"name": workspace.name, "catalogues": workspace.catalogues}
        lists = [orjson.dumps(head)[:-1]]
        for name, fields in _COLLECTIONS:
            items = [self._item(each, fields, known) for each in getattr(workspace, name)]
            if items:
                lists.append(b'"%s":[\n%s]' % (name.encode(), b",\n".join(items)))
        return b",".join(lists) + b"}"

    def _item(self, item: Resource, fields: frozenset[str], known: dict[int, tuple[Resource, bytes]]) -> bytes:
        before = self._known.get(id(item))
        if before is None or before[0] is not item:
            before = (item, compact(orjson.dumps(_plain(item, fields))))
        known[id(item)] = before
        return before[1]


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
