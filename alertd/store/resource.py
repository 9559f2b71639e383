"""What the registry of resources asks of a store: documents by name, and the log of who changed them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

ResourceKey = tuple[str, str, str]
"""(kind, workspace, name); kind is the word of `alertd.resources.kinds`, e.g. `channel`."""
WORKSPACE_KIND: Final = "workspace"
"""The kind that owns tokens."""


@dataclass(frozen=True, slots=True)
class StoredResource:
    """A resource as it is kept: `document` is the JSON of its model, its secrets sealed; `version` counts its changes."""

    kind: str
    workspace: str
    name: str
    version: int
    document: bytes
    created_at_ms: int
    updated_at_ms: int

    @property
    def key(self) -> ResourceKey:
        """What it is found by."""
        return (self.kind, self.workspace, self.name)


@dataclass(frozen=True, slots=True)
class RulesetDocument:
    """What of a ruleset decides (`alertd.engine.document`), as a tuple of lines; `revision` is its number."""

    revision: int
    lines: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of one resource: who, what, when (the id tells), before and after as JSON without secrets."""

    id: int
    workspace: str
    actor: str
    action: str
    kind: str
    name: str
    before: bytes | None = None
    after: bytes | None = None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries, newest first. None: any. `below` continues a page; `since_ms` (in) and `until_ms` (out)."""

    workspace: str
    below: int | None = None
    limit: int = 50
    actor: str | None = None
    action: str | None = None
    kind: str | None = None
    name: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class ResourceStore(Protocol):
    """What the registry needs."""

    async def resources(self) -> list[StoredResource]:
        """Every kept resource, in the order of their kinds, workspaces and first making."""

    async def change_resources(
        self,
        kept: Sequence[StoredResource],
        removed: Sequence[ResourceKey],
        audit: Sequence[AuditEntry],
        ruleset: RulesetDocument | None = None,
    ) -> None:
        """Remove, keep (replacing what has the same key) and log, in one transaction; with it what decides from then on.

        A workspace that is removed takes its tokens with it.
        """

    async def audit(self, which: AuditFilter) -> list[AuditEntry]:
        """Up to `limit` entries, newest first."""
