"""Blocks: the outlines of several thousand events, folded into what the history looks up by shape.

A commit writes its outline and nothing else. Once `BLOCK_EVENTS` events are outlined they become a block, in the
background: one posting for each shape, which holds the numbers of its events. Whoever looks something up reads the
outlines that are left and then blocks, newest first. Events are committed in the order of their numbers, so that a
block is over when it is made; those from before there were outlines are in no block.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from alertd.errors import StoreError
from alertd.store.sqlite.part import Core, Part
from alertd.store.sqlite.shapes import outlined, write
from alertd.store.sqlite.statement import ManyRows, blob, json_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from alertd.store.sqlite.reader import Row

BLOCK_EVENTS: Final = 16_384
"""How many outlined events make a block."""

_OUTLINES: Final = "SELECT first, events, shapes FROM outline ORDER BY first LIMIT ?"
_COUNT: Final = "SELECT coalesce(sum(events), 0) FROM outline"
_BLOCK: Final = "INSERT INTO block(low, high, last_posting) VALUES (?, ?, (SELECT max(id) FROM posting))"
_POSTINGS: Final = ManyRows("INSERT INTO posting(block, shape, events, numbers) VALUES {rows}", "(?,?,?,?)")
_TAKE: Final = "DELETE FROM outline WHERE first IN (SELECT value FROM json_each(?))"
_OVER: Final = """
SELECT low, last_posting FROM block
WHERE high < coalesce((SELECT min(id) FROM event), 9223372036854775807) ORDER BY low LIMIT 1
"""
_FORGET_POSTINGS: Final = "DELETE FROM posting WHERE id <= ?"
_FORGET_BLOCK: Final = "DELETE FROM block WHERE low = ?"
_UNUSED: Final = "SELECT id FROM shape WHERE NOT EXISTS (SELECT 1 FROM posting WHERE posting.shape = shape.id)"
_FORGET_SHAPES: Final = f"DELETE FROM shape WHERE id IN ({_UNUSED}) AND id IN (SELECT value FROM json_each(?))"  # noqa: S608 - constants
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: the lowest and the highest number, its postings as parameters, and the outlines that it is made of."""

    low: int
    high: int
    postings: list[Any]
    outlines: list[int]


class Blocks(Part):
    """Folds outlines in the background, one block after the other."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._outlined = core.outlined
        self._folding: asyncio.Task[None] | None = None

    def _note(self, events: int) -> None:
        """Take note that so many more events are outlined."""
        self._outlined += events
        if self._outlined >= BLOCK_EVENTS and self._folding is None:
            self._folding = asyncio.get_running_loop().create_task(self._fold_on(), name="history-blocks")

    async def fold(self, at_least: int | None = None) -> bool:
        """Make a block of the oldest outlines; False: there are fewer events than asked for (None: `BLOCK_EVENTS`)."""
        rows = await self.core.history.rows(_OUTLINES, (BLOCK_EVENTS,))
        taken, events = 0, 0
        while taken < len(rows) and events < BLOCK_EVENTS:
            events += rows[taken][1]
            taken += 1
        if not rows or events < (BLOCK_EVENTS if at_least is None else at_least):
            return False
        block = await asyncio.to_thread(folded, rows[:taken])
        await self.core.writer.run(lambda conn: keep(conn, block))
        return True

    async def _forget_blocks(self) -> None:
        """Delete blocks whose events are all gone, and the shapes that no event has any more."""
        forgotten = False
        while row := await self.core.history.row(_OVER):
            await self.core.writer.run(lambda conn, row=row: _forget(conn, *row))  # type: ignore[misc]  # a default has no type in a lambda
            forgotten = True
        if forgotten:
            going = self.core.shapes.forget([row[0] for row in await self.core.history.rows(_UNUSED)])
            await self.core.writer.run(lambda conn: _forget_shapes(conn, going))

    async def _fold_on(self) -> None:
        try:
            while await self.fold():
                pass
            self._outlined = (await self.core.history.rows(_COUNT))[0][0]
        except StoreError as error:
            _log.warning("history.fold_put_off", error=str(error))
        except Exception:  # noqa: BLE001 - the boundary of a task; what is not folded is still found
            _log.exception("history.fold_failed")
        finally:
            self._folding = None

    async def _finish_folding(self) -> None:
        """Stop, and outline the rest, so that the next start knows it; what cannot be written is known to be missing."""
        if self._folding is not None:
            self._folding.cancel()
            await asyncio.wait([self._folding])
        rest = self.core.shapes.rest()
        if rest is not None:
            try:
                await self.core.writer.run(lambda conn: write(conn, rest))
            except StoreError as error:
                _log.warning("history.outline_put_off", error=str(error))
            self.core.shapes.done(rest, stored=True)


def numbers_of(block: int, stored: bytes) -> Iterable[int]:
    """Read a posting's numbers, ascending."""
    distances = orjson.loads(stored)
    distances[0] += block
    return accumulate(distances)


def folded(rows: Sequence[Row]) -> Block:
    """Fold outlines, rows of `first, events, shapes`."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for first, _, stored in rows:
        for shape, number in outlined(first, stored):
            found[shape].add(number)
    events = {shape: sorted(numbers) for shape, numbers in sorted(found.items())}
    low = min(numbers[0] for numbers in events.values())
    high = max(numbers[-1] for numbers in events.values())
    postings = [(low, shape, len(numbers), _distances(low, numbers)) for shape, numbers in events.items()]
    return Block(low, high, list(chain.from_iterable(postings)), [row[0] for row in rows])


def keep(conn: sqlite3.Connection, block: Block) -> None:
    """Write a block in place of its outlines."""
    _POSTINGS.run(conn, block.postings)
    conn.execute(_BLOCK, (block.low, block.high))
    conn.execute(_TAKE, (json_list(block.outlines),))


def _distances(low: int, numbers: Sequence[int]) -> bytearray:
    return blob(orjson.dumps([numbers[0] - low, *(b - a for a, b in pairwise(numbers))]))


def _forget(conn: sqlite3.Connection, low: int, last_posting: int) -> None:
    conn.execute(_FORGET_POSTINGS, (last_posting,))
    conn.execute(_FORGET_BLOCK, (low,))


def _forget_shapes(conn: sqlite3.Connection, going: Sequence[int]) -> None:
    """Delete shapes that no commit uses any more, but those that an outline or a posting names by now."""
    left = conn.execute("SELECT first, shapes FROM outline")
    used = {shape for row in left for shape, _ in outlined(*row)}
    conn.execute(_FORGET_SHAPES, (json_list(shape for shape in going if shape not in used),))
