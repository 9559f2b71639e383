"""Great stores, made in a minute: rows are generated inside SQLite, into a file that a daemon has made and named.

Ids are like the daemon's own, dated some days ago; every event has a payload of 500 bytes, a UUID, one verdict and one
delivery. The UUIDs are spread over their whole range and do not follow the events' order, as random ones would.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from alertd.model.ids import SEQUENCE_BITS
from benchmarks.workload import DESTINATIONS, PAYLOAD_BYTES, TYPES, event

if TYPE_CHECKING:
    from pathlib import Path

PER_MS = 10
"""Events that share a millisecond."""
MULTIPLIER = 1_000_003
"""Coprime to every count used here: event k has the UUID number k * MULTIPLIER mod count."""
DAY_MS = 86_400_000

_NUMBERS = "WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < :count)"
_ID = f"((:base + k / {PER_MS}) << {SEQUENCE_BITS}) + 2 * (k % {PER_MS})"
_UUID = "printf('%08x-0000-4000-8000-%012x', u * :step, u)"
_EVENTS = f"""
{_NUMBERS}, numbered AS (SELECT k, (k * {MULTIPLIER}) % :count AS u FROM n)
INSERT INTO event(id, workspace_id, type, matched, made, revision, payload, verdicts)
SELECT {_ID}, :workspace, t.type, 1, 0, 1, CAST(t.head || {_UUID} || t.tail AS BLOB), t.verdicts
FROM numbered JOIN temp.template t ON t.number = k % :templates
"""  # noqa: S608 - constants
_DELIVERIES = f"""
{_NUMBERS}
INSERT INTO delivery(id, event_id, destination_id, subscription_id, channel_id, state, attempts, next_at, started_at,
                     duration, outcome, status)
SELECT {_ID} + 1, {_ID}, t.destination, t.subscription, t.channel, :state, :state / 2, iif(:state < 2, :base + k / {PER_MS}, NULL),
       iif(:state < 2, NULL, :base + k / {PER_MS}), iif(:state < 2, NULL, 900), iif(:state < 2, NULL, 0), iif(:state < 2, NULL, 204)
FROM n JOIN temp.template t ON t.number = k % :templates
"""  # noqa: S608 - constants
_KEYS = f"""
{_NUMBERS.replace("n(k)", "n(u)").replace("k + 1", "u + 1")}, placed AS (SELECT u, (u * :inverse) % :count AS k FROM n)
INSERT INTO event_key(workspace_id, uid, event_id)
SELECT :workspace, uid({_UUID}), {_ID} FROM placed
"""  # noqa: S608 - constants


def seed(store: Path, count: int, *, days_ago: float, pending: bool) -> None:
    """Add so many events with their deliveries, all pending and due, or all delivered."""
    with closing(sqlite3.connect(store, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -262144")
        conn.create_function("uid", 1, lambda text: bytes.fromhex(text.replace("-", "")), deterministic=True)
        workspace = _templates(conn)
        values = {
            "count": count,
            "base": int(time.time() * 1000 - days_ago * DAY_MS) - count // PER_MS,
            "workspace": workspace,
            "templates": len(TYPES) * DESTINATIONS,
            "step": 0xFFFFFFFF // count,
            "inverse": pow(MULTIPLIER, -1, count),
            "state": 0 if pending else 2,
        }
        conn.execute("BEGIN")
        for statement in (_EVENTS, _DELIVERIES, _KEYS):
            conn.execute(statement, values)
        conn.execute("UPDATE meta SET value = (SELECT max(id) FROM event) WHERE key = 'keys_to'")
        conn.execute("COMMIT")
        conn.execute("PRAGMA journal_mode = WAL")


def _templates(conn: sqlite3.Connection) -> int:
    """Write down what the events of one type for one destination have in common; return the workspace's number."""
    names = {(kind, name): number for number, kind, name in conn.execute("SELECT id, kind, name FROM name")}
    conn.execute(
        "CREATE TEMP TABLE template(number INTEGER PRIMARY KEY, type TEXT, head TEXT, tail TEXT, verdicts BLOB,"
        " destination INTEGER, subscription INTEGER, channel INTEGER)"
    )
    mark = "_" * 36
    for number in range(len(TYPES) * DESTINATIONS):
        head, _, tail = event(number, event_id=mark).decode().partition(mark)
        if len(head) + len(mark) + len(tail) != PAYLOAD_BYTES:
            raise ValueError("the payload has another size")
        to, via = names["destination", f"d{number % DESTINATIONS}"], names["subscription", f"s{number % DESTINATIONS}"]
        channel = names["channel", "c0"]
        verdicts = f"[[{via},{channel},0]]".encode()
        row = (number, TYPES[number % len(TYPES)], head, tail, verdicts, to, via, channel)
        conn.execute("INSERT INTO template VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    workspace: int = names["workspace", "default"]
    return workspace
