"""Replays: new deliveries that repeat final ones and name them as their origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.errors import ConflictError, NotFoundError
from alertd.model.delivery import Delivery, DeliveryState
from alertd.model.digest import DIGEST_TYPE
from alertd.model.ids import milliseconds
from alertd.store.sqlite.digests import copy_digest
from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from alertd.store.base import ReplayRule
    from alertd.store.sqlite.reader import Row

_ORIGIN: Final = """
SELECT d.state, d.event_id, d.destination_id, d.subscription_id, d.channel_id, d.trigger, e.type, e.payload,
    (SELECT body FROM issue_event i WHERE i.event_id = d.event_id)
FROM delivery d JOIN event e ON e.id = d.event_id WHERE d.id = ?
"""
_REPLAY: Final = """
INSERT INTO delivery(id, event_id, destination_id, subscription_id, channel_id, trigger, next_at, state, attempts, replay_of)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?)
"""
_REPEATED: Final = """
SELECT 1 FROM delivery d INDEXED BY delivery_replay
WHERE d.event_id = :event AND d.replay_of IS NOT NULL AND d.id >= :since AND d.destination_id = :destination
AND d.state NOT IN (3, 4) AND d.id <> d.replay_of
AND CASE WHEN EXISTS (SELECT 1 FROM digest g WHERE g.id = :origin) THEN d.replay_of = :origin
    ELSE (:any OR d.subscription_id = :subscription) AND NOT EXISTS (SELECT 1 FROM digest g WHERE g.id = d.id) END
"""


class Replays(Part):
    """What sends again."""

    async def replay(self, delivery_id: int, new_id: int, now_ms: int, destination_id: int | None = None) -> Delivery:
        """Store a new delivery that repeats a final one and names it as its origin."""

        def job(conn: sqlite3.Connection) -> Delivery:
            row = conn.execute(_ORIGIN, (delivery_id,)).fetchone()
            if row is None:
                raise NotFoundError(f"there is no delivery {delivery_id}")
            state = DeliveryState(row[0])
            if not state.final:
                raise ConflictError(f"delivery {delivery_id} is {state.word}: only a final one can be replayed")
            return _repeat(conn, (delivery_id, new_id), row, now_ms, destination_id)

        return await self.core.writer.run(job)

    async def replay_many(self, origins: Sequence[tuple[int, int]], now_ms: int, rule: ReplayRule) -> list[Delivery]:
        """Store replays of those that are final and have none yet, in one transaction."""

        def job(conn: sqlite3.Connection) -> list[Delivery]:
            made = []
            for pair in origins:
                row = conn.execute(_ORIGIN, (pair[0],)).fetchone()
                if row is not None and DeliveryState(row[0]).final and not _is_repeated(conn, pair[0], row, rule):
                    made.append(_repeat(conn, pair, row, now_ms, rule.destination_id))
            return made

        return await self.core.writer.run(job)


def _repeat(
    conn: sqlite3.Connection, pair: tuple[int, int], row: Row, now_ms: int, destination_id: int | None
) -> Delivery:
    origin, new_id = pair
    _, event_id, own, subscription_id, channel_id, trigger, event_type, payload, issue = row
    to = own if destination_id is None else destination_id
    conn.execute(_REPLAY, (new_id, event_id, to, subscription_id, channel_id, trigger, now_ms, origin))
    digest = copy_digest(conn, origin, new_id, to)
    return Delivery(
        new_id, event_id, to, subscription_id, channel_id, 0, now_ms, event_type if digest is None else DIGEST_TYPE, payload,
        trigger, origin, milliseconds(new_id), issue=issue, digest=digest,
    )  # fmt: skip


def _is_repeated(conn: sqlite3.Connection, origin: int, row: Row, rule: ReplayRule) -> bool:
    params = {
        "origin": origin,
        "event": row[1],
        "since": rule.since,
        "destination": row[2] if rule.destination_id is None else rule.destination_id,
        "any": rule.destination_id is not None,
        "subscription": row[3],
    }
    return conn.execute(_REPEATED, params).fetchone() is not None
