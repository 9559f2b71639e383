"""Shapes: what events have in common for those who filter the history; few, though events are many.

A shape is workspace, type, project, environment, severity, and who was told by which subscriptions. A commit writes one
row that says which events have which shape: an outline. `alertd.store.sqlite.blocks` makes of outlines what the history
looks up. A column that is NULL in a shape's row means anything: past `SHAPES_MAX` shapes, new ones say less.
A shape promises nothing but that an event which fits a filter has one that fits it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.severity import Severity
from alertd.model.verdict import VerdictCode

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from alertd.engine.plan import Plan

SHAPES_MAX: Final = 20_000
"""How many shapes may tell all they can; past it new ones leave out who was told, past half as many again all but the
workspace."""
OUTLINE_EVENTS: Final = 256
"""How many events an outline has at least: what comes in smaller commits waits in memory. After a crash it is known to be
missing, and outlined as what nothing is known of."""
ROUTES_MAX: Final = 256
"""A shape names at most so many destinations and subscriptions; an event with more has one that leaves them out."""

SELECT: Final = (
    "SELECT id, workspace_id, type, project, environment, severity, matched, subscriptions, channels, destinations"
    " FROM shape"
)
_SHAPE: Final = (
    "INSERT OR IGNORE INTO shape(id, workspace_id, type, project, environment, severity, matched, subscriptions,"
    " channels, destinations) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_NEWEST: Final = "SELECT first, shapes FROM outline ORDER BY first DESC LIMIT 1"
_AFTER: Final = "SELECT workspace_id, id FROM event WHERE id > ? ORDER BY id"
_OUTLINE: Final = "INSERT OR REPLACE INTO outline(first, events, shapes) VALUES (?, ?, ?)"
_Routes = tuple[tuple[int, ...], tuple[int, ...]]
"""(subscription, channel, subscription, channel …) of what was sent, and the destinations."""
_Key = tuple[int, str | None, str, str, int, bool, _Routes | None]
"""(workspace, type, project, environment, severity, matched, routes); type None: anything but the workspace may be."""
_SENT: Final = VerdictCode.SENT


@dataclass(frozen=True, slots=True)
class Outline:
    """What one commit stores for the history's index.

    `row` is (number of the first event, count of events, JSON: `[[shape of each, …], [its number less the first, …]]`),
    None while too few events have come for one; `entries` are this commit's events as (shape, number), `tail` those
    of earlier commits that are in the row too; `fresh` are rows of shapes that are not stored yet.
    """

    row: tuple[int, int, bytes] | None
    entries: list[tuple[int, int]]
    tail: list[tuple[int, int]]
    fresh: list[tuple[Any, ...]]


class Shapes:
    """All shapes of a store, by what they are made of. Belongs to the event loop."""

    def __init__(self, rows: Iterable[Sequence[Any]] = (), bound: int = SHAPES_MAX) -> None:
        self._bound = bound
        self._known: dict[_Key, int] = {}
        self._unstored: dict[int, tuple[Any, ...]] = {}
        self._single: dict[tuple[Any, ...], int] = {}
        self._tail: list[tuple[int, int]] = []
        self._under_way: dict[int, Outline] = {}
        self._last = 0
        for row in rows:
            self._known[_key_of(row)] = row[0]
            self._last = max(self._last, row[0])

    def outline(self, plans: Sequence[Plan]) -> Outline:
        """Outline the events of a commit; `done` must follow, whatever becomes of it."""
        single = self._single
        shapes = []
        for plan in plans:
            event, verdicts, deliveries = plan.event, plan.verdicts, plan.deliveries
            if len(verdicts) == 1 and len(deliveries) == 1 and (sent := verdicts[0]).code is _SENT:
                short = (
                    plan.workspace_id, event.type, event.project, event.environment, event.severity, plan.matched,
                    sent.subscription_id, sent.channel_id, deliveries[0].destination_id,
                )  # fmt: skip
                shapes.append(single.get(short) or self._add(short, plan))
            else:
                shapes.append(self._find(plan))
        entries = list(zip(shapes, [plan.number for plan in plans], strict=True))
        tail: list[tuple[int, int]] = []
        if len(entries) + len(self._tail) >= OUTLINE_EVENTS:
            tail, self._tail = self._tail, []
        row = _row_of(tail + entries) if tail or len(entries) >= OUTLINE_EVENTS else None
        unstored = self._unstored
        fresh = [unstored[shape] for shape in set(shapes) if shape in unstored] if unstored else []
        outline = Outline(row, entries, tail, fresh)
        self._under_way[id(outline)] = outline
        return outline

    def done(self, outline: Outline, *, stored: bool | None) -> None:
        """Take note of what became of a commit; None: nobody knows, so that its events are outlined (again)."""
        del self._under_way[id(outline)]
        if not stored:
            self._tail[:0] = outline.tail
        if stored is None or (stored and outline.row is None):
            self._tail += outline.entries
        if stored:
            for row in outline.fresh:
                self._unstored.pop(row[0], None)

    def rest(self) -> Outline | None:
        """Outline what is in no outline yet, before the store is closed; `done` must follow."""
        if not self._tail:
            return None
        tail, self._tail = self._tail, []
        outline = Outline(_row_of(tail), [], tail, [])
        self._under_way[id(outline)] = outline
        return outline

    def tail(self) -> list[tuple[int, int]]:
        """Events that may be stored, and in no outline yet, as (shape, number), in any order; ask before reading outlines."""
        return self._tail + [entry for each in self._under_way.values() for entry in each.tail + each.entries]

    def recover(self, conn: sqlite3.Connection) -> None:
        """After a crash, outline as what nothing is known of the events that came after the last outline."""
        newest = conn.execute(_NEWEST).fetchone()
        last = max((number for _, number in outlined(*newest)), default=0) if newest else 0
        last = max(last, conn.execute("SELECT coalesce(max(high), 0) FROM block").fetchone()[0])
        if last:
            events = conn.execute(_AFTER, (last,)).fetchall()
            self._tail = [(self._unknown(workspace_id), number) for workspace_id, number in events]
            conn.executemany(_SHAPE, self._unstored.values())
            self._unstored.clear()

    def forget(self, shapes: Collection[int]) -> list[int]:
        """Forget shapes that no event has any more, but those that are in use; return which were forgotten."""
        going = set(shapes).difference(self._unstored, [shape for shape, _ in self.tail()])
        self._known = {key: shape for key, shape in self._known.items() if shape not in going}
        self._single.clear()
        return sorted(going)

    def __len__(self) -> int:
        """How many shapes there are."""
        return len(self._known)

    def _add(self, short: tuple[Any, ...], plan: Plan) -> int:
        """Find the shape of an event with one verdict and one delivery, and remember it by a key that is quickly made."""
        shape = self._single[short] = self._find(plan)
        if len(self._single) > self._bound * 2:
            self._single.clear()
        return shape

    def _find(self, plan: Plan) -> int:
        event = plan.event
        sent = [part for v in plan.verdicts if v.code is _SENT for part in (v.subscription_id, v.channel_id)]
        routes = (tuple(sent), tuple([delivery.destination_id for delivery in plan.deliveries]))
        key = (plan.workspace_id, event.type, event.project, event.environment, event.severity, plan.matched, routes)
        return self._known.get(key) or self._make(key)

    def _make(self, key: _Key) -> int:
        """Give a new shape its number, or the number of one that says less when there are too many."""
        workspace_id, event_type, project, environment, severity, matched, routes = key
        if routes is not None and (len(self) >= self._bound or max(map(len, routes)) > ROUTES_MAX):
            key = (workspace_id, event_type, project, environment, severity, matched, None)
        if len(self) >= self._bound * 3 // 2:
            return self._unknown(workspace_id)
        return self._known.get(key) or self._number(key)

    def _unknown(self, workspace_id: int) -> int:
        key = (workspace_id, None, "", "", 0, False, None)
        return self._known.get(key) or self._number(key)

    def _number(self, key: _Key) -> int:
        shape = self._last = self._last + 1
        self._known[key] = shape
        self._unstored[shape] = (shape, *_columns(key))
        return shape


def _row_of(entries: Sequence[tuple[int, int]]) -> tuple[int, int, bytes]:
    """Write events, given as (shape, number), as the row of an outline."""
    first = min(number for _, number in entries)
    stored = orjson.dumps(([shape for shape, _ in entries], [number - first for _, number in entries]))
    return first, len(entries), stored


def outlined(first: int, stored: bytes) -> Iterable[tuple[int, int]]:
    """Read an outline: each event's shape and number."""
    shapes, offsets = orjson.loads(stored)
    return zip(shapes, [first + offset for offset in offsets], strict=True)


def write(conn: sqlite3.Connection, outline: Outline) -> None:
    """Store an outline with its shapes."""
    if outline.row is not None:
        conn.execute(_OUTLINE, outline.row)
    if outline.fresh:
        conn.executemany(_SHAPE, outline.fresh)


def _columns(key: _Key) -> tuple[Any, ...]:
    workspace_id, event_type, project, environment, severity, matched, routes = key
    if event_type is None:
        return (workspace_id, *[None] * 8)
    told = [None] * 3 if routes is None else [_listed(routes[0][::2]), _listed(routes[0][1::2]), _listed(routes[1])]
    return (workspace_id, event_type, project, environment, Severity(severity).word, int(matched), *told)


def _listed(numbers: Iterable[int]) -> str:
    """Write numbers so that one of them is found by its commas: `,7,8,`."""
    return "," + "".join(f"{number}," for number in numbers)


def _key_of(row: Sequence[Any]) -> _Key:
    _, workspace_id, event_type, project, environment, severity, matched, subscriptions, channels, destinations = row
    if event_type is None:
        return (workspace_id, None, "", "", 0, False, None)
    routes = None
    if subscriptions is not None:
        pairs = zip(_numbers(subscriptions), _numbers(channels), strict=True)
        routes = (tuple(part for pair in pairs for part in pair), _numbers(destinations))
    return (workspace_id, event_type, project, environment, Severity[severity.upper()], bool(matched), routes)


def _numbers(listed: str) -> tuple[int, ...]:
    return tuple(int(number) for number in listed.split(",") if number)
