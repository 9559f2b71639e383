"""One page of the history: numbers from a walk, of which those stay whose rows are as they must be.

A page is bounded by what it looks up, in rows and, where a text is looked for, in bytes: then it says where to go on. It is
bounded by what it brings, too: a page of large things ends before it has as many as were asked for. Rows are chosen by
their numbers and weights alone, and only the chosen ones are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from alertd.store.sqlite.statement import json_list
from alertd.store.sqlite.walks import Chunk

if TYPE_CHECKING:
    from alertd.store.sqlite.conditions import Conditions
    from alertd.store.sqlite.reader import Reader, Row
    from alertd.store.sqlite.walks import Walk

LOOK_MAX: Final = 10_000
"""How many rows one page looks up, at most; a page that found less than asked for by then says where to go on."""
TEXT_COST: Final = 2
"""How many times as much as others a row counts in which a text is looked for."""
CHUNK_MAX: Final = 2_000
"""How many rows one statement looks at, at most."""
TEXT_BYTES: Final = 32 * 1024 * 1024
"""How many bytes of events' JSON one page looks for a text in, at most; the first event is looked at whatever its size."""
STATEMENT_BYTES: Final = 4 * 1024 * 1024
"""How many bytes of events' JSON one statement looks for a text in, at most, but for a single event."""
PAGE_BYTES: Final = 8 * 1024 * 1024
"""How many bytes one page brings, at most, but for its first row: by then it ends, and says where to go on."""
VERDICT_WEIGHT: Final = 16
"""How many times as long as in the store verdicts and what hangs on them are where they are shown."""
ATTEMPT_WEIGHT: Final = 1536
"""How many bytes an attempt is counted as: the answer that is kept, and the rest."""
EVENT_WEIGHT: Final = f"length(e.payload) + {VERDICT_WEIGHT} * coalesce(length(e.verdicts), 0)"
"""What an event's row weighs on a page. The length of a BLOB is known without reading it."""
DELIVERY_WEIGHT: Final = f"{ATTEMPT_WEIGHT} * (1 + d.attempts)"
"""What a delivery's row weighs on a page, with its attempts."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a page, newest first, by number; where to continue below (None: nowhere); whether the search came so far
    as it was to: to a full page, or to the end.
    """  # noqa: D205 - one thought, two lines

    ids: list[int]
    below: int | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Where a search looks. `rows` is `FROM …` with the tables `d` and `e`, or `e` alone; `column` is the number that the
    walk gives; `weight` is what a row weighs on a page.
    """  # noqa: D205 - as above

    rows: str
    column: str
    weight: str = "0"


class Search:
    """Chooses the rows of one page."""

    def __init__(self, reader: Reader, source: Source, conditions: Conditions, where: list[str]) -> None:
        self._reader = reader
        self._source = source
        self._conditions = conditions
        self._where = where
        self._text_left = TEXT_BYTES

    @property
    def _reads_texts(self) -> bool:
        return self._conditions.which.text is not None

    async def page(self, walk: Walk) -> Chosen:
        """Walk until the page is full, the walk at its end, or as much was looked at as may be."""
        limit = self._conditions.which.limit
        most = LOOK_MAX // TEXT_COST if self._reads_texts else LOOK_MAX
        found: list[Row] = []
        looked, size = 0, limit + 1
        while True:
            chunk = await walk.take(size)
            parts = await self._parts(chunk)
            for part in parts:
                found += await self._fitting(part, limit + 1 - len(found))
                if len(found) > limit:
                    return _ended(found[:limit], found[limit - 1][0], complete=True)
            if self._text_left <= 0 and not parts[-1].end:
                return _ended(found, parts[-1].reached, complete=False)
            looked += chunk.looked
            if chunk.end:
                return _ended(found, None, complete=True)
            if looked >= most:
                return _ended(found, chunk.reached, complete=False)
            if chunk.ids is not None or chunk.looked >= size:
                size = min(size * 4, CHUNK_MAX)

    async def _fitting(self, part: Chunk, limit: int) -> list[Row]:
        """Return (number, weight) of the rows of a part that are as they must be, newest first."""
        if part.ids == []:
            return []
        bounds, params = self._within(part)
        where = " AND ".join([bounds, *self._where])
        source = self._source
        sql = f"""SELECT {source.column}, {source.weight} {source.rows} WHERE {where}
                  ORDER BY {source.column} DESC LIMIT :limit"""
        return await self._reader.rows(sql, {**self._conditions.params, **params, "limit": limit})

    async def _parts(self, chunk: Chunk) -> list[Chunk]:
        """Cut a chunk, where a text is looked for, into parts that one statement may read, as far as the page may."""
        if not self._reads_texts or chunk.ids == []:
            return [chunk]
        bounds, params = self._within(chunk)
        rows = self._source.rows
        total = (await self._reader.rows(f"SELECT total(length(e.payload)) {rows} WHERE {bounds}", params))[0][0]
        if total <= STATEMENT_BYTES and total < self._text_left:
            self._text_left -= int(total)
            return [chunk]
        column = self._source.column
        sql = f"SELECT {column}, length(e.payload) {rows} WHERE {bounds} ORDER BY {column} DESC"
        return self._cut(chunk, await self._reader.rows(sql, params))

    def _cut(self, chunk: Chunk, rows: list[Row]) -> list[Chunk]:
        """Cut a chunk of these rows, (number, bytes), as far as may be read."""
        parts: list[Chunk] = []
        below, begun, size = chunk.below, 0, 0
        for place, (number, length) in enumerate(rows):
            size += length
            self._text_left -= length
            last = place == len(rows) - 1
            if not last and (self._text_left <= 0 or size + rows[place + 1][1] > STATEMENT_BYTES):
                ids = None if chunk.ids is None else [row[0] for row in rows[begun : place + 1]]
                parts.append(Chunk(ids, number, end=False, looked=0, below=below))
                below, begun, size = number, place + 1, 0
                if self._text_left <= 0:
                    return parts
        ids = None if chunk.ids is None else [row[0] for row in rows[begun:]]
        return [*parts, Chunk(ids, chunk.reached, chunk.end, looked=0, below=below)]

    def _within(self, part: Chunk) -> tuple[str, dict[str, int | str]]:
        """Say which rows a part has."""
        column = self._source.column
        if part.ids is None:
            return f"{column} >= :low AND {column} < :below", {"low": part.reached, "below": part.below}
        inside = f"{column} IN (SELECT value FROM json_each(:ids))"  # noqa: S608 - constants
        return inside, {"ids": json_list(part.ids)}


def _ended(found: list[Row], below: int | None, *, complete: bool) -> Chosen:
    """End a page of (number, weight) before it weighs too much; its first row is shown whatever it weighs."""
    ids = [row[0] for row in found]
    fitting = max(1, sum(total <= PAGE_BYTES for total in accumulate(row[1] for row in found)))
    if fitting < len(ids):
        return Chosen(ids[:fitting], ids[fitting - 1], complete=True)
    return Chosen(ids, below, complete)
