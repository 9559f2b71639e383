"""Resources made over the API, and the log of who changed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.ids import first_of
from alertd.store.resource import WORKSPACE_KIND, AuditEntry, StoredResource
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.revisions import write

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from alertd.store.resource import AuditFilter, ResourceKey, RulesetDocument

_ALL: Final = (
    "SELECT kind, workspace, name, version, document, created_at, updated_at FROM resource"
    " ORDER BY kind, workspace, created_at, name"
)
_KEEP: Final = (
    "INSERT INTO resource(kind, workspace, name, version, document, created_at, updated_at) VALUES (?,?,?,?,?,?,?)"
    " ON CONFLICT DO UPDATE SET version = excluded.version, document = excluded.document,"
    " updated_at = excluded.updated_at"
)
_REMOVE: Final = "DELETE FROM resource WHERE kind = ? AND workspace = ? AND name = ?"
_END: Final = "DELETE FROM token WHERE workspace = ?"
_LOG: Final = "INSERT INTO audit(id, workspace, actor, action, kind, name, before, after) VALUES (?,?,?,?,?,?,?,?)"
_LOG_AGAIN: Final = f"{_LOG} ON CONFLICT DO NOTHING"
_EQUAL: Final = ("actor", "action", "kind", "name")


class Resources(Part):
    """What the registry asks."""

    async def resources(self) -> list[StoredResource]:
        """Every kept resource."""
        return [StoredResource(*row) for row in await self.core.reads.rows(_ALL)]

    async def change_resources(
        self,
        kept: Sequence[StoredResource],
        removed: Sequence[ResourceKey],
        audit: Sequence[AuditEntry],
        ruleset: RulesetDocument | None = None,
    ) -> None:
        """Remove, keep and log, in one transaction."""
        packer = self.core.packer
        packed = None if ruleset is None else await packer.pack(ruleset)

        def change(conn: sqlite3.Connection) -> None:
            for key in removed:
                conn.execute(_REMOVE, key)
                if key[0] == WORKSPACE_KIND:
                    conn.execute(_END, key[1:2])
            for r in kept:
                row = (*r.key, r.version, r.document, r.created_at_ms, r.updated_at_ms)
                conn.execute(_KEEP, row)
            log(conn, audit)
            if packed is not None:
                write(conn, packed)

        await self.core.writer.run(change)
        if packed is not None:
            packer.kept(packed)

    async def audit(self, which: AuditFilter) -> list[AuditEntry]:
        """Up to `limit` entries, newest first."""
        where, params = ["workspace = ?"], [which.workspace]
        bounds: list[tuple[str, Any]] = [(f"{name} = ?", getattr(which, name)) for name in _EQUAL]
        bounds += [("id < ?", which.below)]
        bounds += [("id >= ?", None if which.since_ms is None else first_of(which.since_ms))]
        bounds += [("id < ?", None if which.until_ms is None else first_of(which.until_ms))]
        for text, value in bounds:
            if value is not None:
                where.append(text)
                params.append(value)
        sql = (
            "SELECT id, workspace, actor, action, kind, name, before, after FROM audit"  # noqa: S608 - fixed texts
            f" WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"
        )
        return [AuditEntry(*row) for row in await self.core.history.rows(sql, (*params, which.limit))]


def log(conn: sqlite3.Connection, audit: Sequence[AuditEntry], *, again: bool = False) -> None:
    """Write lines of the log of changes, part of a job; `again`: but those that a write before this one has stored."""
    sql = _LOG_AGAIN if again else _LOG
    for a in audit:
        conn.execute(sql, (a.id, a.workspace, a.actor, a.action, a.kind, a.name, a.before, a.after))
