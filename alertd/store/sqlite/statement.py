"""Statements with many rows: one text for each of a few sizes, so that SQLite's compiled statements stay cached.

A multi-row statement gives the interpreter's lock up once a chunk; `executemany` does so at every row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

SIZES: Final = (500, 100, 20, 4, 1)
"""Rows of one chunk, largest first."""


class ManyRows:
    """A statement whose text has `{rows}` where `(?, …), (?, …)` is to stand; `row` is one of these."""

    __slots__ = ("_texts", "_width")

    def __init__(self, text: str, row: str) -> None:
        self._width = row.count("?")
        self._texts = tuple((size, text.format(rows=",".join([row] * size))) for size in SIZES)

    def run(self, conn: sqlite3.Connection, params: list[Any]) -> int:
        """Run it over a flat list of parameters; return how many rows were changed."""
        before = conn.total_changes  # the cursor's rowcount knows nothing of statements that begin with WITH
        for text, chunk in self.chunks(params):
            conn.execute(text, chunk)
        return conn.total_changes - before

    def chunks(self, params: list[Any]) -> Iterator[tuple[str, list[Any]]]:
        """Cut parameters into chunks, each with its text."""
        start, rows = 0, len(params) // self._width
        for size, text in self._texts:
            while rows >= size:
                end = start + size * self._width
                yield text, params if rows == size and not start else params[start:end]
                start, rows = end, rows - size
