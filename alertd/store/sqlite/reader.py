"""A connection that only reads: one statement is one short read transaction, fetched whole.

A write that was awaited is seen by the next read. A connection that met an I/O error is opened anew by itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import aiosqlite

from alertd.errors import StoreUnavailableError
from alertd.store.sqlite.connection import SqliteOptions, reader_pragmas, reader_uri
from alertd.store.sqlite.failure import breaks_connection, translate
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Row = tuple[Any, ...]


class Reader:
    """One aiosqlite connection with `query_only`, opened at first use."""

    def __init__(self, path: Path, options: SqliteOptions) -> None:
        self._path = path
        self._options = options
        self._conn: aiosqlite.Connection | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def rows(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Run one statement and return all of its rows."""
        conn = self._conn or await self._open()
        try:
            return cast("list[Row]", await conn.execute_fetchall(sql, params))  # no row factory is set
        except aiosqlite.Error as error:
            if breaks_connection(error) and self._conn is conn:
                self._conn = None
                await conn.close()
            raise translate(error) from error
        except ValueError as error:  # closed under our feet
            raise StoreUnavailableError("the store is closed") from error

    async def row(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Row | None:
        """Run one statement and return its first row."""
        rows = await self.rows(sql, params)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Close for good, also what is being opened; twice is fine."""
        self._closed = True
        async with self._opening:
            conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    async def _open(self) -> aiosqlite.Connection:
        async with self._opening:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            if self._conn is None:
                self._conn = await self._connect()
            return self._conn

    async def _connect(self) -> aiosqlite.Connection:
        conn = aiosqlite.connect(
            reader_uri(self._path), uri=True, isolation_level=None, timeout=self._options.busy_seconds
        )
        try:
            with OnFailure(conn.stop):  # also when cancelled: its thread would keep the process from ending
                await conn
                for pragma in reader_pragmas(self._options):
                    await conn.execute_fetchall(f"PRAGMA {pragma}")
        except aiosqlite.Error as error:
            raise translate(error) from error
        return conn
