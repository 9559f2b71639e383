"""The rulesets that decided, kept as long as their events.

One is written as what differs, line by line, from an earlier one, its base, so that a change of one resource among
thousands costs some hundred bytes; now and then, or when too much has changed, one stands for itself and is the next base.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
import zstandard

from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    import sqlite3

    from alertd.store.sqlite.part import Core

BASE_REVISIONS: Final = 200
"""After so many revisions a new base is written."""
BASE_SHARE: Final = 4
"""A new base is written when what differs takes more than one part in so many of a whole one."""
DOCUMENT_BYTES_MAX: Final = 1 << 28
_LEVEL: Final = 3
_KEEP: Final = "INSERT OR REPLACE INTO ruleset(revision, base, document) VALUES (?, ?, ?)"
_FIND: Final = "SELECT base, document FROM ruleset WHERE revision = ?"
_FORGET: Final = """
WITH oldest(revision) AS (SELECT coalesce((SELECT revision FROM event ORDER BY id LIMIT 1),
                                          (SELECT max(revision) FROM ruleset)))
DELETE FROM ruleset WHERE revision < (SELECT revision FROM oldest) AND revision NOT IN
    (SELECT base FROM ruleset WHERE base IS NOT NULL AND ruleset.revision >= (SELECT revision FROM oldest))
"""


class Revisions(Part):
    """What explains old decisions."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._base: tuple[int, bytes] | None = None

    async def keep_revision(self, revision: int, document: bytes) -> None:
        """Keep a ruleset's document."""
        base = self._base if self._base and self._base[0] < revision <= self._base[0] + BASE_REVISIONS else None
        number, packed = await asyncio.to_thread(_pack, document, base)
        await self.core.writer.execute(_KEEP, (revision, number, packed))
        if number is None:
            self._base = (revision, document)

    async def revision(self, revision: int) -> bytes | None:
        """The document of a revision; None when it is not kept (any more)."""
        row = await self.core.reads.row(_FIND, (revision,))
        if row is None:
            return None
        number, packed = row
        base = None if number is None else await self.revision(number)
        return await asyncio.to_thread(_unpack, packed, base)

    async def forget_revisions(self) -> int:
        """Delete those that decided about nothing that is still there; return how many."""

        def job(conn: sqlite3.Connection) -> int:
            return conn.execute(_FORGET).rowcount

        return await self.core.writer.run(job)


def _pack(document: bytes, base: tuple[int, bytes] | None) -> tuple[int | None, bytes]:
    """Compress a document, against its base where that is worth it; return the base's revision, or None."""
    whole = zstandard.compress(document, _LEVEL)
    if base is None:
        return None, whole
    packed = zstandard.compress(orjson.dumps(_difference(document, base[1])), _LEVEL)
    return (base[0], packed) if len(packed) * BASE_SHARE < len(whole) else (None, whole)


def _unpack(packed: bytes, base: bytes | None) -> bytes:
    plain = zstandard.decompress(packed, DOCUMENT_BYTES_MAX)
    if base is None:
        return plain
    lines = base.split(b"\n")
    parts: list[bytes] = []
    for part in orjson.loads(plain):
        parts += [part.encode()] if isinstance(part, str) else lines[part[0] : part[0] + part[1]]
    return b"\n".join(parts)


def _difference(document: bytes, base: bytes) -> list[str | list[int]]:
    """Say a document line by line: runs of lines of the base, `[first, count]`, and lines of its own."""
    known = {line: number for number, line in enumerate(base.split(b"\n"))}
    said: list[str | list[int]] = []
    run = [-1, 0]
    for line in document.split(b"\n"):
        number = known.get(line)
        if number is None:
            said.append(line.decode())
            run = [-1, 0]
        elif number == run[0] + run[1]:
            run[1] += 1
        else:
            run = [number, 1]
            said.append(run)
    return said
