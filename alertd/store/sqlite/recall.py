"""What destinations remember, in rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.store.recall import ENTRIES_MAX, TOUCH_MS, UNUSED_MS
from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    import sqlite3

SLICE: Final = 500
"""How many old entries one write forgets at most."""

_FIND: Final = "SELECT value, used_at FROM remembered WHERE destination_id = ? AND key = ?"
_TOUCH: Final = "UPDATE remembered SET used_at = max(used_at, ?) WHERE destination_id = ? AND key = ?"
_SET: Final = """
INSERT INTO remembered(destination_id, key, value, used_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET value = excluded.value, used_at = excluded.used_at
"""
_TRIM: Final = f"""
DELETE FROM remembered WHERE destination_id = :destination AND key IN (
    SELECT key FROM remembered WHERE destination_id = :destination ORDER BY used_at DESC LIMIT -1 OFFSET {ENTRIES_MAX})
"""  # noqa: S608 - constants
_AGE: Final = f"""
DELETE FROM remembered WHERE (destination_id, key) IN (
    SELECT destination_id, key FROM remembered WHERE used_at <= ? ORDER BY used_at LIMIT {SLICE})
"""  # noqa: S608 - constants


class Recall(Part):
    """What keeps a destination's memory."""

    async def recall(self, destination_id: int, key: str, now_ms: int) -> str | None:
        """Return what a destination remembers, or None."""
        rows = await self.core.reads.rows(_FIND, (destination_id, key))
        if not rows:
            return None
        value, used_at = rows[0]
        if used_at + TOUCH_MS <= now_ms:
            await self.core.writer.execute(_TOUCH, (now_ms, destination_id, key))
        return str(value)

    async def remember(self, destination_id: int, key: str, value: str, now_ms: int) -> None:
        """Remember, and forget what is too much or too old, in one transaction."""

        def job(conn: sqlite3.Connection) -> None:
            conn.execute(_SET, (destination_id, key, value, now_ms))
            conn.execute(_TRIM, {"destination": destination_id})
            conn.execute(_AGE, (now_ms - UNUSED_MS,))

        await self.core.writer.run(job)
