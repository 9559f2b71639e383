"""Housekeeping: retention in slices, backup, and whether the store can write."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.errors import StoreError
from alertd.model.ids import first_of
from alertd.store.sqlite.backup import backup
from alertd.store.sqlite.blocks import Blocks
from alertd.store.sqlite.digests import forget_digests
from alertd.store.sqlite.following import forget_outcomes
from alertd.store.sqlite.meta import set_meta
from alertd.store.sqlite.replays import forget_repeats, forget_replays
from alertd.store.sqlite.resources import log
from alertd.store.sqlite.shared import forget_shared
from alertd.store.sqlite.statement import json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from alertd.store.resource import AuditEntry
    from alertd.store.sqlite.part import Core

SLICE: Final = 250
"""How many events one transaction deletes at most."""
FIRST_SLICE: Final = 25
"""How many the first one deletes: how much hangs on an event shows then."""
SLICE_ROWS: Final = 1000
"""How many rows a transaction aims at, going by what the one before deleted: nothing is stored meanwhile."""
_log = structlog.get_logger(__name__)

_BRING_BACK: Final = """
UPDATE delivery SET next_at = :now + max(0, next_at - max(id >> 20, coalesce(started_at, 0)))
WHERE state < 2 AND max(id >> 20, coalesce(started_at, 0)) > :now
"""
_NEWEST: Final = """
SELECT max(coalesce((SELECT max(id) FROM event), 0), coalesce((SELECT max(id) FROM delivery), 0),
           coalesce((SELECT max(id) FROM rejected), 0), coalesce((SELECT max(id) FROM replay), 0),
           coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'newest'), 0))
"""
_OLD: Final = "SELECT id FROM event WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
_UNFINISHED: Final = """
SELECT event_id FROM delivery WHERE id > :first AND id < :after AND +state < 2
UNION
SELECT event_id FROM delivery WHERE replay_of IS NOT NULL AND +state < 2 AND event_id BETWEEN :first AND :last
"""
_AFTER: Final = "SELECT coalesce(min(id), 9223372036854775807) FROM event WHERE id > ?"
_DELIVERIES: Final = """
SELECT id FROM delivery WHERE id > :first AND id < :after AND event_id IN (SELECT value FROM json_each(:events))
UNION
SELECT id FROM delivery WHERE replay_of IS NOT NULL AND event_id IN (SELECT value FROM json_each(:events))
"""
_DELETE_ATTEMPTS: Final = "DELETE FROM attempt WHERE delivery_id IN (SELECT value FROM json_each(?))"
_DELETE_DELIVERIES: Final = "DELETE FROM delivery WHERE id IN (SELECT value FROM json_each(?))"
_DELETE_ACKNOWLEDGED: Final = "DELETE FROM acknowledgement WHERE event_id IN (SELECT value FROM json_each(?))"
_DELETE_KEPT: Final = "DELETE FROM issue_event WHERE event_id IN (SELECT value FROM json_each(?))"
_DELETE_EVENTS: Final = "DELETE FROM event WHERE id IN (SELECT value FROM json_each(?))"
_OVER: Final = "SELECT id FROM rejected WHERE id < ? ORDER BY id LIMIT ?"
_DELETE_REJECTED: Final = "DELETE FROM rejected WHERE id IN (SELECT value FROM json_each(?))"


class Maintenance(Blocks):
    """What housekeeping asks."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._retained_to = 0
        self._slice = FIRST_SLICE
        self._last_fault = ""

    @property
    def salt(self) -> int:
        """The store's constant in the ids that it makes for events."""
        return self.core.salt

    async def newest_number(self) -> int:
        """The greatest number ever given to an event, a delivery, a rejected record or a replay."""
        return int((await self.core.reads.rows(_NEWEST))[0][0])

    async def bring_back(self, now_ms: int) -> int:
        """Make deliveries that were made or attempted after `now_ms` due as long from now as they then were."""
        return await self.core.writer.run(lambda conn: conn.execute(_BRING_BACK, {"now": now_ms}).rowcount)

    async def retain(self, before_ms: int, limit: int) -> int:
        """Delete up to `limit` old events whose deliveries are all final, in slices of at most `SLICE` a transaction.

        A walk goes on where the last one stopped, so that events that must stay are passed over once a walk only.
        """
        started_at, gone = self._retained_to, 0
        while gone < limit:
            deleted = await self._retain_slice(first_of(before_ms), min(self._slice, limit - gone))
            if deleted is not None:
                gone += deleted
            elif started_at == 0:
                break
            else:
                started_at = 0
        if gone == 0:
            await self._forget_rejected(before_ms)
            await forget_outcomes(self.core, before_ms)
            await self.core.writer.run(partial(_forget_replays, before_ms=before_ms))
            await self._forget_blocks()
        return gone

    async def forget_rejected(self, record_id: int, audit: AuditEntry | None = None) -> None:
        """Forget a rejected record that could be read after all."""

        def forget(conn: sqlite3.Connection) -> None:
            _forget_rejected(conn, [record_id])
            if audit is not None:
                log(conn, [audit])

        await self.core.writer.run(forget)

    async def backup(self, path: str) -> None:
        """Write a consistent copy to a new file while everything goes on."""
        await backup(self.core.path, path)

    async def healthy(self) -> bool:
        """Whether the store can write now, and the file is still the one that was opened; a new reason is logged."""
        fault = await self._fault()
        if fault and fault != self._last_fault:
            _log.error("store.unhealthy", path=str(self.core.path), error=fault)
        self._last_fault = fault
        return not fault

    async def _fault(self) -> str:
        """Say why the store cannot be used now; empty: it can."""
        try:
            stat = self.core.path.stat()
            if (stat.st_dev, stat.st_ino) != self.core.inode:
                return "another file stands in the place of the one that was opened"
            await self.core.writer.run(lambda conn: set_meta(conn, "probed_at_ms", str(self.core.clock.now_ms())))
        except (StoreError, OSError) as error:
            return str(error) or repr(error)
        return ""

    async def _retain_slice(self, below: int, limit: int) -> int | None:
        """Pass over some old events and delete those that may go; None when the walk is at its end."""
        rows = await self.core.history.rows(_OLD, (self._retained_to, below, limit))
        if not rows:
            self._retained_to = 0
            return None
        deleted, changed = await self.core.writer.run(partial(_delete_slice, rows=rows))
        self._retained_to = rows[-1][0]
        if changed:
            self._slice = max(1, min(SLICE, 2 * len(rows), len(rows) * SLICE_ROWS // changed))
        return deleted

    async def _forget_rejected(self, before_ms: int) -> None:
        """Delete old rejected records."""
        while rows := await self.core.history.rows(_OVER, (first_of(before_ms), SLICE)):
            await self.core.writer.run(partial(_forget_rejected, ids=[row[0] for row in rows]))


def _delete_slice(conn: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> tuple[int, int]:
    """Delete what may go of these events; return how many events went, and how many rows in all."""
    before = conn.total_changes
    return _delete(conn, rows), conn.total_changes - before


def _delete(conn: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> int:
    """Delete events with all that hangs on them, but those with deliveries that are not final."""
    first, last = rows[0][0], rows[-1][0]
    bounds = {"first": first, "last": last, "after": conn.execute(_AFTER, (last,)).fetchone()[0]}
    unfinished = {row[0] for row in conn.execute(_UNFINISHED, bounds)}
    going = [row for row in rows if row[0] not in unfinished]
    if not going:
        return 0
    newest = _newest(conn)
    events = json_list(row[0] for row in going)
    deliveries = json_list(row[0] for row in conn.execute(_DELIVERIES, {**bounds, "events": events}))
    conn.execute(_DELETE_ATTEMPTS, (deliveries,))
    conn.execute(_DELETE_DELIVERIES, (deliveries,))
    forget_digests(conn, deliveries)
    forget_repeats(conn, deliveries)
    forget_shared(conn, deliveries)
    conn.execute(_DELETE_ACKNOWLEDGED, (events,))
    conn.execute(_DELETE_KEPT, (events,))
    deleted = conn.execute(_DELETE_EVENTS, (events,)).rowcount
    _keep_newest(conn, newest)
    return deleted


def _forget_rejected(conn: sqlite3.Connection, ids: Sequence[int]) -> None:
    newest = _newest(conn)
    conn.execute(_DELETE_REJECTED, (json_list(ids),))
    _keep_newest(conn, newest)


def _forget_replays(conn: sqlite3.Connection, before_ms: int) -> None:
    newest = _newest(conn)
    forget_replays(conn, before_ms)
    _keep_newest(conn, newest)


def _newest(conn: sqlite3.Connection) -> int:
    return int(conn.execute(_NEWEST).fetchone()[0])


def _keep_newest(conn: sqlite3.Connection, newest: int) -> None:
    """Remember the greatest number when its row went, so that no number is given twice."""
    if _newest(conn) < newest:
        set_meta(conn, "newest", str(newest))
