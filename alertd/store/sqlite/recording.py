"""The recording of finished attempts: many in one transaction, each on its own delivery's row.

The last attempt lives in the delivery's row; the one before it moves to `attempt` first. Only a row that is not final
and has not seen this attempt yet is touched, so recording twice does nothing, and what retention deleted stays deleted.
What was touched is added to the log of outcomes (alertd.store.sqlite.following), which has no word of anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.store.sqlite.following import log
from alertd.store.sqlite.statement import ManyRows, blob, json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from alertd.model.delivery import Attempt

# `+` keeps the planner from taking the due index instead of the row's id.
_DELIVERED: Final = ManyRows(
    "WITH v(i, t, u, s, a) AS (VALUES {rows}) UPDATE delivery SET state = 2, attempts = 1, next_at = NULL,"
    " started_at = t, duration = u, outcome = 0, status = s, answer = a"
    " FROM v WHERE delivery.id = v.i AND +delivery.state < 2 AND delivery.attempts < 1",
    "(?,?,?,nullif(?,-1),nullif(?,''))",
)
_RECORD: Final = ManyRows(
    "WITH v(i, n, st, nx, t, u, o, s, d, a) AS (VALUES {rows}) UPDATE delivery SET state = st, attempts = n,"
    " next_at = nx, started_at = t, duration = u, outcome = o, status = s, detail = d, answer = a"
    " FROM v WHERE delivery.id = v.i AND +delivery.state < 2 AND delivery.attempts < v.n",
    "(?,?,?,?,?,?,?,?,?,?)",
)
_KEEP_LAST: Final = ManyRows(
    "WITH v(i, n) AS (VALUES {rows}) INSERT INTO attempt"
    "(delivery_id, number, started_at, duration, outcome, status, detail, answer)"
    " SELECT d.id, d.attempts, d.started_at, d.duration, d.outcome, d.status, d.detail, d.answer"
    " FROM v CROSS JOIN delivery d ON d.id = v.i"
    " WHERE +d.state < 2 AND d.attempts < v.n AND d.outcome IS NOT NULL",
    "(?,?)",
)
_KEEP_ENDED: Final = ManyRows(
    "INSERT INTO attempt(delivery_id, number, started_at, duration, outcome, status, detail, answer)"
    " SELECT id, attempts, started_at, duration, outcome, status, detail, answer FROM delivery"
    " WHERE id IN ({rows}) AND +state < 2 AND outcome IS NOT NULL",
    "?",
)
_END: Final = ManyRows(
    "WITH v(i, st, d) AS (VALUES {rows}) UPDATE delivery SET state = st, detail = d, next_at = NULL,"
    " started_at = NULL, duration = NULL, outcome = NULL, status = NULL, answer = NULL"
    " FROM v WHERE delivery.id = v.i AND +delivery.state < 2",
    "(?,?,?)",
)


_ATTEMPTS: Final = "SELECT id, attempts FROM delivery WHERE id IN (SELECT value FROM json_each(?)) AND state < 2"
_OPEN: Final = "SELECT id FROM delivery WHERE id IN (SELECT value FROM json_each(?)) AND state < 2 ORDER BY id"


def record(conn: sqlite3.Connection, attempts: Sequence[Attempt], at_ms: int) -> None:
    """Store attempts; those of one delivery in the order given. `at_ms` is for the log."""
    for once in _rounds(attempts):
        conn.execute("SAVEPOINT outcomes")
        taken = once
        if _record_once(conn, once) < len(once):
            conn.execute("ROLLBACK TO outcomes")
            taken = _untold(conn, once)
            _record_once(conn, taken)
        conn.execute("RELEASE outcomes")
        log(conn, [(a.delivery_id, a.number, int(a.state)) for a in taken], at_ms)


def end(conn: sqlite3.Connection, delivery_ids: Sequence[int], state: DeliveryState, reason: str, at_ms: int) -> int:
    """Make deliveries that are not final cancelled or dead without an attempt; return how many. `at_ms` is for the log."""
    going = [row[0] for row in conn.execute(_OPEN, (json_list(delivery_ids),))]
    _KEEP_ENDED.run(conn, going)
    log(conn, [(number, 0, int(state)) for number in going], at_ms)
    return _END.run(conn, [part for number in going for part in (number, int(state), reason)])


def _untold(conn: sqlite3.Connection, once: Sequence[Attempt]) -> Sequence[Attempt]:
    """Leave out the attempts of deliveries that are final, gone, or have seen them."""
    ids = json_list(attempt.delivery_id for attempt in once)
    seen = dict(conn.execute(_ATTEMPTS, (ids,)).fetchall())
    return [attempt for attempt in once if seen.get(attempt.delivery_id, attempt.number) < attempt.number]


def _rounds(attempts: Sequence[Attempt]) -> Iterable[Sequence[Attempt]]:
    """Split attempts so that no part names a delivery twice."""
    if len({attempt.delivery_id for attempt in attempts}) == len(attempts):
        return (attempts,)
    rounds: list[list[Attempt]] = []
    seen: dict[int, int] = {}
    for attempt in attempts:
        turn = seen.get(attempt.delivery_id, 0)
        seen[attempt.delivery_id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(attempt)
    return rounds


def _record_once(conn: sqlite3.Connection, attempts: Sequence[Attempt]) -> int:
    """Store attempts of different deliveries; return how many deliveries were touched."""
    delivered: list[Any] = []
    others: list[Any] = []
    further: list[int] = []
    for a in attempts:
        outcome = a.outcome
        answer = outcome.answer
        if (
            a.number == 1
            and a.state is DeliveryState.DELIVERED
            and outcome.kind is OutcomeKind.DELIVERED
            and not outcome.detail
        ):
            status = -1 if outcome.status is None else outcome.status
            delivered += (a.delivery_id, a.started_at_ms, a.duration_us, status, blob(answer) if answer else "")
            continue
        if a.number > 1:
            further += (a.delivery_id, a.number)
        next_at = None if a.state.final else a.next_at_ms
        others += (a.delivery_id, a.number, int(a.state), next_at, a.started_at_ms, a.duration_us)
        others += (int(outcome.kind), outcome.status, outcome.detail or None, answer or None)
    changed = _DELIVERED.run(conn, delivered)
    _KEEP_LAST.run(conn, further)
    return changed + _RECORD.run(conn, others)
