"""The outbox: what is due, what was attempted, what is cancelled or expired."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.errors import NotFoundError
from alertd.model.delivery import RATE_REFUSALS, Delivery, DeliveryState
from alertd.model.digest import DIGEST_TYPE, KeptDigest
from alertd.model.ids import DELIVERY, END, first_of, format_id, milliseconds
from alertd.store.base import DestinationState, Due
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.recording import end, record
from alertd.store.sqlite.resources import log
from alertd.store.sqlite.shared import further
from alertd.store.sqlite.statement import json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

    from alertd.model.delivery import Attempt
    from alertd.store.resource import AuditEntry
    from alertd.store.sqlite.part import Core
    from alertd.store.sqlite.reader import Row

SLICE: Final = 500
"""How many deliveries one transaction ends at most."""
PAGE_BYTES: Final = 16 * 1024 * 1024
"""A page brings about so many bytes of events' JSON at most, as far as the page before it tells."""
_SCAN: Final = 5000

_ISSUE, _SHARED, _DIGEST = 1, 2, 3
"""What the rows behind a page bring."""
_WAITING: Final = "d.destination_id = :destination AND d.state < 2"
_NOT_HELD: Final = "d.id NOT IN (SELECT value FROM json_each(:held))"
_AMBIGUOUS: Final = """(d.attempts > 0 AND (coalesce(d.outcome, 0) = 4 OR EXISTS (
        SELECT 1 FROM attempt a WHERE a.delivery_id = d.id AND a.outcome = 4)))"""
_TOO_SOON: Final = f"outcome = 1 AND status IN ({', '.join(map(str, sorted(RATE_REFUSALS)))})"
_REFUSED: Final = f"""CASE WHEN d.attempts > 0 THEN coalesce({_TOO_SOON}, 0) + (
        SELECT count(*) FROM attempt a WHERE a.delivery_id = d.id AND a.{_TOO_SOON}) ELSE 0 END"""  # noqa: S608 - constants
# A page is one row, since each row that is fetched hands the interpreter's lock over. Behind it stands what few deliveries have.
_DUE: Final = f"""
WITH page AS MATERIALIZED (
    SELECT d.id, d.event_id, d.subscription_id, d.channel_id, d.attempts, d.next_at, d.trigger, d.replay_of,
           {_AMBIGUOUS} AS ambiguous, {_REFUSED} AS refused
    FROM delivery d WHERE {_WAITING} AND d.next_at <= :now AND {_NOT_HELD} ORDER BY d.next_at, d.id LIMIT :limit)
SELECT 0, json_group_array(json_array(p.id, p.event_id, p.subscription_id, p.channel_id, p.attempts, p.next_at, e.type,
                                      length(e.payload), p.trigger, p.replay_of, p.ambiguous,
                                      p.refused)),
       CAST(group_concat(CAST(e.payload AS TEXT), '') AS BLOB)
FROM page p CROSS JOIN event e ON e.id = p.event_id
UNION ALL SELECT 1, p.id, i.body FROM page p CROSS JOIN issue_event i ON i.event_id = p.event_id WHERE i.body IS NOT NULL
UNION ALL SELECT 2, p.id, s.subscriptions FROM page p CROSS JOIN shared s ON s.delivery_id = p.id
UNION ALL SELECT 3, json_array(p.id, g.alerts), g.body FROM page p CROSS JOIN digest g ON g.id = p.id
          WHERE p.replay_of IS NOT NULL
UNION ALL SELECT 4, (SELECT d.next_at FROM delivery d WHERE {_WAITING} AND d.next_at > :now AND {_NOT_HELD}
                     ORDER BY d.next_at LIMIT 1), NULL
"""  # noqa: S608 - constants
_DESTINATIONS: Final = """
WITH RECURSIVE found(id) AS (
    SELECT (SELECT min(destination_id) FROM delivery WHERE state < 2)
    UNION ALL
    SELECT (SELECT min(destination_id) FROM delivery WHERE state < 2 AND destination_id > found.id)
    FROM found WHERE found.id IS NOT NULL)
SELECT id FROM found WHERE id IS NOT NULL
"""
_NEXT_WAITING: Final = f"""
SELECT d.id, d.next_at FROM delivery d
WHERE {_WAITING} AND (d.next_at, d.id) > (:after, :after_id) ORDER BY d.next_at, d.id LIMIT :limit
"""  # noqa: S608 - constants
_HASTEN: Final = """
UPDATE delivery SET next_at = ? WHERE state < 2 AND next_at > ? AND id IN (SELECT value FROM json_each(?))
"""
_COUNTS: Final = """
SELECT destination_id, sum(state = 0), sum(state = 1) FROM delivery WHERE state < 2 GROUP BY destination_id
"""
_SET_STATE: Final = """
INSERT INTO destination_state(destination_id, disabled_reason, disabled_at, paused_until) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET disabled_reason = excluded.disabled_reason, disabled_at = excluded.disabled_at,
    paused_until = excluded.paused_until
"""


class Outbox(Part):
    """What delivery asks."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._page_most = PAGE_BYTES

    async def due(self, destination_id: int, now_ms: int, limit: int, held: Collection[int]) -> Due:
        """Up to `limit` deliveries of a destination that are due and not among `held`."""
        limit = min(limit, self._page_most)
        params = {
            "destination": destination_id, "now": now_ms, "limit": limit + 1, "held": json_list(held),
        }  # fmt: skip
        rows = await self.core.reads.rows(_DUE, params)
        found = list(_deliveries(destination_id, rows))
        if found:
            self._page_most = max(1, PAGE_BYTES * len(found) // max(1, len(rows[0][2])))
        return Due(found[:limit], rows[-1][1], len(found) > limit)

    async def destinations_with_work(self) -> list[int]:
        """Ids of all destinations that have deliveries which are not final."""
        return [row[0] for row in await self.core.reads.rows(_DESTINATIONS)]

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Store finished attempts and their deliveries' new states, in one transaction."""
        if attempts:
            now_ms = self.core.clock.now_ms()
            await self.core.writer.run(lambda conn: record(conn, attempts, now_ms))

    async def cancel_destination(self, destination_id: int, reason: str, held: Collection[int]) -> int:
        """Cancel all pending and retrying deliveries of a destination but `held`, in slices."""
        return await self._end_all(destination_id, None, DeliveryState.CANCELLED, reason, held)

    async def cancel(self, delivery_id: int, reason: str, audit: AuditEntry | None = None) -> DeliveryState:
        """Cancel one delivery if it is pending or retrying; return the state that it was in."""
        now_ms = self.core.clock.now_ms()

        def cancel(conn: sqlite3.Connection) -> DeliveryState:
            row = conn.execute("SELECT state FROM delivery WHERE id = ?", (delivery_id,)).fetchone()
            if row is None:
                raise NotFoundError(f"there is no delivery {format_id(DELIVERY, delivery_id)}")
            if end(conn, [delivery_id], DeliveryState.CANCELLED, reason, now_ms) and audit is not None:
                log(conn, [audit])
            return DeliveryState(row[0])

        return await self.core.writer.run(cancel)

    async def expire(self, destination_id: int, created_before_ms: int, reason: str, held: Collection[int]) -> int:
        """Make dead all pending and retrying deliveries made before a time, but `held`, in slices."""
        return await self._end_all(destination_id, first_of(created_before_ms), DeliveryState.DEAD, reason, held)

    async def hasten(self, destination_id: int, held: Collection[int]) -> int:
        """Walk what waits for a later attempt by reads, and make it due in slices."""
        hastened, kept, now_ms = 0, frozenset(held), self.core.clock.now_ms()
        params: dict[str, Any] = {"destination": destination_id, "after": now_ms, "after_id": END, "limit": _SCAN}
        while rows := await self.core.reads.rows(_NEXT_WAITING, params):
            params["after_id"], params["after"] = rows[-1]
            chosen = [row[0] for row in rows if row[0] not in kept]
            for start in range(0, len(chosen), SLICE):
                given = (now_ms, now_ms, json_list(chosen[start : start + SLICE]))
                hastened += await self.core.writer.run(partial(_hasten, given=given))
        return hastened

    async def destination_states(self) -> dict[int, DestinationState]:
        """Everything kept about destinations."""
        sql = "SELECT destination_id, disabled_reason, disabled_at, paused_until FROM destination_state"
        return {row[0]: DestinationState(*row[1:]) for row in await self.core.reads.rows(sql)}

    async def set_destination_state(
        self, destination_id: int, state: DestinationState, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Keep a destination's state."""
        params = (destination_id, state.disabled_reason, state.disabled_at_ms, state.paused_until_ms)

        def keep(conn: sqlite3.Connection) -> None:
            conn.execute(_SET_STATE, params)
            log(conn, audit, again=True)

        await self.core.writer.run(keep)

    async def outbox_counts(self) -> dict[tuple[int, DeliveryState], int]:
        """How many deliveries are pending and retrying, by (destination id, state)."""
        counts: dict[tuple[int, DeliveryState], int] = {}
        for destination_id, pending, retrying in await self.core.history.rows(_COUNTS):
            for state, count in ((DeliveryState.PENDING, pending), (DeliveryState.RETRYING, retrying)):
                if count:
                    counts[destination_id, state] = count
        return counts

    async def _end_all(
        self, destination_id: int, below: int | None, state: DeliveryState, reason: str, held: Collection[int]
    ) -> int:
        """Walk a destination's waiting deliveries by reads, end them in slices; those that come meanwhile are met too."""
        ended, kept, now_ms = 0, frozenset(held), self.core.clock.now_ms()
        params: dict[str, Any] = {"destination": destination_id, "after": -1, "after_id": -1, "limit": _SCAN}
        while rows := await self.core.reads.rows(_NEXT_WAITING, params):
            params["after_id"], params["after"] = rows[-1]
            chosen = [row[0] for row in rows if row[0] not in kept and (below is None or row[0] < below)]
            for start in range(0, len(chosen), SLICE):
                part = chosen[start : start + SLICE]
                job = partial(end, delivery_ids=part, state=state, reason=reason, at_ms=now_ms)
                ended += await self.core.writer.run(job)
        return ended


def _hasten(conn: sqlite3.Connection, given: tuple[int, int, str]) -> int:
    return conn.execute(_HASTEN, given).rowcount


def _deliveries(destination_id: int, rows: Sequence[Row]) -> Iterator[Delivery]:
    """Unpack a page: in its first row are the deliveries and, one behind the other, their events' JSON."""
    payloads, end = rows[0][2], 0
    issues = {row[1]: row[2] for row in rows if row[0] == _ISSUE}
    shared = {row[1]: further(row[2]) for row in rows if row[0] == _SHARED}
    digests = {
        number: KeptDigest(alerts, row[2])
        for row in rows
        if row[0] == _DIGEST
        for number, alerts in [orjson.loads(row[1])]
    }
    for number, event, via, channel, attempts, at, kind, size, *more in orjson.loads(rows[0][1]):
        trigger, origin, ambiguous, refused = more
        start, end = end, end + size
        digest = digests.get(number)
        yield Delivery(
            number, event, destination_id, via, channel, attempts, at, kind if digest is None else DIGEST_TYPE,
            payloads[start:end], trigger, origin, milliseconds(number), shared.get(number, ()), issues.get(number),
            bool(ambiguous), digest, refused,
        )  # fmt: skip
