"""The look-up of events by shape: first the outlines, then blocks, then the events from before there were any."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from alertd.store.sqlite.blocks import numbers_of
from alertd.store.sqlite.shapes import outlined
from alertd.store.sqlite.statement import json_list
from alertd.store.sqlite.walks import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alertd.store.sqlite.part import Core

WINDOW_BLOCKS: Final = 4
"""How many blocks the first look takes in; each further one takes in `WINDOW_GROWTH` times as many."""
WINDOW_GROWTH: Final = 8
OLD_EVENTS: Final = 1_000
"""How many events that are in no block one step takes in."""

DECODED_A_STEP: Final = 10
"""How many numbers of a posting cost about as much as looking at one row."""

_SHAPES: Final = "SELECT id FROM shape WHERE {where}"
# One statement, so that no block can be made between looking at the outlines and learning where the blocks end.
_NEWEST: Final = """
SELECT first, shapes FROM outline WHERE first < :below
UNION ALL SELECT (SELECT max(low) FROM block), (SELECT high FROM block WHERE low = (SELECT max(low) FROM block))
UNION ALL SELECT min(coalesce((SELECT min(low) FROM block), 9223372036854775807),
                     coalesce((SELECT min(first) FROM outline), 9223372036854775807)), NULL
"""
_WINDOW: Final = (
    "SELECT min(low), count(*) FROM (SELECT low FROM block WHERE low < :top ORDER BY low DESC LIMIT :limit)"
)
_COUNTS: Final = """
SELECT p.block, sum(p.events) FROM json_each(:shapes) s CROSS JOIN posting p INDEXED BY posting_shape
ON p.shape = s.value AND p.block >= :bottom AND p.block < :top GROUP BY p.block ORDER BY p.block DESC
"""
_POSTINGS: Final = """
SELECT p.block, p.numbers FROM json_each(:shapes) s CROSS JOIN posting p INDEXED BY posting_shape
ON p.shape = s.value AND p.block >= :bottom AND p.block < :top
"""
_OLD: Final = "SELECT e.id FROM event e WHERE e.id >= :low AND e.id < :below ORDER BY e.id DESC LIMIT :limit"


class Lookup:
    """A walk over the events whose shape fits; `where` are conditions on a shape, with their `params`.

    What it has found and not given yet is in `_ready`, and that is all there is from `_at` on up. `_blocks` are those
    of the window that hold something, with how many events; below the window's `_bottom` nothing was looked at.
    """

    def __init__(self, core: Core, where: Sequence[str], params: Mapping[str, Any], low: int, below: int) -> None:
        self._core = core
        self._reader = core.history
        self._sql = _SHAPES.format(where=" AND ".join(where) or "1")
        self._params = params
        self._low = low
        self._below = below
        self._shapes = ""
        self._ready: list[int] = []
        self._blocks: list[tuple[int, int]] = []
        self._at = below
        self._bottom = 0
        self._oldest = 0
        self._window = WINDOW_BLOCKS
        self._old = self._end = False

    async def take(self, count: int) -> Chunk:
        """Give the next events, about `count`; fewer when much was looked at in vain."""
        looked = 0
        if not self._shapes:
            looked += await self._begin()
        while len(self._ready) < count and not self._end and looked < max(count, OLD_EVENTS):
            looked += await self._go_on(count - len(self._ready))
        ids, self._ready = self._ready[:count], self._ready[count:]
        reached = ids[-1] if self._ready else self._at
        return Chunk(ids, reached, self._end and not self._ready, max(looked, len(ids)))

    async def _begin(self) -> int:
        """Find the shapes, and what the outlines hold of them."""
        shapes = {row[0] for row in await self._reader.rows(self._sql, self._params)}
        self._shapes = json_list(shapes)
        tail = self._core.shapes.tail()
        *outlines, (newest, folded), (oldest, _) = await self._reader.rows(_NEWEST, {"below": self._below})
        if folded is not None:  # some of them may have come into a block since, where they are found again
            tail = [(shape, number) for shape, number in tail if number > folded]
        self._oldest = min([oldest, *(number for _, number in tail)])
        entries = chain(tail, *(outlined(first, stored) for first, stored in outlines))
        self._ready = self._within({number for shape, number in entries if shape in shapes})
        if newest is None:  # a block that is made from now on holds what is in `_ready`
            self._old, self._at = True, min(self._oldest, self._below)
        else:
            self._bottom = self._at = min(self._below, newest + 1)
        return len(outlines)

    async def _go_on(self, wanted: int) -> int:
        if self._old:
            return await self._look_at_old()
        if not self._blocks:
            return await self._look_at_window()
        return await self._read_blocks(wanted)

    async def _look_at_window(self) -> int:
        """Find the next blocks that hold something; when there are no blocks left, what is older is next."""
        top = self._at = self._bottom
        params = {"top": top, "limit": self._window}
        bottom, count = (await self._reader.rows(_WINDOW, params))[0]
        if not count or top <= self._low:
            self._old = True
            self._at = min(self._oldest, self._at)
            return 1
        self._bottom, self._window = bottom, self._window * WINDOW_GROWTH
        bounds = {"shapes": self._shapes, "bottom": bottom, "top": top}
        self._blocks = list(await self._reader.rows(_COUNTS, bounds))
        if not self._blocks:
            self._at = bottom
        return 1

    async def _read_blocks(self, wanted: int) -> int:
        """Read as many blocks as hold what is wanted."""
        top, found = self._blocks[0][0] + 1, 0
        while self._blocks and found < wanted:
            block, events = self._blocks.pop(0)
            self._at, found = block, found + events
        bounds = {"shapes": self._shapes, "bottom": self._at, "top": top}
        postings = await self._reader.rows(_POSTINGS, bounds)
        numbers = [number for block, stored in postings for number in numbers_of(block, stored)]
        self._ready += self._within(numbers)
        return len(numbers) // DECODED_A_STEP

    async def _look_at_old(self) -> int:
        """Take every event that is in no block: whoever walks finds out whether it fits."""
        params = {"low": self._low, "below": self._at, "limit": OLD_EVENTS}
        rows = await self._reader.rows(_OLD, params)
        self._ready += [row[0] for row in rows]
        self._at = rows[-1][0] if rows else self._low
        self._end = len(rows) < OLD_EVENTS
        return len(rows)

    def _within(self, numbers: Iterable[int]) -> list[int]:
        return sorted((number for number in numbers if self._low <= number < self._below), reverse=True)
