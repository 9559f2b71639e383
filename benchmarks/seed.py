"""Great stores, made in a minute: rows are generated inside SQLite, into a file that a daemon has made and named.

Ids are like the daemon's own, dated some days ago; every event has the payload that the daemon makes of one of 500 bytes,
a UUID, one verdict and one delivery. The UUIDs are spread over their whole range and do not follow the events' order, as
random ones would. The history's index is made as the daemon makes it. A varied history has things that are rare, and
things that are only in its oldest part.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import orjson

from alertd.model.ids import SEQUENCE_BITS
from alertd.sources.base import Context
from alertd.sources.native import decode_record
from alertd.store.sqlite.blocks import BLOCK_EVENTS, folded, keep
from alertd.store.sqlite.recent_keys import index_keys, key_bucket
from benchmarks.workload import DESTINATIONS, PAYLOAD_BYTES, TYPES, event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PER_MS = 10
"""Events that share a millisecond."""
MULTIPLIER = 1_000_003
"""Coprime to every count used here: event k has the UUID number k * MULTIPLIER mod count."""
DAY_MS = 86_400_000

COMMON = len(TYPES) * DESTINATIONS
"""Templates of the events that there are many of."""
EARLY = 2_000
"""How many of the oldest events of a varied history are of one kind that never comes again."""
RARE = ("type", "project", "environment", "severity", "destination", "subscription")
"""What is rare in a varied history, each by itself."""
RARE_EVERY = 99_991
RARELY = "rare"
EARLIER = "early"
"""Names of things that are rare, and of those that are only in the oldest part."""
DEAD_EVERY, CANCELLED_EVERY, ACKNOWLEDGED_EVERY, WAITING = 1_013, 50_021, 10_007, 500
"""How often deliveries of a varied history are dead or cancelled, alerts acknowledged; how many of the newest wait."""

_PICK = {
    False: f"k % {COMMON}",
    True: f"CASE WHEN k < {EARLY} THEN {COMMON} WHEN k % {RARE_EVERY} < {len(RARE)} THEN {COMMON} + 1 + k % {RARE_EVERY}"
    f" ELSE k % {COMMON} END",
}
_STATE = {
    False: ":state",
    True: f"CASE WHEN k >= :count - {WAITING} THEN k % 2 WHEN k % {DEAD_EVERY} = 0 THEN 3"
    f" WHEN k % {CANCELLED_EVERY} = 0 THEN 4 ELSE 2 END",
}
_NUMBERS = "WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < :count)"
_ID = f"((:base + k / {PER_MS}) << {SEQUENCE_BITS}) + 2 * (k % {PER_MS})"
_UUID = "printf('%08x-0000-4000-8000-%012x', u * :step, u)"
_EVENTS = f"""
{_NUMBERS}, numbered AS (SELECT k, (k * {MULTIPLIER}) % :count AS u FROM n)
INSERT INTO event(id, workspace_id, type, matched, made, revision, payload, verdicts)
SELECT {_ID}, :workspace, t.type, 1, 0, 1, CAST(t.head || {_UUID} || t.tail AS BLOB), t.verdicts
FROM numbered JOIN temp.template t ON t.number = {{pick}}
"""  # noqa: S608 - constants
_DELIVERIES = f"""
{_NUMBERS}, stated AS (SELECT k, {{state}} AS state FROM n)
INSERT INTO delivery(id, event_id, destination_id, subscription_id, channel_id, state, attempts, next_at, started_at,
                     duration, outcome, status, detail)
SELECT {_ID} + 1, {_ID}, t.destination, t.subscription, t.channel, state, state > 0, iif(state < 2, :due + k / {PER_MS}, NULL),
       iif(state < 1, NULL, :base + k / {PER_MS}), iif(state < 1, NULL, 900),
       CASE state WHEN 2 THEN 0 WHEN 1 THEN 1 WHEN 3 THEN 2 END, CASE state WHEN 2 THEN 204 WHEN 1 THEN 503 WHEN 3 THEN 404 END,
       CASE state WHEN 1 THEN 'returned 503' WHEN 3 THEN 'returned 404' END
FROM stated JOIN temp.template t ON t.number = {{pick}}
"""  # noqa: S608 - constants
_KEYS = f"""
{_NUMBERS.replace("n(k)", "n(u)").replace("k + 1", "u + 1")}, placed AS (SELECT u, (u * :inverse) % :count AS k FROM n)
INSERT INTO event_key(bucket, workspace_id, uid, event_id)
SELECT bucket(:workspace, uid({_UUID})), :workspace, uid({_UUID}), {_ID} FROM placed ORDER BY 1, 2, 3
"""  # noqa: S608 - constants


_ACKNOWLEDGED = f"""
{_NUMBERS} INSERT INTO acknowledgement(event_id, actor, at) SELECT {_ID}, 'ann', :base FROM n WHERE k % {ACKNOWLEDGED_EVERY} = 0
"""  # noqa: S608 - constants
_SHAPES = """
INSERT INTO shape(id, workspace_id, type, project, environment, severity, matched, subscriptions, channels, destinations)
SELECT :first + t.number, :workspace, t.type, t.project, t.environment, t.severity, 1,
       ',' || t.subscription || ',', ',' || t.channel || ',', ',' || t.destination || ',' FROM temp.template t
"""


def seed(store: Path, count: int, *, days_ago: float, pending: bool, varied: bool = False) -> None:
    """Add so many events with their deliveries, all pending and due, or all delivered, or a varied history."""
    with closing(sqlite3.connect(store, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -262144")
        conn.create_function("uid", 1, lambda text: bytes.fromhex(text.replace("-", "")), deterministic=True)
        conn.create_function("bucket", 2, key_bucket, deterministic=True)
        base = int(time.time() * 1000 - days_ago * DAY_MS) - count // PER_MS
        workspace = _templates(conn, base)
        (shape,) = conn.execute("SELECT coalesce(max(id), 0) + 1 FROM shape").fetchone()
        values = {
            "count": count,
            "base": base,
            "workspace": workspace,
            "first": shape,
            "step": 0xFFFFFFFF // count,
            "inverse": pow(MULTIPLIER, -1, count),
            "state": 0 if pending else 2,
            "due": int(time.time() * 1000) + 365 * DAY_MS if varied else base,
        }
        conn.execute("BEGIN")
        for statement in (_EVENTS, _DELIVERIES, _KEYS, _SHAPES):
            conn.execute(statement.format(pick=_PICK[varied], state=_STATE[varied]), values)
        if varied:
            conn.execute(_ACKNOWLEDGED, values)
        for outline in _outlines(base, count, shape, varied=varied):
            keep(conn, folded([outline]))
        index_keys(conn)
        conn.execute("COMMIT")
        conn.execute("PRAGMA journal_mode = WAL")


def _templates(conn: sqlite3.Connection, at_ms: int) -> int:
    """Write down what the events of one type for one destination have in common; return the workspace's number.

    All have one time, `at_ms`.
    """
    context = Context(workspace="default", now_ms=at_ms, workspaces=frozenset({"default"}))
    names = {(kind, name): number for number, kind, name in conn.execute("SELECT id, kind, name FROM name")}
    conn.execute(
        "CREATE TEMP TABLE template(number INTEGER PRIMARY KEY, type TEXT, head TEXT, tail TEXT, verdicts BLOB,"
        " destination INTEGER, subscription INTEGER, channel INTEGER, project TEXT, environment TEXT, severity TEXT)"
    )
    mark = "_" * 36
    for number in range(COMMON):
        if len(event(number, event_id=mark)) != PAYLOAD_BYTES:
            raise ValueError("the payload has another size")
    for number, body, to, via in [*_common(mark), *_rare(mark)]:
        given = orjson.loads(body)
        head, _, tail = decode_record(body.encode(), context).payload.decode().partition(mark)
        places = [
            _named(conn, names, *name) for name in (("destination", to), ("subscription", via), ("channel", "c0"))
        ]
        verdicts = f"[[{places[1]},{places[2]},0]]".encode()
        fields = (given["project"], given["environment"], given["severity"])
        row = (number, given["type"], head, tail, verdicts, *places, *fields)
        conn.execute("INSERT INTO template VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    workspace: int = names["workspace", "default"]
    return workspace


def _common(mark: str) -> Iterator[tuple[int, str, str, str]]:
    """Give each common template: number, JSON, destination, subscription."""
    for number in range(COMMON):
        body = event(number, event_id=mark).decode()
        yield number, body, f"d{number % DESTINATIONS}", f"s{number % DESTINATIONS}"


def _rare(mark: str) -> Iterator[tuple[int, str, str, str]]:
    """Give the templates of a varied history alone: what is only in its oldest part, and what is rare."""
    common = orjson.loads(event(0, event_id=mark))
    for position, field in enumerate(("", *RARE)):
        name, given = (RARELY, {field: RARELY}) if field else (EARLIER, dict.fromkeys(RARE[:3], EARLIER))
        if field == "severity":
            given = {"severity": "critical"}
        body = common | {key: given[key] for key in given if key in common}
        to, via = (
            name if field in ("", key) else other for key, other in (("destination", "d0"), ("subscription", "s0"))
        )
        yield COMMON + position, orjson.dumps(body).decode(), to, via


def _named(conn: sqlite3.Connection, names: dict[tuple[str, str], int], kind: str, name: str) -> int:
    """Return the number of a name of the workspace, giving it one if it has none."""
    if (kind, name) not in names:
        made = conn.execute("INSERT INTO name(kind, workspace, name) VALUES (?, 'default', ?)", (kind, name))
        names[kind, name] = made.lastrowid or 0
    return names[kind, name]


def _outlines(base: int, count: int, shape: int, *, varied: bool) -> Iterator[tuple[int, int, bytes]]:
    """Outline all events, as many at a time as make a block."""
    for start in range(0, count, BLOCK_EVENTS):
        numbers = range(start, min(count, start + BLOCK_EVENTS))
        first = _number(base, start)
        shapes = [shape + _template(k, varied=varied) for k in numbers]
        yield first, len(numbers), orjson.dumps((shapes, [_number(base, k) - first for k in numbers]))


def _template(k: int, *, varied: bool) -> int:
    if varied and k < EARLY:
        return COMMON
    return COMMON + 1 + k % RARE_EVERY if varied and k % RARE_EVERY < len(RARE) else k % COMMON


def _number(base: int, k: int) -> int:
    return ((base + k // PER_MS) << SEQUENCE_BITS) + 2 * (k % PER_MS)
