"""The rulesets that decided, kept as long as their events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from alertd.store.sqlite.meta import set_meta
from alertd.store.sqlite.packing import unpack
from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    import sqlite3

    from alertd.store.resource import RulesetDocument
    from alertd.store.sqlite.packing import Packed

NEWEST: Final = "revision"
"""The small fact that says which is the newest."""
_KEEP: Final = "INSERT OR REPLACE INTO ruleset(revision, base, document) VALUES (?, ?, ?)"
# Both in one statement, so that retention takes both or none.
_FIND: Final = """
SELECT own.document, base.document FROM ruleset own LEFT JOIN ruleset base ON base.revision = own.base
WHERE own.revision = ?
"""
_FORGET: Final = """
WITH oldest(revision) AS (SELECT coalesce((SELECT revision FROM event ORDER BY id LIMIT 1),
                                          (SELECT max(revision) FROM ruleset)))
DELETE FROM ruleset WHERE revision < (SELECT revision FROM oldest) AND revision NOT IN
    (SELECT base FROM ruleset WHERE base IS NOT NULL AND ruleset.revision >= (SELECT revision FROM oldest))
"""


class Revisions(Part):
    """What explains old decisions."""

    async def keep_revision(self, document: RulesetDocument) -> None:
        """Keep a ruleset's document, as the newest."""
        packed = await self.core.packer.pack(document)
        await self.core.writer.run(lambda conn: write(conn, packed))
        self.core.packer.kept(packed)

    async def revision(self, revision: int) -> bytes | None:
        """The document of a revision; None when it is not kept (any more)."""
        row = await self.core.reads.row(_FIND, (revision,))
        return None if row is None else await asyncio.to_thread(unpack, *row)

    async def forget_revisions(self) -> int:
        """Delete those that decided about nothing that is still there; return how many."""

        def job(conn: sqlite3.Connection) -> int:
            return conn.execute(_FORGET).rowcount

        return await self.core.writer.run(job)


def write(conn: sqlite3.Connection, packed: Packed) -> None:
    """Write one; part of a job."""
    conn.execute(_KEEP, (packed.document.revision, packed.base, packed.data))
    set_meta(conn, NEWEST, str(packed.document.revision))
