"""Walks: where to look for what fits a filter, from the newest number down. Each gives all that may fit, and some more.

Whoever walks checks every row; a walk only has to leave nothing out. All of them go by an index, so that a step costs
the same at the first page and at the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from alertd.store.sqlite.conditions import OWN
from alertd.store.sqlite.statement import json_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.store.sqlite.conditions import Conditions
    from alertd.store.sqlite.reader import Reader

ROWS_A_STEP: Final = {"event": 4, "delivery": 2, "rejected": 1}
"""How many rows of a table that stand side by side cost as much as one that is looked up."""
QUICK: Final = 500
"""How many of the newest rows are looked at first of all, whatever they are."""

_SPAN: Final = """
SELECT min(id), count(*) FROM (
    SELECT t.id FROM {table} t WHERE t.id >= :low AND t.id < :below ORDER BY t.id DESC LIMIT :limit)
"""
_BY_PLACE: Final = """
WITH RECURSIVE walk(id, place) AS (
    SELECT * FROM (
        SELECT (SELECT max(d.id) FROM delivery d INDEXED BY {index} WHERE {where} AND d.destination_id = p.value
                AND d.id >= :low AND d.id < :below) AS id, p.value FROM json_each(:places) p)
    WHERE id IS NOT NULL
    UNION ALL
    SELECT (SELECT max(d.id) FROM delivery d INDEXED BY {index} WHERE {where} AND d.destination_id = walk.place
            AND d.id >= :low AND d.id < walk.id), walk.place FROM walk WHERE walk.id IS NOT NULL
    ORDER BY 1 DESC LIMIT :limit)
SELECT id FROM walk WHERE id IS NOT NULL
"""
_WAITING: Final = """
SELECT d.id FROM delivery d INDEXED BY delivery_due
WHERE d.state < 2 AND d.state = :state AND d.destination_id IN (SELECT value FROM json_each(:places))
AND d.id >= :low AND d.id < :below ORDER BY d.id DESC LIMIT :limit
"""
_EVENTS_OF: Final = """
SELECT d.event_id FROM json_each(:ids) n CROSS JOIN delivery d ON d.id = n.value WHERE d.replay_of IS NULL
"""
_REPLAYED: Final = """
SELECT DISTINCT d.event_id FROM delivery d INDEXED BY delivery_replay
WHERE d.replay_of IS NOT NULL AND d.event_id >= :low AND d.event_id < :below ORDER BY d.event_id DESC LIMIT :limit
"""
# `+` keeps the planner from taking the page's bounds in place of an event's own.
_OWN: Final = f"""
SELECT d.id FROM json_each(:ids) n CROSS JOIN delivery d ON {OWN.format(event="n.value")}
WHERE +d.id >= :low AND +d.id < :below
"""  # noqa: S608 - constants
_ACKNOWLEDGED: Final = """
SELECT event_id FROM acknowledgement WHERE event_id >= :low AND event_id < :below ORDER BY event_id DESC LIMIT :limit
"""

_DIGESTED: Final = """
SELECT delivery_id FROM digested
WHERE digest_id = :digest AND delivery_id >= :low AND delivery_id < :below ORDER BY delivery_id DESC LIMIT :limit
"""


@dataclass(slots=True)
class Chunk:
    """A part of a walk: numbers from the highest down, all that may fit from `reached` on up to where it began.

    `ids` None: every number from `reached` up to `below` (not in). `end`: there is nothing further down. `looked` is
    what it cost, in rows that are looked up one by one.
    """

    ids: list[int] | None
    reached: int
    end: bool
    looked: int
    below: int = 0


class Walk(Protocol):
    """Where to look."""

    async def take(self, count: int) -> Chunk:
        """Give about so many numbers more."""


class Numbers:
    """A walk over numbers that are known already, in memory."""

    def __init__(self, numbers: Sequence[int], low: int, below: int) -> None:
        self._left = sorted((number for number in set(numbers) if low <= number < below), reverse=True)

    async def take(self, count: int) -> Chunk:
        """Give the next ones."""
        ids, self._left = self._left[:count], self._left[count:]
        return Chunk(ids, ids[-1] if ids else 0, not self._left, len(ids))


class Span:
    """A walk over every row of a table: cheaper than to look up as many, so it gives `ROWS_A_STEP` times as many."""

    def __init__(self, reader: Reader, table: str, low: int, below: int) -> None:
        self._reader = reader
        self._sql = _SPAN.format(table=table)
        self._low = low
        self._rows_a_step = ROWS_A_STEP[table]
        self.below = below

    async def take(self, count: int) -> Chunk:
        """Give the next stretch."""
        return await self.stretch(count * self._rows_a_step)

    async def stretch(self, rows: int) -> Chunk:
        """Give a stretch of so many rows."""
        params = {"low": self._low, "below": self.below, "limit": rows}
        lowest, found = (await self._reader.rows(self._sql, params))[0]
        below, self.below = self.below, lowest if found else self._low
        return Chunk(None, self.below, found < rows, found // self._rows_a_step + 1, below)


class Listed:
    """A walk that a statement makes: it gives numbers from `:below` down to `:low`, at most `:limit`."""

    def __init__(self, reader: Reader, sql: str, low: int, below: int, **params: Any) -> None:
        self._reader = reader
        self._sql = sql
        self._params = {**params, "low": low, "below": below}

    async def take(self, count: int) -> Chunk:
        """Give the next ones."""
        rows = await self._reader.rows(self._sql, {**self._params, "limit": count})
        ids = [row[0] for row in rows]
        self._params["below"] = ids[-1] if ids else self._params["low"]
        return Chunk(ids, self._params["below"], len(ids) < count, len(ids))


class Newest:
    """A walk that looks at the newest rows first, all of them: often that is enough. `further` makes the walk from
    below a number.
    """  # noqa: D205 - one thought, two lines

    def __init__(self, span: Span, further: Callable[[int], Walk]) -> None:
        self._span = span
        self._further = further
        self._looked = 0
        self._walk: Walk | None = None

    async def take(self, count: int) -> Chunk:
        """Give the next stretch, or what the walk further down gives."""
        if self._walk is None and self._looked < QUICK:
            rows = min(QUICK - self._looked, count if not self._looked else QUICK)
            self._looked += rows
            return await self._span.stretch(rows)
        if self._walk is None:
            self._walk = self._further(self._span.below)
        return await self._walk.take(count)


def failed(reader: Reader, conditions: Conditions, state: int) -> Listed:
    """Walk over dead, or cancelled, deliveries."""
    sql = _BY_PLACE.format(index="delivery_failed", where="d.state > 2 AND d.state = :state")
    places = conditions.places()
    return Listed(reader, sql, conditions.low, conditions.below, state=state, places=places)


def again(reader: Reader, conditions: Conditions) -> Listed:
    """Walk over replays."""
    sql = _BY_PLACE.format(index="delivery_again", where="d.replay_of IS NOT NULL")
    return Listed(reader, sql, conditions.low, conditions.below, places=conditions.places())


def waiting(reader: Reader, conditions: Conditions, state: int) -> Listed:
    """Walk over what is pending, or retrying: the outbox has no order by number, so it is sorted at each step."""
    return Listed(
        reader, _WAITING, conditions.low, conditions.below, state=state, places=conditions.places()
    )  # fmt: skip


def replayed(reader: Reader, conditions: Conditions) -> Listed:
    """Walk over the events of which a delivery was replayed."""
    return Listed(reader, _REPLAYED, conditions.low, conditions.below)


def acknowledged(reader: Reader, conditions: Conditions) -> Listed:
    """Walk over acknowledged events."""
    return Listed(reader, _ACKNOWLEDGED, conditions.low, conditions.below)


def digested(reader: Reader, conditions: Conditions) -> Listed:
    """Walk over what came together in a digest."""
    return Listed(reader, _DIGESTED, conditions.low, conditions.below, digest=conditions.which.digest)


class EventsOf:
    """A walk over deliveries, as one over the events that they were planned with."""

    def __init__(self, reader: Reader, deliveries: Walk) -> None:
        self._reader = reader
        self._deliveries = deliveries
        self._last: int | None = None

    async def take(self, count: int) -> Chunk:
        """Give their events, each once."""
        chunk = await self._deliveries.take(count)
        rows = await self._reader.rows(_EVENTS_OF, {"ids": json_list(chunk.ids or ())})
        numbers = sorted({row[0] for row in rows} - {self._last}, reverse=True)
        if numbers:
            self._last = numbers[-1]
        reached = chunk.reached if self._last is None else min(chunk.reached, self._last)
        return Chunk(numbers, reached, chunk.end, chunk.looked)


class DeliveriesOf:
    """A walk over events, as one over the deliveries that were planned with them."""

    def __init__(self, reader: Reader, events: Walk, low: int, below: int) -> None:
        self._reader = reader
        self._events = events
        self._bounds = {"low": low, "below": below}

    async def take(self, count: int) -> Chunk:
        """Give their deliveries."""
        chunk = await self._events.take(count)
        rows = await self._reader.rows(_OWN, {**self._bounds, "ids": json_list(chunk.ids or ())})
        ids = sorted((row[0] for row in rows), reverse=True)
        return Chunk(ids, chunk.reached, chunk.end, max(chunk.looked, len(ids)))


class Merged:
    """Several walks as one; a number that two of them give is given once."""

    def __init__(self, *walks: Walk) -> None:
        self._walks = list(walks)
        self._chunks: list[Chunk | None] = [None] * len(walks)
        self._waiting: set[int] = set()

    async def take(self, count: int) -> Chunk:
        """Give what lies above the point that each of them has reached."""
        looked = 0
        highest = max((c.reached if c and not c.end else 0 for c in self._chunks), default=0)
        for position, walk in enumerate(self._walks):
            before = self._chunks[position]
            if before is None or (not before.end and before.reached >= highest):
                chunk = self._chunks[position] = await walk.take(count)
                self._waiting.update(chunk.ids or ())
                looked += chunk.looked
        chunks = [chunk for chunk in self._chunks if chunk is not None]
        reached = max((chunk.reached for chunk in chunks if not chunk.end), default=0)
        ids = sorted((number for number in self._waiting if number >= reached), reverse=True)
        self._waiting.difference_update(ids)
        end = all(chunk.end for chunk in chunks)
        return Chunk(ids, reached, end, looked)
