"""The job that stores a batch: events, keys, deliveries, positions, engine state and rejected records, all or nothing.

Parameters are built flat, for statements with many rows. The keys are looked up first: what is known already is refused
before anything was written.
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
from alertd.store.sqlite.issues import write_issues
from alertd.store.sqlite.key import stored_key
from alertd.store.sqlite.shapes import write
from alertd.store.sqlite.shared import KEEP, written
from alertd.store.sqlite.statement import ManyRows, blob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.engine.plan import Plan
    from alertd.store.base import Batch
    from alertd.store.sqlite.key import Uid
    from alertd.store.sqlite.recent_keys import Keys, RecentKeys
    from alertd.store.sqlite.shapes import Outline

EVENTS: Final = ManyRows(
    "INSERT INTO event(id, workspace_id, type, matched, made, revision, payload, verdicts) VALUES {rows}",
    "(?,?,?,?,?,?,?,?)",
)
DELIVERIES: Final = ManyRows(
    "INSERT INTO delivery(id, event_id, destination_id, subscription_id, channel_id, trigger, next_at, state, attempts)"
    " VALUES {rows}",
    "(?,?,?,?,?,nullif(?,''),?,0,0)",
)
POSITIONS: Final = ManyRows(
    "INSERT INTO position(topic, partition, next_offset) VALUES {rows}"
    " ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
    "(?,?,?)",
)
REJECTED: Final = (
    "INSERT INTO rejected(id, workspace, topic, partition, record_offset, reason, bytes, size, headers)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_VERDICTS_MAX: Final = 10_000
_stored_verdicts: dict[tuple[int, int, int], bytearray] = {}


@dataclass(slots=True)
class _Rows:
    """A batch's plans as parameters; `resent` pairs plans with the number that their brought id decodes to.

    `repeated`: an id stands in the batch twice.
    """

    events: list[Any] = field(default_factory=list)
    keys: Keys = field(default_factory=dict)
    deliveries: list[Any] = field(default_factory=list)
    shared: list[Any] = field(default_factory=list)
    resent: list[tuple[Plan, int]] = field(default_factory=list)
    repeated: bool = False

    def add(self, plans: Sequence[Plan], revision: int, salt: int) -> None:
        """Add plans; an id that ends like those that we make is looked at more closely."""
        events, deliveries = self.events, self.deliveries
        tail = f"{salt & 0xFFFFFFFFFFFF:012x}"
        for plan in plans:
            event, number, workspace_id = plan.event, plan.number, plan.workspace_id
            made = event.made or (event.id.endswith(tail) and self._is_own(plan, salt))
            if not made:
                self._add_key(workspace_id, stored_key(event.id), number)
            matched = 1 if plan.matched else 0  # a bool would be taken for a type that needs an adapter
            verdicts = _verdicts(plan) if plan.verdicts or plan.violations else None
            payload = blob(plan.payload)
            events += (number, workspace_id, event.type, matched, 1 if made else 0, revision, payload, verdicts)
            for d in plan.deliveries:
                deliveries += (
                    d.id, d.event_number, d.destination_id, d.subscription_id, d.channel_id, d.trigger or "", d.next_at_ms,
                )  # fmt: skip
                if d.also:
                    self.shared += (d.id, written(d.also))

    def _add_key(self, workspace_id: int, uid: Uid, number: int) -> None:
        uids = self.keys.get(workspace_id)
        if uids is None:
            uids = self.keys[workspace_id] = {}
        if uids.setdefault(uid, number) != number:
            self.repeated = True

    def _is_own(self, plan: Plan, salt: int) -> bool:
        """Whether an id was made for this very plan; one that was made for another event is sent again."""
        seen = made_event_number(plan.event.id, salt)
        if seen is not None and seen != plan.number:
            self.resent.append((plan, seen))
        return seen == plan.number


class BatchJob:
    """Stores one batch. Running it twice, after a rollback, is fine."""

    def __init__(self, batch: Batch, salt: int, recent: RecentKeys, outline: Outline | None = None) -> None:
        self._batch = batch
        self._salt = salt
        self._recent = recent
        self._outline = outline

    def __call__(self, conn: sqlite3.Connection) -> None:
        """Write everything, or raise DuplicateEventsError."""
        batch = self._batch
        if batch.plans:
            self._store_plans(conn)
        POSITIONS.run(conn, list(chain.from_iterable((*place, offset) for place, offset in batch.positions.items())))
        write_state(conn, batch)
        if batch.issues is not None:
            write_issues(conn, batch.issues)
        for r in batch.rejected:
            row = (r.id, r.workspace, r.topic, r.partition, r.offset, r.reason, r.bytes, r.size, r.headers)
            conn.execute(REJECTED, row)

    def _store_plans(self, conn: sqlite3.Connection) -> None:
        plans = self._batch.plans
        rows = _Rows()
        rows.add(plans, self._batch.revision, self._salt)
        known = self._recent.known(conn, rows.keys)
        made = [(plan, seen) for plan, seen in rows.resent if _is_made(conn, plan, seen)]
        if known or made:
            made += [(plan, plan.number) for plan in plans if plan.event.made and _is_made(conn, plan, plan.number)]
            raise DuplicateEventsError(self._named(known, made))
        if rows.repeated:
            raise StoreError("a batch names an event twice")
        written = 0
        try:
            for text, chunk in EVENTS.chunks(rows.events):
                conn.execute(text, chunk)
                written += len(chunk) // 8
        except sqlite3.IntegrityError as error:
            again = [(p, p.number) for p in plans[written:] if p.event.made and _is_made(conn, p, p.number)]
            if again:
                raise DuplicateEventsError(self._named({}, again)) from error
            raise StoreError(f"a batch names an event twice, or a number that is taken: {error}") from error
        DELIVERIES.run(conn, rows.deliveries)
        KEEP.run(conn, rows.shared)
        outline = self._outline
        if outline is not None:
            write(conn, outline)
        self._recent.add(conn, rows.keys)

    def _named(self, known: dict[tuple[int, Uid], int], made: list[tuple[Plan, int]]) -> dict[tuple[str, str], int]:
        """Name what is known by workspace and id, as whoever sent it does."""
        found = {(plan.event.workspace, plan.event.id): number for plan, number in made}
        for plan in self._batch.plans if known else ():
            number = known.get((plan.workspace_id, stored_key(plan.event.id)))
            if number is not None:
                found[plan.event.workspace, plan.event.id] = number
        return found


def _is_made(conn: sqlite3.Connection, plan: Plan, number: int) -> bool:
    sql = "SELECT 1 FROM event WHERE id = ? AND workspace_id = ? AND made = 1"
    return conn.execute(sql, (number, plan.workspace_id)).fetchone() is not None


def _verdicts(plan: Plan) -> bytearray:
    """Encode verdicts; the commonest (one, without detail) once only."""
    verdicts = plan.verdicts
    if len(verdicts) != 1 or plan.violations or verdicts[0].detail is not None or verdicts[0].destinations:
        return blob(encode(verdicts, plan.violations))
    first = verdicts[0]
    key = (first.subscription_id, first.channel_id, first.code)
    stored = _stored_verdicts.get(key)
    if stored is None:
        if len(_stored_verdicts) >= _VERDICTS_MAX:
            _stored_verdicts.clear()
        stored = _stored_verdicts[key] = blob(encode(verdicts))
    return stored
