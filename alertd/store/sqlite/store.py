"""The store on one SQLite file, whole: open it with `open_sqlite`."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from alertd.errors import StoreCorruptError, StoreError
from alertd.store.sqlite.commit import Commits
from alertd.store.sqlite.connection import SqliteOptions, open_writer, reader_pragmas, reader_uri
from alertd.store.sqlite.digests import Digests
from alertd.store.sqlite.engine_state import EngineStates
from alertd.store.sqlite.facts import FactRows
from alertd.store.sqlite.following import Following
from alertd.store.sqlite.forgetting import Forgetting
from alertd.store.sqlite.history import History
from alertd.store.sqlite.issues import Issues
from alertd.store.sqlite.maintenance import Maintenance
from alertd.store.sqlite.names import Names
from alertd.store.sqlite.opening import Opened, check, mark_closed, open_file
from alertd.store.sqlite.outbox import Outbox
from alertd.store.sqlite.part import Core
from alertd.store.sqlite.reader import Reader
from alertd.store.sqlite.recall import Recall
from alertd.store.sqlite.replays import Replays
from alertd.store.sqlite.resources import Resources
from alertd.store.sqlite.revisions import Revisions
from alertd.store.sqlite.tokens import Tokens
from alertd.store.sqlite.writer import Writer
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from alertd.clock import Clock

_log = structlog.get_logger(__name__)


class SqliteStore(
    Commits,
    EngineStates,
    Outbox,
    Replays,
    Digests,
    History,
    Following,
    FactRows,
    Recall,
    Revisions,
    Tokens,
    Names,
    Resources,
    Issues,
    Forgetting,
    Maintenance,
):
    """Every protocol of `alertd.store.base` on one file that this process owns.

    Writes are durable when they return. Cancelling a caller does not cancel its write: it happens, or fails, unseen.
    """

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._checking: asyncio.Task[None] | None = None

    def check_in_background(self) -> None:
        """Check a large file after an unclean stop; if it is damaged, every write is refused from then on."""
        self._checking = asyncio.get_running_loop().create_task(self._check())

    async def close(self) -> None:
        """Finish what was asked, then close; twice is fine."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait([self._checking])
        await self._finish_folding()
        await self.core.reads.close()
        await self.core.history.close()
        await self.core.writer.close(mark_closed)
        self.core.lock.release()

    async def _check(self) -> None:
        try:
            for table in await asyncio.to_thread(_tables, self.core.path):
                await asyncio.to_thread(_check_table, self.core.path, self.core.options, table)
        except StoreCorruptError as error:
            _log.critical("store.corrupt", path=str(self.core.path), error=str(error))
            self.core.writer.refuse(error)
        except (sqlite3.Error, StoreError) as error:
            _log.error("store.check_failed", path=str(self.core.path), error=str(error))
        else:
            _log.info("store.checked", path=str(self.core.path))


async def open_sqlite(path: str | Path, clock: Clock, options: SqliteOptions | None = None) -> SqliteStore:
    """Open a store, making it when there is none.

    Raises StoreInUseError, StoreVersionError, StoreCorruptError, StoreUnavailableError, or StoreError for a database of
    another program.
    """
    place, bounds = Path(path), options or SqliteOptions()
    opened = await _open(place, bounds)
    recent, named = opened.recent, opened.named

    def reopen() -> sqlite3.Connection:
        conn = open_writer(place, bounds)
        with OnFailure(conn.close):
            recent.load(conn)
        return conn

    def settled(committed: bool) -> None:
        named.settle(committed)
        recent.settle(committed)

    writer = Writer(
        opened.conn,
        reopen,
        queue_jobs=bounds.queue_jobs,
        wal_bytes=lambda: _wal_bytes(place),
        wal_max_bytes=bounds.wal_max_bytes,
        begun=named.write,
        settled=settled,
    )
    store = SqliteStore(
        Core(
            path=place,
            clock=clock,
            options=bounds,
            lock=opened.lock,
            writer=writer,
            reads=Reader(place, bounds),
            history=Reader(place, bounds),
            recent=recent,
            salt=opened.salt,
            inode=opened.inode,
            named=named,
            shapes=opened.shapes,
            outlined=opened.outlined,
        )
    )
    if opened.damage is not None:
        writer.refuse(opened.damage)
    if opened.unchecked:
        store.check_in_background()
    return store


async def _open(path: Path, options: SqliteOptions) -> Opened:
    """Open in another thread; a cancelled opening gives back what it had taken."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_file, path, options))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening])
        if opening.exception() is None:
            opening.result().conn.close()
            opening.result().lock.release()
        raise


def _tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(reader_uri(path), uri=True)) as conn:
        return [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _check_table(path: Path, options: SqliteOptions, table: str) -> None:
    """Check one table in a read of its own, so that the snapshot is not held for all of them."""
    with closing(sqlite3.connect(reader_uri(path), uri=True, isolation_level=None)) as conn:
        for pragma in reader_pragmas(options):
            conn.execute(f"PRAGMA {pragma}")
        check(conn, table)


def _wal_bytes(place: Path) -> int:
    """Weigh the log, which SQLite keeps beside the file that a symbolic link leads to."""
    try:
        return Path(f"{os.path.realpath(place)}-wal").stat().st_size
    except OSError:
        return 0
