"""The job that stores a batch: events, keys, deliveries, positions, engine state and rejected records, all or nothing.

Parameters are built flat, for statements with many rows. The keys go first: what is known already is refused before
anything else was written.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from alertd.errors import DuplicateEventsError, StoreError
from alertd.model.ids import made_event_number
from alertd.model.verdict import encode
from alertd.store.sqlite.engine_state import write_state
from alertd.store.sqlite.key import stored_key
from alertd.store.sqlite.shapes import INSERT
from alertd.store.sqlite.statement import ManyRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.engine.plan import Plan
    from alertd.store.base import Batch
    from alertd.store.sqlite.shapes import Outline

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
KNOWN: Final = ManyRows(
    "SELECT workspace_id, uid, event_id FROM event_key WHERE (workspace_id, uid) IN (VALUES {rows})", "(?,?)"
)
SET_POSITION: Final = (
    "INSERT INTO position(topic, partition, next_offset) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset"
)
REJECTED: Final = (
    "INSERT INTO rejected(id, workspace, topic, partition, record_offset, reason, bytes, size, headers)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
OUTLINE: Final = "INSERT INTO outline(first, events, shapes) VALUES (?, ?, ?)"
_Key = tuple[int, str | bytes, int]
_VERDICTS_MAX: Final = 10_000
_stored_verdicts: dict[tuple[int, int, int], bytes] = {}


@dataclass(slots=True)
class _Rows:
    """A batch's plans as parameters; `resent` pairs plans with the number that their brought id decodes to."""

    events: list[Any] = field(default_factory=list)
    keys: list[_Key] = field(default_factory=list)
    deliveries: list[Any] = field(default_factory=list)
    resent: list[tuple[Plan, int]] = field(default_factory=list)

    def add(self, plans: Sequence[Plan], revision: int, salt: int) -> None:
        """Add plans; an id that ends like those that we make is looked at more closely."""
        events, keys, deliveries = self.events, self.keys, self.deliveries
        tail = f"{salt & 0xFFFFFFFFFFFF:012x}"
        for plan in plans:
            event, number, workspace_id = plan.event, plan.number, plan.workspace_id
            made = event.made or (event.id.endswith(tail) and self._is_own(plan, salt))
            if not made:
                keys.append((workspace_id, stored_key(event.id), number))
            matched = 1 if plan.matched else 0  # a bool would be taken for a type that needs an adapter
            verdicts = _verdicts(plan) if plan.verdicts or plan.violations else None
            events += (number, workspace_id, event.type, matched, 1 if made else 0, revision, event.payload, verdicts)
            for d in plan.deliveries:
                deliveries += (
                    d.id, d.event_number, d.destination_id, d.subscription_id, d.channel_id, d.trigger, d.next_at_ms,
                )  # fmt: skip

    def _is_own(self, plan: Plan, salt: int) -> bool:
        """Whether an id was made for this very plan; one that was made for another event is sent again."""
        seen = made_event_number(plan.event.id, salt)
        if seen is not None and seen != plan.number:
            self.resent.append((plan, seen))
        return seen == plan.number


class BatchJob:
    """Stores one batch. Running it twice, after a rollback, is fine."""

    def __init__(self, batch: Batch, salt: int, outline: Outline | None = None) -> None:
        self._batch = batch
        self._salt = salt
        self._outline = outline

    def __call__(self, conn: sqlite3.Connection) -> None:
        """Write everything, or raise DuplicateEventsError."""
        batch = self._batch
        if batch.plans:
            self._store_plans(conn)
        for (topic, partition), offset in batch.positions.items():
            conn.execute(SET_POSITION, (topic, partition, offset))
        write_state(conn, batch)
        for r in batch.rejected:
            row = (r.id, r.workspace, r.topic, r.partition, r.offset, r.reason, r.bytes, r.size, r.headers)
            conn.execute(REJECTED, row)

    def _store_plans(self, conn: sqlite3.Connection) -> None:
        rows = _Rows()
        rows.add(self._batch.plans, self._batch.revision, self._salt)
        if rows.resent and any(_is_made(conn, plan, seen) for plan, seen in rows.resent):
            raise DuplicateEventsError(self._known(conn, rows.resent))
        written = _Written()
        try:
            for text, chunk in KEYS.chunks(list(chain.from_iterable(rows.keys))):
                conn.execute(text, chunk)
                written.keys += len(chunk) // 3
            for text, chunk in EVENTS.chunks(rows.events):
                conn.execute(text, chunk)
                written.events += len(chunk) // 8
        except sqlite3.IntegrityError as error:
            known = self._known(conn, rows.resent, frozenset(rows.keys[: written.keys]), written.events)
            if known:
                raise DuplicateEventsError(known) from error
            raise StoreError(f"a batch names an event twice, or a number that is taken: {error}") from error
        DELIVERIES.run(conn, rows.deliveries)
        outline = self._outline
        if outline is not None:
            conn.execute(OUTLINE, (outline.first, outline.events, outline.shapes))
            if outline.fresh:
                conn.executemany(INSERT, outline.fresh)

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
            stored = conn.execute(text, chunk).fetchall()
            found.update({(row[0], row[1]): row[2] for row in stored if row not in own_keys})
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


def _verdicts(plan: Plan) -> bytes:
    """Encode verdicts; the commonest (one, without detail) once only."""
    verdicts = plan.verdicts
    if len(verdicts) != 1 or plan.violations or verdicts[0].detail is not None or verdicts[0].destinations:
        return encode(verdicts, plan.violations)
    first = verdicts[0]
    key = (first.subscription_id, first.channel_id, first.code)
    stored = _stored_verdicts.get(key)
    if stored is None:
        if len(_stored_verdicts) >= _VERDICTS_MAX:
            _stored_verdicts.clear()
        stored = _stored_verdicts[key] = encode(verdicts)
    return stored
