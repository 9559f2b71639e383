"""What happened, in the order in which it was stored: events by their numbers, outcomes by their places in a log.

A write of outcomes adds one row to the log, whatever their number, and nothing but ids; what is told of them is read
from the deliveries.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.delivery import DeliveryState
from alertd.model.ids import first_of
from alertd.store.following import Happened, Position
from alertd.store.sqlite.part import Part
from alertd.store.sqlite.rows import ATTEMPTS, DELIVERY, attempt_row, event_row, whole_delivery_row
from alertd.store.sqlite.statement import blob, json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from alertd.store.sqlite.part import Core

PAGE_BYTES: Final = 1024 * 1024
"""How many bytes of events' JSON one page brings with its events, and with its outcomes; the first may have more alone."""
LOG_ROWS: Final = 64
"""How many rows of the log one page reads at most."""
FORGET_ROWS: Final = 1000
"""How many rows of the log one transaction deletes at most."""

Entry = tuple[int, int, int]
"""(delivery, number of the attempt or 0, state after it)"""

_NEXT: Final = "SELECT first + outcomes FROM outcome ORDER BY first DESC LIMIT 1"
_LAST: Final = "SELECT first + outcomes, at FROM outcome ORDER BY first DESC LIMIT 1"
_ADD: Final = "INSERT INTO outcome(first, outcomes, at, entries) VALUES (?, ?, ?, ?)"
_HEAD: Final = f"SELECT coalesce((SELECT max(id) FROM event), 0), coalesce(({_NEXT}) - 1, 0)"  # noqa: S608 - a constant
_RANGE: Final = "SELECT coalesce(min(first), 1), coalesce(max(first), 0) FROM outcome"
_UP_TO: Final = "SELECT first, outcomes, at FROM outcome WHERE first <= ? ORDER BY first DESC LIMIT 1"
_OLDEST: Final = "SELECT coalesce(min(first), 1) FROM outcome"
_LOG: Final = """
SELECT first, entries FROM outcome
WHERE first >= coalesce((SELECT max(first) FROM outcome WHERE first <= :next), 0) ORDER BY first LIMIT :rows
"""
_DELIVERIES: Final = f"""
SELECT {DELIVERY}, e.payload FROM json_each(:ids) n CROSS JOIN delivery d ON d.id = n.value CROSS JOIN event e ON e.id = d.event_id
"""  # noqa: S608 - constants
_SIZES: Final = """
SELECT e.id, CASE WHEN e.verdicts IS NULL THEN 0 ELSE length(e.payload) END
FROM event e WHERE e.id > :after ORDER BY e.id LIMIT :limit
"""
_WEIGHED: Final = """
SELECT d.id, d.event_id, length(e.payload)
FROM json_each(:ids) n CROSS JOIN delivery d ON d.id = n.value CROSS JOIN event e ON e.id = d.event_id
"""
_EVENTS: Final = """
SELECT e.id, e.workspace_id, e.type, e.matched, CASE WHEN e.verdicts IS NULL THEN x'' ELSE e.payload END, e.verdicts,
       e.revision
FROM event e WHERE e.id > :after AND e.id <= :last ORDER BY e.id
"""
_YOUNG: Final = "SELECT first FROM outcome WHERE at >= ? ORDER BY first LIMIT 1"
_NEWEST: Final = "SELECT max(first) FROM outcome"
_FORGET: Final = "DELETE FROM outcome WHERE first IN (SELECT first FROM outcome WHERE first < ? ORDER BY first LIMIT ?)"


class Following(Part):
    """What the live stream asks."""

    async def head(self) -> Position:
        """Where everything that is stored has happened."""
        event, outcome = (await self.core.history.rows(_HEAD))[0]
        return Position(event, outcome)

    async def position_at(self, ms: int) -> Position:
        """Where nothing that was stored from a time on has happened yet: times never go back in the log, so it is halved."""
        low, high = (await self.core.history.rows(_RANGE))[0]
        place = low - 1
        while low <= high:
            row = await self.core.history.row(_UP_TO, ((low + high) // 2,))
            if row is None:  # retention was here
                low = (low + high) // 2 + 1
            elif row[2] < ms:
                place, low = row[0] + row[1] - 1, row[0] + row[1]
            else:
                high = row[0] - 1
        return Position(max(0, first_of(ms) - 1), place)

    async def oldest_outcome(self) -> int:
        """The place of the oldest outcome that is kept, or of the next one."""
        return int((await self.core.history.rows(_OLDEST))[0][0])

    async def happened(self, after: Position, limit: int) -> Happened:
        """What happened behind a position. The log is read before the events, so that no event is missing for it."""
        entries, more = await self._logged(after.outcome + 1, limit)
        sizes = await self.core.history.rows(_SIZES, {"after": after.event, "limit": limit + 1})
        taken = _fitting([size for _, size in sizes[:limit]])
        reached = sizes[taken - 1][0] if taken else after.event
        bounds = {"after": after.event, "last": reached}
        events = [event_row(row) for row in await self.core.history.rows(_EVENTS, bounds)] if taken else []
        rest = taken < len(sizes)
        ready = await self._ready(entries, reached if rest else None)
        more = more or rest or ready < len(entries)
        entries = entries[:ready]
        found = {row["id"]: row for row in await self._followed(_numbers(entries))}
        outcomes = await self._told(entries, found)
        place = entries[-1][0] if entries else after.outcome
        return Happened(events, outcomes, Position(reached, place), more)

    async def _logged(self, place: int, limit: int) -> tuple[list[tuple[int, Entry]], bool]:
        """Read the log from a place on: (place, entry), and whether there is more."""
        found: list[tuple[int, Entry]] = []
        rows = await self.core.history.rows(_LOG, {"next": place, "rows": LOG_ROWS})
        for first, stored in rows:
            found += [each for each in enumerate(_read(stored), first) if each[0] >= place]
            if len(found) > limit:
                return found[:limit], True
        return found, len(rows) == LOG_ROWS

    async def _ready(self, entries: Sequence[tuple[int, Entry]], reached: int | None) -> int:
        """How many entries, from the first on, a page may tell: what came of events behind `reached` waits for them."""
        if not entries:
            return 0
        params = {"ids": json_list(_numbers(entries))}
        known = {row[0]: row[1:] for row in await self.core.history.rows(_WEIGHED, params)}
        sizes: list[int] = []
        for _, (delivery_id, _, _) in entries:
            event, size = known.get(delivery_id, (0, 0))
            if reached is not None and event > reached:
                break
            sizes.append(size)
        return _fitting(sizes)

    async def _followed(self, ids: list[int]) -> list[dict[str, Any]]:
        if not ids:
            return []
        params = {"ids": json_list(ids)}
        return [whole_delivery_row(row) for row in await self.core.history.rows(_DELIVERIES, params)]

    async def _told(
        self, entries: Sequence[tuple[int, Entry]], found: dict[int, dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Say what each entry was: of the last attempt the delivery itself knows, of earlier ones their own rows do."""
        earlier = {d for _, (d, number, _) in entries if d in found and number and not _is_last(found[d], number)}
        attempts: dict[tuple[int, int], dict[str, Any]] = {}
        if earlier:
            rows = await self.core.history.rows(ATTEMPTS, {"ids": json_list(earlier)})
            attempts = {(row[0], row[1]): attempt_row(row) for row in rows}
        told = []
        for place, (delivery_id, number, state) in entries:
            row = found.get(delivery_id)
            own: dict[str, Any] = {"place": place, "number": number, "state": DeliveryState(state)}
            if row is None or (number and not _is_last(row, number) and (delivery_id, number) not in attempts):
                continue  # retention was here
            if number and not _is_last(row, number):
                own |= attempts[delivery_id, number] | {"next_at_ms": None}
            elif not number:
                own |= {"outcome": None, "status": None, "next_at_ms": None}
            told.append({**row, **own})
        return told


def log(conn: sqlite3.Connection, entries: Sequence[Entry], at_ms: int) -> None:
    """Add outcomes to the log, in the order given, at a time; it never goes back there."""
    if not entries:
        return
    place, last_ms = conn.execute(_LAST).fetchone() or (1, at_ms)
    ids, numbers, states = zip(*entries, strict=True)
    distances = [ids[0], *(after - before for before, after in pairwise(ids))]
    stored = blob(orjson.dumps((distances, numbers, states)))
    conn.execute(_ADD, (place, len(entries), max(at_ms, last_ms), stored))


async def forget_outcomes(core: Core, before_ms: int) -> None:
    """Delete what was logged before a time; the newest row stays, so that places go on behind it."""
    young = await core.history.row(_YOUNG, (before_ms,)) or await core.history.row(_NEWEST)
    if young is None or young[0] is None:
        return
    params = (young[0], FORGET_ROWS)
    while await core.writer.run(lambda conn: conn.execute(_FORGET, params).rowcount):
        pass


def _numbers(entries: Sequence[tuple[int, Entry]]) -> list[int]:
    return sorted({delivery_id for _, (delivery_id, _, _) in entries})


def _fitting(sizes: Sequence[int]) -> int:
    """How many of the first ones have no more than a page's bytes together; one at least."""
    return max(min(1, len(sizes)), sum(total <= PAGE_BYTES for total in accumulate(sizes)))


def _read(stored: bytes) -> Iterator[Entry]:
    distances, numbers, states = orjson.loads(stored)
    return zip(accumulate(distances), numbers, states, strict=True)


def _is_last(row: dict[str, Any], number: int) -> bool:
    return row["attempts"] == number and row["outcome"] is not None
