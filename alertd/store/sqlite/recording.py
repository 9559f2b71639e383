"""The recording of finished attempts: many in one transaction, each on its own delivery's row.

The last attempt lives in the delivery's row; the one before it moves to `attempt` first. Only a row that is not final
and has not seen this attempt yet is touched, so recording twice does nothing, and what retention deleted stays deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.store.sqlite.statement import ManyRows, blob

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


def record(conn: sqlite3.Connection, attempts: Sequence[Attempt]) -> None:
    """Store attempts; those of one delivery in the order given."""
    for once in _rounds(attempts):
        _record_once(conn, once)


def end(conn: sqlite3.Connection, delivery_ids: Sequence[int], state: DeliveryState, reason: str) -> int:
    """Make deliveries that are not final cancelled or dead without an attempt; return how many."""
    _KEEP_ENDED.run(conn, list(delivery_ids))
    return _END.run(conn, [part for number in delivery_ids for part in (number, int(state), reason)])


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


def _record_once(conn: sqlite3.Connection, attempts: Sequence[Attempt]) -> None:
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
    _DELIVERED.run(conn, delivered)
    _KEEP_LAST.run(conn, further)
    _RECORD.run(conn, others)
