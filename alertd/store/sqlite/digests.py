"""Digests: deliveries that are too many for a destination come together in one, some hundred in each transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.delivery import DeliveryState
from alertd.model.digest import DIGESTED, EMPTY, KeptDigest, Listed
from alertd.model.severity import BY_WORD, Severity
from alertd.store.digests import PASS_MAX, Spilled
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.recording import end
from alertd.store.sqlite.statement import ManyRows, json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from alertd.store.digests import Spill

SLICE: Final = 500
"""How many deliveries one transaction puts together at most."""
RECENT: Final = 20
"""So many of a destination's newest digests are looked at for one that takes in more."""

# What waits is asked one by one whether it is a digest: those that have ended are kept as long as the history, and are many.
_NO_DIGEST: Final = "NOT EXISTS (SELECT 1 FROM digest g WHERE g.id = d.id)"
_WAITING: Final = f"""
SELECT count(*) FROM delivery d INDEXED BY delivery_due WHERE d.destination_id = :destination AND d.state < 2
AND d.id NOT IN (SELECT value FROM json_each(:busy)) AND {_NO_DIGEST}
"""  # noqa: S608 - constants
_PENDING: Final = f"""
FROM delivery d INDEXED BY delivery_due WHERE d.destination_id = :destination AND d.state < 2 AND d.state = 0
AND {_NO_DIGEST}"""
_FREE: Final = f"{_PENDING} AND d.id NOT IN (SELECT value FROM json_each(:held))"  # noqa: S608 - constants
_FIRST: Final = f"SELECT d.next_at, d.id {_FREE} ORDER BY d.next_at DESC, d.id DESC LIMIT 1 OFFSET :skipped"
_NEXT: Final = (
    f"SELECT d.next_at, d.id {_FREE} AND (d.next_at, d.id) >= (:at, :id) ORDER BY d.next_at, d.id LIMIT {SLICE}"
)
_BETWEEN: Final = f"""
SELECT 1 {_PENDING} AND (d.next_at, d.id) > (:open_at, :open_id) AND (d.next_at, d.id) < (:at, :id) LIMIT 1"""
_OPEN: Final = f"""
SELECT d.state, d.next_at, d.id, g.alerts, g.body FROM (
    SELECT id, alerts, body FROM digest
    WHERE destination_id = :destination AND id >= :since ORDER BY id DESC LIMIT {RECENT}) g
CROSS JOIN delivery d ON d.id = g.id WHERE d.replay_of = d.id ORDER BY d.id DESC LIMIT 1
"""  # noqa: S608 - constants
_LISTED: Final = """
SELECT d.id, d.event_id, d.trigger, e.payload
FROM json_each(?) n CROSS JOIN delivery d ON d.id = n.value CROSS JOIN event e ON e.id = d.event_id ORDER BY n.key
"""
_KINDS: Final = """
SELECT json_extract(CAST(e.payload AS TEXT), '$.severity') AS severity,
    coalesce(json_extract(CAST(e.payload AS TEXT), '$.project'), '') AS project
FROM json_each(?) n CROSS JOIN delivery d ON d.id = n.value CROSS JOIN event e ON e.id = d.event_id
GROUP BY severity, project ORDER BY min(n.key)
"""
_MAKE: Final = """
INSERT INTO delivery(id, event_id, destination_id, subscription_id, channel_id, trigger, next_at, state, attempts, replay_of)
SELECT :new_id, event_id, destination_id, subscription_id, channel_id, NULL, :now, 0, 0, :new_id FROM delivery WHERE id = :id
"""
_KEEP: Final = "INSERT OR REPLACE INTO digest(id, destination_id, alerts, body) VALUES (?, ?, ?, ?)"
_NAME: Final = ManyRows("INSERT INTO digested(delivery_id, digest_id) VALUES {rows}", "(?,?)")


class Digests(Part):
    """What makes digests."""

    async def waiting(self, destination_id: int, busy: Collection[int]) -> int:
        """How many deliveries wait; digests do not count."""
        params = {"destination": destination_id, "busy": json_list(busy)}
        return int((await self.core.reads.rows(_WAITING, params))[0][0])

    async def digest(self, spill: Spill) -> Spilled:
        """Put the newest pending deliveries beyond the bound together, a slice in each transaction."""
        over = await self.waiting(spill.destination_id, spill.busy) - spill.keep
        if over <= 0:
            return Spilled()
        params = {"destination": spill.destination_id, "held": json_list(spill.held), "since": spill.since}
        first = await self.core.reads.row(_FIRST, {**params, "skipped": over - 1})
        params |= {"at": first[0] if first else -1, "id": first[1] if first else -1}
        done = Spilled()
        while done.count < PASS_MAX:
            part = await self.core.writer.run(lambda conn: _put_together(conn, spill, params))
            if part.count:
                done = Spilled(done.count + part.count, part.digest_id, done.made or part.made)
            if part.count < SLICE:
                break
        return done


def copy_digest(conn: sqlite3.Connection, origin: int, new_id: int, destination_id: int) -> KeptDigest | None:
    """Let a replay stand for what its origin stood for; None: that is no digest."""
    row = conn.execute("SELECT alerts, body FROM digest WHERE id = ?", (origin,)).fetchone()
    if row is None:
        return None
    conn.execute(_KEEP, (new_id, destination_id, *row))
    return KeptDigest(*row)


def forget_digests(conn: sqlite3.Connection, delivery_ids: str) -> None:
    """Forget what is known of deliveries that are deleted, given as JSON."""
    conn.execute("DELETE FROM digest WHERE id IN (SELECT value FROM json_each(?))", (delivery_ids,))
    conn.execute("DELETE FROM digested WHERE delivery_id IN (SELECT value FROM json_each(?))", (delivery_ids,))


def _put_together(conn: sqlite3.Connection, spill: Spill, params: dict[str, Any]) -> Spilled:
    """Put the next slice into the digest that is open, or into a new one."""
    chosen = conn.execute(_NEXT, params).fetchall()
    if not chosen:
        return Spilled()
    known = _open_digest(conn, spill, {**params, "at": chosen[0][0], "id": chosen[0][1]})
    digest_id, digest = known or (spill.new_id, EMPTY)
    if known is None:
        conn.execute(_MAKE, {"new_id": digest_id, "now": spill.now_ms, "id": chosen[0][1]})
    numbers = [row[1] for row in chosen]
    listed = [Listed(*row) for row in conn.execute(_LISTED, (json_list(numbers[: digest.missing]),))]
    kinds = conn.execute(_KINDS, (json_list(numbers),)).fetchall()
    worst = max(BY_WORD.get(word, Severity.INFO) for word, _ in kinds)
    digest = digest.with_more(len(numbers), listed, worst, (project for _, project in kinds))
    conn.execute(_KEEP, (digest_id, spill.destination_id, digest.count, digest.body))
    end(conn, numbers, DeliveryState.CANCELLED, DIGESTED, spill.now_ms)
    _NAME.run(conn, [part for number in numbers for part in (number, digest_id)])
    return Spilled(len(numbers), digest_id, known is None)


def _open_digest(conn: sqlite3.Connection, spill: Spill, params: dict[str, Any]) -> tuple[int, KeptDigest] | None:
    """Find the newest digest of this run that was never attempted, if nothing that stays is to come after it."""
    row = conn.execute(_OPEN, params).fetchone()
    if row is None or row[0] != DeliveryState.PENDING or row[2] in spill.held:
        return None
    if conn.execute(_BETWEEN, {**params, "open_at": row[1], "open_id": row[2]}).fetchone() is not None:
        return None
    return row[2], KeptDigest(row[3], row[4])
