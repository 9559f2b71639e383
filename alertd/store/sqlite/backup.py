"""A backup: a consistent, compact copy of the file while it is written to.

`VACUUM INTO` runs in a connection of its own, into a file beside the target that gets its name only when it is whole. The copy
does not know which run it was made of: no run ended on it, so the first one on it must not hear of a crash.
It works with a daemon running and without one.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.errors import ConflictError, NotFoundError, StoreUnavailableError
from alertd.store.base import RUN
from alertd.store.sqlite.failure import translate

if TYPE_CHECKING:
    from collections.abc import Callable


async def backup(database: str | Path, target: str | Path) -> None:
    """Copy in another thread; a cancelled backup is interrupted and leaves nothing behind."""
    job = _Backup(Path(database), Path(target))
    running = asyncio.ensure_future(asyncio.to_thread(job.run))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        job.interrupt()
        await asyncio.wait([running])
        running.exception()
        raise


def backup_file(database: str | Path, target: str | Path) -> None:
    """Write a consistent copy of the database to a file that must not exist yet (ConflictError otherwise)."""
    _Backup(Path(database), Path(target)).run()


class _Backup:
    def __init__(self, database: Path, target: Path) -> None:
        self._database = database
        self._target = target
        self._interrupt: Callable[[], None] | None = None
        self._interrupted = False

    def run(self) -> None:
        if not self._database.is_file():
            raise NotFoundError(f"there is no store at {self._database}")
        try:
            self._refuse_existing()
            self._write()
        except FileExistsError as error:
            raise ConflictError(f"{self._target} exists already") from error
        except OSError as error:  # of the partial file, whose name says nothing to anybody
            raise StoreUnavailableError(
                f"the backup cannot be written: {self._target}: {error.strerror or error}"
            ) from error
        except sqlite3.Error as error:
            raise translate(error) from error

    def _write(self) -> None:
        partial = self._target.with_name(f".{self._target.name}.{os.getpid()}.partial")
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        try:
            self._copy(partial)
            _forget_run(partial)
            _sync(partial)
            os.link(partial, self._target)
        finally:
            partial.unlink(missing_ok=True)
        _sync(self._target.parent)

    def interrupt(self) -> None:
        """Stop a copy under way, or one that is about to begin."""
        self._interrupted = True
        if self._interrupt is not None:
            self._interrupt()

    def _refuse_existing(self) -> None:
        if self._target.exists():
            raise FileExistsError(self._target)

    def _copy(self, partial: Path) -> None:
        uri = f"{self._database.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)) as conn:
            conn.execute("PRAGMA wal_autocheckpoint = 0")
            self._interrupt = conn.interrupt
            if not self._interrupted:
                conn.execute("VACUUM INTO ?", (str(partial),))
            self._interrupt = None
        if self._interrupted:
            raise StoreUnavailableError("the backup was interrupted")


def _forget_run(copy: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as conn:
        conn.execute("DELETE FROM meta WHERE key = ?", (RUN,))


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
