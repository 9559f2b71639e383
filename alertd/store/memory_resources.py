"""Resources, their log and the rulesets that they made, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.model.ids import milliseconds
from alertd.store.memory_names import MemoryNames
from alertd.store.resource import WORKSPACE_KIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.store.resource import AuditEntry, AuditFilter, ResourceKey, RulesetDocument, StoredResource


class MemoryResources(MemoryNames):
    """What the registry asks, and what explains old decisions."""

    def __init__(self) -> None:
        super().__init__()
        self._resources: dict[ResourceKey, StoredResource] = {}
        self._revisions: dict[int, bytes] = {}

    async def resources(self) -> list[StoredResource]:
        """Every kept resource."""
        return sorted(self._resources.values(), key=lambda r: (r.kind, r.workspace, r.created_at_ms, r.name))

    async def change_resources(
        self,
        kept: Sequence[StoredResource],
        removed: Sequence[ResourceKey],
        audit: Sequence[AuditEntry],
        ruleset: RulesetDocument | None = None,
    ) -> None:
        """Remove, keep and log, in one step."""
        self._write()
        for key in removed:
            self._resources.pop(key, None)
            if key[0] == WORKSPACE_KIND:
                self._tokens = {number: own for number, own in self._tokens.items() if own.workspace != key[1]}
        self._resources.update({resource.key: resource for resource in kept})
        self._audit += audit
        if ruleset is not None:
            self._keep_ruleset(ruleset)

    async def keep_revision(self, document: RulesetDocument) -> None:
        """Keep a ruleset's document, as the newest."""
        self._write()
        self._keep_ruleset(document)

    async def revision(self, revision: int) -> bytes | None:
        """The document of a revision."""
        return self._revisions.get(revision)

    def _keep_ruleset(self, document: RulesetDocument) -> None:
        self._revisions[document.revision] = b"\n".join(document.lines)
        self._meta["revision"] = str(document.revision)

    async def audit(self, which: AuditFilter) -> list[AuditEntry]:
        """Up to `limit` entries, newest first."""
        found = [entry for entry in self._audit if _fits(entry, which)]
        return sorted(found, key=lambda entry: entry.id, reverse=True)[: which.limit]


def _fits(entry: AuditEntry, which: AuditFilter) -> bool:
    at = milliseconds(entry.id)
    return (
        entry.workspace == which.workspace
        and (which.below is None or entry.id < which.below)
        and all(getattr(which, name) in (None, getattr(entry, name)) for name in ("actor", "action", "kind", "name"))
        and (which.since_ms is None or at >= which.since_ms)
        and (which.until_ms is None or at < which.until_ms)
    )
