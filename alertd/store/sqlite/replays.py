"""Replays: new deliveries that repeat final ones and name them as their origin, one by one or many in steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.errors import ConflictError, NotFoundError
from alertd.model.delivery import Delivery, DeliveryState
from alertd.model.digest import DIGEST_TYPE
from alertd.model.ids import DELIVERY, END, REPLAY, format_id, milliseconds
from alertd.store.replaying import AS_IT_WAS, LOOKS, PART, Replay, ReplayRule, ReplayState
from alertd.store.sqlite.conditions import OWN
from alertd.store.sqlite.digests import copy_digest
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.resources import log
from alertd.store.sqlite.shared import KEEP, SHARED, further
from alertd.store.sqlite.statement import blob, json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from alertd.store.resource import AuditEntry
    from alertd.store.sqlite.reader import Row

_ORIGIN: Final = f"""
SELECT d.state, d.event_id, d.destination_id, d.subscription_id, d.channel_id, d.trigger, e.type, e.payload,
    (SELECT body FROM issue_event i WHERE i.event_id = d.event_id), {SHARED.format(delivery="d.id")}
FROM delivery d JOIN event e ON e.id = d.event_id WHERE d.id = ?
"""  # noqa: S608 - constants
_REPLAY: Final = """
INSERT INTO delivery(id, event_id, destination_id, subscription_id, channel_id, trigger, next_at, state, attempts, replay_of)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?)
"""
_IS_DIGEST: Final = "EXISTS (SELECT 1 FROM digest g WHERE g.id = {origin})"
_HAS_IT: Final = f"""(EXISTS (
    SELECT 1 FROM delivery d INDEXED BY delivery_replay
    WHERE d.event_id = {{event}} AND d.replay_of IS NOT NULL AND d.id >= :since AND d.destination_id = {{destination}}
    AND d.state NOT IN (3, 4) AND d.id <> d.replay_of
    AND CASE WHEN {_IS_DIGEST} THEN {{origin}} IN (d.replay_of, d.id)
        ELSE (:any OR d.subscription_id = {{subscription}}) AND NOT EXISTS (SELECT 1 FROM digest q WHERE q.id = d.id) END
) OR EXISTS (
    SELECT 1 FROM delivery d WHERE {OWN} AND d.id <> {{origin}} AND d.id >= :since AND d.destination_id = {{destination}}
    AND d.state NOT IN (3, 4) AND (:any OR d.subscription_id = {{subscription}}) AND NOT {_IS_DIGEST}
))"""  # noqa: S608 - constants
"""Whether the destination has, or is about to have, what an origin would bring it (`ReplayRule`)."""
_HAS: Final = "SELECT " + _HAS_IT.format(
    event=":event", origin=":origin", destination=":destination", subscription=":subscription"
)
_KEYS: Final = f"""
SELECT DISTINCT CASE WHEN {_IS_DIGEST.format(origin="o.id")} THEN 'digest ' || o.id WHEN :any THEN o.event_id
    ELSE o.event_id || ' ' || o.destination_id || ' ' || o.subscription_id END
FROM json_each(:ids) n CROSS JOIN delivery o ON o.id = n.value
WHERE o.state > 1 AND (:present IS NULL OR :any OR o.destination_id IN (SELECT value FROM json_each(:present))) AND NOT {
    _HAS_IT.format(
        event="o.event_id",
        origin="o.id",
        destination="coalesce(:destination, o.destination_id)",
        subscription="o.subscription_id",
    )
}
"""  # noqa: S608 - constants
_COLUMNS: Final = (
    "id, workspace, actor, request, destination_id, since, rate, total, state, looked, made, reason, ended_at"
)
_BEGIN: Final = f"INSERT INTO replay({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
_ADD_PART: Final = "INSERT INTO replay_part(replay_id, part, origins) VALUES (?, ?, ?)"
_ONE: Final = f"SELECT {_COLUMNS} FROM replay WHERE id = ?"  # noqa: S608 - a constant
_LIST: Final = f"""
SELECT {_COLUMNS} FROM replay WHERE id < :below AND (:workspace IS NULL OR workspace = :workspace)
ORDER BY id DESC LIMIT :limit
"""  # noqa: S608 - a constant
_RUNNING: Final = f"SELECT {_COLUMNS} FROM replay WHERE state = 0 ORDER BY id"  # noqa: S608 - a constant
_PART: Final = "SELECT origins FROM replay_part WHERE replay_id = ? AND part = ?"
_SAVE: Final = "UPDATE replay SET state = ?, looked = ?, made = ?, reason = ?, ended_at = ? WHERE id = ?"
_END_PARTS: Final = "DELETE FROM replay_part WHERE replay_id = ?"
_OLD: Final = "DELETE FROM replay WHERE state > 0 AND ended_at < ?"
_ASKED: Final = "INSERT INTO repeat(delivery_id, actor, replay_id) VALUES (?, ?, ?)"


class Replays(Part):
    """What sends again."""

    async def replay(
        self, origin: int, new_id: int, now_ms: int, rule: ReplayRule = AS_IT_WAS, audit: Sequence[AuditEntry] = ()
    ) -> Delivery:
        """Store a new delivery that repeats a final one and names it as its origin."""

        def job(conn: sqlite3.Connection) -> Delivery:
            row = conn.execute(_ORIGIN, (origin,)).fetchone()
            if row is None:
                raise NotFoundError(f"there is no delivery {format_id(DELIVERY, origin)}")
            state = DeliveryState(row[0])
            if not state.final:
                shown = format_id(DELIVERY, origin)
                raise ConflictError(f"delivery {shown} is {state.word}: only a final one can be replayed")
            log(conn, audit)
            return _repeat(conn, (origin, new_id), row, now_ms, rule)

        return await self.core.writer.run(job)

    async def replay_many(self, origins: Sequence[tuple[int, int]], now_ms: int, rule: ReplayRule) -> list[Delivery]:
        """Store replays of those that are final and bring something, in one transaction."""
        return await self.core.writer.run(lambda conn: _replay_many(conn, origins, now_ms, rule))

    async def replayable(self, origins: Sequence[int], rule: ReplayRule) -> int:
        """How many replays would be made of these now."""
        keys: set[Any] = set()
        present = None if rule.present is None else json_list(rule.present)
        to = rule.destination_id
        given = {"since": rule.since, "destination": to, "any": to is not None, "present": present}
        for start in range(0, len(origins), PART):
            ids = json_list(origins[start : start + PART])
            keys.update(row[0] for row in await self.core.history.rows(_KEYS, {**given, "ids": ids}))
        return len(keys)

    async def begin_replay(self, replay: Replay, origins: Sequence[int], audit: Sequence[AuditEntry] = ()) -> None:
        """Keep a replay and what it is to send again."""
        parts = [
            (replay.id, number, blob(orjson.dumps(list(origins[start : start + PART]))))
            for number, start in enumerate(range(0, len(origins), PART))
        ]

        def job(conn: sqlite3.Connection) -> None:
            conn.execute(_BEGIN, (
                replay.id, replay.workspace, replay.actor, replay.request, replay.destination_id, replay.since,
                replay.rate, replay.total, int(replay.state), 0, 0, "", None,
            ))  # fmt: skip
            conn.executemany(_ADD_PART, parts)
            log(conn, audit)

        await self.core.writer.run(job)

    async def step_replay(
        self, replay_id: int, first_id: int, count: int, now_ms: int, present: frozenset[int]
    ) -> tuple[Replay, list[Delivery]]:
        """Deal with the next origins in one transaction with the note of it."""

        def job(conn: sqlite3.Connection) -> tuple[Replay, list[Delivery]]:
            replay = _one(conn, replay_id)
            if replay.state is not ReplayState.RUNNING:
                return replay, []
            row = conn.execute(_PART, (replay_id, replay.looked // PART)).fetchone()
            at = replay.looked % PART
            rule, looked = replay.rule(present), replay.looked
            made: list[Delivery] = []
            for origin in orjson.loads(row[0])[at : at + LOOKS] if row else ():
                if len(made) == count:
                    break
                looked += 1
                made += _replay_many(conn, [(origin, first_id + len(made))], now_ms, rule)
            after = replace(replay, looked=looked, made=replay.made + len(made))
            if after.looked >= after.total:
                after = replace(after, state=ReplayState.DONE, ended_at_ms=now_ms)
            _save(conn, after)
            return after, made

        return await self.core.writer.run(job)

    async def end_replay(
        self,
        replay_id: int,
        state: ReplayState,
        reason: str,
        now_ms: int,
        audit: Callable[[Replay], AuditEntry] | None = None,
    ) -> Replay:
        """End a replay if it is running."""

        def job(conn: sqlite3.Connection) -> Replay:
            replay = _one(conn, replay_id)
            if replay.state is ReplayState.RUNNING:
                replay = replace(replay, state=state, reason=reason, ended_at_ms=now_ms)
                _save(conn, replay)
                if audit is not None:
                    log(conn, [audit(replay)])
            return replay

        return await self.core.writer.run(job)

    async def replay_by_id(self, replay_id: int) -> Replay | None:
        """One replay."""
        row = await self.core.history.row(_ONE, (replay_id,))
        return _replay(row) if row else None

    async def replays(self, workspace: str | None, below: int | None, limit: int) -> list[Replay]:
        """Replays of a workspace, newest first."""
        params = {"workspace": workspace, "below": END if below is None else below, "limit": limit}
        return [_replay(row) for row in await self.core.history.rows(_LIST, params)]

    async def running_replays(self) -> list[Replay]:
        """Those that go on, oldest first."""
        return [_replay(row) for row in await self.core.history.rows(_RUNNING)]


def forget_replays(conn: sqlite3.Connection, before_ms: int) -> None:
    """Delete replays that ended before a time; the deliveries that they made go with their events."""
    conn.execute(_OLD, (before_ms,))


def forget_repeats(conn: sqlite3.Connection, deliveries: str) -> None:
    """Delete who asked for some deliveries, JSON of their numbers."""
    conn.execute("DELETE FROM repeat WHERE delivery_id IN (SELECT value FROM json_each(?))", (deliveries,))


def _one(conn: sqlite3.Connection, replay_id: int) -> Replay:
    row = conn.execute(_ONE, (replay_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"there is no replay {format_id(REPLAY, replay_id)}")
    return _replay(row)


def _replay(row: Row) -> Replay:
    values = list(row)
    values[8] = ReplayState(row[8])
    return Replay(*values)


def _save(conn: sqlite3.Connection, replay: Replay) -> None:
    """Note how far a replay is; one that ended needs its origins no more."""
    conn.execute(
        _SAVE, (int(replay.state), replay.looked, replay.made, replay.reason, replay.ended_at_ms, replay.id)
    )  # fmt: skip
    if replay.state is not ReplayState.RUNNING:
        conn.execute(_END_PARTS, (replay.id,))


def _replay_many(
    conn: sqlite3.Connection, origins: Sequence[tuple[int, int]], now_ms: int, rule: ReplayRule
) -> list[Delivery]:
    made = []
    for pair in origins:
        row = conn.execute(_ORIGIN, (pair[0],)).fetchone()
        if row is None or not DeliveryState(row[0]).final or not rule.reaches(row[2]):
            continue
        if not _has_it(conn, pair[0], row, rule):
            made.append(_repeat(conn, pair, row, now_ms, rule))
    return made


def _repeat(conn: sqlite3.Connection, pair: tuple[int, int], row: Row, now_ms: int, rule: ReplayRule) -> Delivery:
    origin, new_id = pair
    _, event_id, own, subscription_id, channel_id, trigger, event_type, payload, issue, shared = row
    to = own if rule.destination_id is None else rule.destination_id
    conn.execute(_REPLAY, (new_id, event_id, to, subscription_id, channel_id, trigger, now_ms, origin))
    if rule.actor or rule.replay_id is not None:
        conn.execute(_ASKED, (new_id, rule.actor, rule.replay_id))
    digest = copy_digest(conn, origin, new_id, to)
    if shared is not None:
        KEEP.run(conn, [new_id, shared])
    return Delivery(
        new_id, event_id, to, subscription_id, channel_id, 0, now_ms, event_type if digest is None else DIGEST_TYPE, payload,
        trigger, origin, milliseconds(new_id), further(shared), issue, digest=digest,
    )  # fmt: skip


def _has_it(conn: sqlite3.Connection, origin: int, row: Row, rule: ReplayRule) -> bool:
    params = {
        "origin": origin,
        "event": row[1],
        "since": rule.since,
        "destination": row[2] if rule.destination_id is None else rule.destination_id,
        "any": rule.destination_id is not None,
        "subscription": row[3],
    }
    return bool(conn.execute(_HAS, params).fetchone()[0])
