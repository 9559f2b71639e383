"""Difference: what a configuration would change in a workspace, before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.resources.documents import document_of
from alertd.resources.kinds import BY_WORD
from alertd.resources.snapshot import provisioned_entries

if TYPE_CHECKING:
    from alertd.model.workspace import Workspace
    from alertd.resources.entry import Entry
    from alertd.resources.secrecy import Secrecy
    from alertd.resources.snapshot import Snapshot


def difference(snapshot: Snapshot, workspace: Workspace, secrecy: Secrecy) -> list[dict[str, Any]]:
    """List what becomes of resources if the configuration held this workspace: made, changed, deleted; by kind and name.

    What the API made and the configuration does not name stays as it is. Secrets are compared, and shown as `***`.
    """
    name = workspace.name
    wanted = provisioned_entries([workspace], lambda *_: "the file")
    held = {key: entry for key, entry in snapshot.provisioned.items() if key[1] == name}
    changes = []
    for key in sorted({*wanted, *held}):
        before, after = snapshot.get(key), wanted.get(key)
        if after is None:
            after = snapshot.owned.get(key)  # what the configuration has hidden comes back
        if before is None or after is None or _document(before) != _document(after):
            changes.append(_change(key[0], before, after, secrecy))
    return changes


def _change(word: str, before: Entry | None, after: Entry | None, secrecy: Secrecy) -> dict[str, Any]:
    old, new = ({} if each is None else _document(each) for each in (before, after))
    kind, entry = BY_WORD[word], before or after
    return {
        "change": "created" if before is None else "deleted" if after is None else "updated",
        "kind": word,
        "name": entry.name if entry else "",
        "fields": [name for name in kind.model.model_fields if old.get(name) != new.get(name)],
        "before": None if before is None else secrecy.redacted(kind, old),
        "after": None if after is None else secrecy.redacted(kind, new),
    }


def _document(entry: Entry) -> dict[str, Any]:
    """Write a resource with its defaults where they are the model's own, so that naming one changes nothing."""
    model = entry.model
    own = {name: value for name, value in model.model_dump(mode="json").items() if name not in model.model_fields_set}
    return {**own, **document_of(model)}
