"""The commit of a batch: events, keys, deliveries, positions, cooldowns and rejected records, all or nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from alertd.errors import DuplicateEventsError, StoreError
from alertd.model.ids import made_event_number
from alertd.model.verdict import encode
from alertd.store.sqlite.key import stored_key
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.statement import ManyRows

if TYPE_CHECKING:
    from alertd.engine.plan import CooldownKey, Plan
    from alertd.model.verdict import Verdict
    from alertd.store.base import Batch, Partition

EVENTS: Final = ManyRows(
    "INSERT INTO event(id, workspace_id, type, matched, made, revision, payload, verdicts) VALUES {rows}",
    "(?,?,?,?,?,?,?,?)",
)
KEYS: Final = ManyRows("INSERT INTO event_key(workspace_id, uid, event_id) VALUES {rows}", "(?,?,?)")
DELIVERIES: Final = ManyRows(
    "INSERT INTO delivery(id, event_id, destination_id, subscription_id, channel_id, trigger, next_at, state, attempts)"
    " VALUES {rows}",
    "(?,?,?,?,?,?,?,0,0)",
)
COOLDOWNS: Final = ManyRows(
    "INSERT INTO cooldown(subscription_id, project, environment, key, until_ms) VALUES {rows}"
    " ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms",
    "(?,?,?,?,?)",
)
KNOWN: Final = ManyRows(
    "SELECT workspace_id, uid, event_id FROM event_key WHERE (workspace_id, uid) IN (VALUES {rows})", "(?,?)"
)
POSITION: Final = (
    "INSERT INTO position(topic, partition, next_offset) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset"
)
REJECTED: Final = (
    "INSERT INTO rejected(id, workspace, topic, partition, record_offset, reason, bytes, size)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_Key = tuple[int, str | bytes, int]
_VERDICTS_MAX: Final = 10_000
_stored_verdicts: dict[tuple[int, int, int], bytes] = {}


class Commits(Part):
    """What the pipeline asks."""

    async def commit(self, batch: Batch) -> None:
        """Store a batch in one transaction."""
        await self.core.writer.run(_Commit(batch, self.core.salt))

    async def positions(self) -> dict[Partition, int]:
        """All stored Kafka positions."""
        rows = await self.core.reads.rows("SELECT topic, partition, next_offset FROM position")
        return {(topic, partition): offset for topic, partition, offset in rows}

    async def set_position(self, partition: Partition, offset: int) -> None:
        """Move a position outside a commit."""
        await self.core.writer.execute(POSITION, (*partition, offset))

    async def cooldowns(self, now_ms: int) -> dict[CooldownKey, int]:
        """All cooldowns that still rest at `now_ms`."""
        rows = await self.core.reads.rows(
            "SELECT subscription_id, project, environment, key, until_ms FROM cooldown WHERE until_ms > ?", (now_ms,)
        )
        return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}


class _Commit:
    """The job of one commit. Calling it twice, after a rollback, is fine."""

    def __init__(self, batch: Batch, salt: int) -> None:
        self._batch = batch
        self._salt = salt

    def __call__(self, conn: sqlite3.Connection) -> None:
        batch = self._batch
        if batch.plans:
            self._store_plans(conn)
        for (topic, partition), offset in batch.positions.items():
            conn.execute(POSITION, (topic, partition, offset))
        if batch.cooldowns:
            COOLDOWNS.run(conn, list(chain.from_iterable((*key, until) for key, until in batch.cooldowns.items())))
        for r in batch.rejected:
            row = (r.id, r.workspace, r.topic, r.partition, r.offset, r.reason, r.bytes, r.size)
            conn.execute(REJECTED, row)

    def _store_plans(self, conn: sqlite3.Connection) -> None:
        revision, salt, tail = self._batch.revision, self._salt, f"{self._salt & 0xFFFFFFFFFFFF:012x}"
        events: list[Any] = []
        deliveries: list[Any] = []
        keys: list[_Key] = []
        resent: list[tuple[Plan, int]] = []
        for plan in self._batch.plans:
            event, number, workspace_id = plan.event, plan.number, plan.workspace_id
            made = event.made
            if not made and event.id.endswith(tail) and (seen := made_event_number(event.id, salt)) is not None:
                made = seen == number
                if not made:
                    resent.append((plan, seen))
            if not made:
                keys.append((workspace_id, stored_key(event.id), number))
            verdicts = plan.verdicts
            stored = (_one(verdicts[0]) if len(verdicts) == 1 else encode(verdicts)) if verdicts else None
            matched = 1 if plan.matched else 0  # a bool would be taken for a type that needs an adapter
            events += (number, workspace_id, event.type, matched, 1 if made else 0, revision, event.payload, stored)
            for d in plan.deliveries:
                deliveries += (
                    d.id, d.event_number, d.destination_id, d.subscription_id, d.channel_id, d.trigger, d.next_at_ms,
                )  # fmt: skip
        if resent and any(_is_made(conn, plan, seen) for plan, seen in resent):
            raise DuplicateEventsError(self._known(conn, resent))
        written = _Written()
        try:
            for text, chunk in KEYS.chunks(list(chain.from_iterable(keys))):
                conn.execute(text, chunk)
                written.keys += len(chunk) // 3
            for text, chunk in EVENTS.chunks(events):
                conn.execute(text, chunk)
                written.events += len(chunk) // 8
        except sqlite3.IntegrityError as error:
            known = self._known(conn, resent, frozenset(keys[: written.keys]), written.events)
            if known:
                raise DuplicateEventsError(known) from error
            raise StoreError(f"a batch names an event twice, or a number that is taken: {error}") from error
        DELIVERIES.run(conn, deliveries)

    def _known(
        self,
        conn: sqlite3.Connection,
        resent: list[tuple[Plan, int]],
        own_keys: frozenset[_Key] = frozenset(),
        own_events: int = 0,
    ) -> dict[tuple[str, str], int]:
        """Which events of the batch are stored, apart from what this job itself has just written of them."""
        found: dict[tuple[int, str | bytes], int] = {}
        plans = self._batch.plans
        wanted = [part for plan in plans for part in (plan.workspace_id, stored_key(plan.event.id))]
        for text, chunk in KNOWN.chunks(wanted):
            rows = conn.execute(text, chunk).fetchall()
            found.update({(row[0], row[1]): row[2] for row in rows if row not in own_keys})
        known = {}
        for plan in plans:
            number = found.get((plan.workspace_id, stored_key(plan.event.id)))
            if number is not None:
                known[plan.event.workspace, plan.event.id] = number
        again = [(plan, plan.number) for plan in plans[own_events:] if plan.event.made]
        known.update({(p.event.workspace, p.event.id): n for p, n in (*resent, *again) if _is_made(conn, p, n)})
        return known


@dataclass(slots=True)
class _Written:
    """How many rows of a batch were written before one of them was refused."""

    keys: int = 0
    events: int = 0


def _is_made(conn: sqlite3.Connection, plan: Plan, number: int) -> bool:
    sql = "SELECT 1 FROM event WHERE id = ? AND workspace_id = ? AND made = 1"
    return conn.execute(sql, (number, plan.workspace_id)).fetchone() is not None


def _one(verdict: Verdict) -> bytes:
    """Encode the commonest verdicts (one, without detail) once only."""
    if verdict.detail is not None or verdict.destinations:
        return encode((verdict,))
    key = (verdict.subscription_id, verdict.channel_id, verdict.code)
    stored = _stored_verdicts.get(key)
    if stored is None:
        if len(_stored_verdicts) >= _VERDICTS_MAX:
            _stored_verdicts.clear()
        stored = _stored_verdicts[key] = encode((verdict,))
    return stored
