"""Statements with many rows: one text for each of some sizes, so that SQLite's compiled statements stay cached.

A multi-row statement gives the interpreter's lock up once a chunk; `executemany` does so at every row, and each time
another thread may keep it for milliseconds. So a small batch is one chunk, and a larger one few.

The many values of a condition are one parameter, JSON that `json_each` takes apart: one text for any number of them.

Parameters that are neither int, float, str nor bytearray are dear: Python looks for an adapter, at 0.3 microseconds each.
So `blob` wraps bytes, and NULL is better written by the statement (`nullif(?, '')`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

SIZES: Final = (500, 256, 128, 64, 32)
"""Rows of one chunk, largest first; what is less than the last is one chunk too."""

blob = bytearray
"""Makes a parameter of bytes."""


def json_list(values: Iterable[Any]) -> str:
    """Make the parameter of a `json_each`."""
    return orjson.dumps(list(values)).decode()


class ManyRows:
    """A statement whose text has `{rows}` where `(?, …), (?, …)` is to stand; `row` is one of these."""

    __slots__ = ("_row", "_text", "_texts", "_width")

    def __init__(self, text: str, row: str) -> None:
        self._width = row.count("?")
        self._row = row
        self._text = text
        self._texts: dict[int, str] = {}

    def run(self, conn: sqlite3.Connection, params: list[Any]) -> int:
        """Run it over a flat list of parameters; return how many rows were changed."""
        before = conn.total_changes  # the cursor's rowcount knows nothing of statements that begin with WITH
        for text, chunk in self.chunks(params):
            conn.execute(text, chunk)
        return conn.total_changes - before

    def chunks(self, params: list[Any]) -> Iterator[tuple[str, list[Any]]]:
        """Cut parameters into chunks, each with its text."""
        start, rows = 0, len(params) // self._width
        while rows:
            size = next((size for size in SIZES if size <= rows), rows)
            end = start + size * self._width
            yield self._texts.get(size) or self._make(size), params if rows == size and not start else params[start:end]
            start, rows = end, rows - size

    def _make(self, size: int) -> str:
        text = self._texts[size] = self._text.format(rows=",".join([self._row] * size))
        return text
