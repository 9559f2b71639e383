"""What happens before a file is in use: lock, open, check, migrate; and the mark that it was closed cleanly."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from alertd.errors import StoreCorruptError, StoreUnavailableError
from alertd.model.ids import SALT_BITS
from alertd.store.sqlite.connection import open_writer, warn_if_old
from alertd.store.sqlite.failure import translate
from alertd.store.sqlite.lock import FileLock
from alertd.store.sqlite.meta import get_meta, set_meta
from alertd.store.sqlite.migrate import migrate, version_of
from alertd.store.sqlite.named import Named
from alertd.store.sqlite.recent_keys import RecentKeys
from alertd.store.sqlite.shapes import SELECT, Shapes
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from pathlib import Path

    from alertd.store.sqlite.connection import SqliteOptions

_CLEAN: Final = "closed_cleanly"
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Opened:
    """A file that is ours now.

    `unchecked` says that it was not closed cleanly and is too large to check first, `damage` what was met nevertheless.
    """

    conn: sqlite3.Connection
    inode: tuple[int, int]
    lock: FileLock
    recent: RecentKeys
    salt: int
    named: Named
    shapes: Shapes
    outlined: int
    unchecked: bool
    damage: StoreCorruptError | None


def open_file(path: Path, options: SqliteOptions) -> Opened:
    """Lock the file and bring it up to date; whatever fails leaves nothing open."""
    warn_if_old()
    lock = FileLock(path)
    lock.take()
    try:
        with OnFailure(lock.release):
            conn = open_writer(path, options, create=True)
            with OnFailure(conn.close):
                return _prepare(path, options, lock, conn)
    except OSError as error:
        raise StoreUnavailableError(f"the store {path} cannot be opened: {error}") from error
    except sqlite3.Error as error:
        raise _said(path, error) from error


def mark_closed(conn: sqlite3.Connection) -> None:
    """Say that the file was closed cleanly: the writer's last job."""
    set_meta(conn, _CLEAN, "1")


def check(conn: sqlite3.Connection, table: str | None = None) -> None:
    """Raise StoreCorruptError unless the file, or one table of it, is sound."""
    argument = f"('{table}')" if table else "(5)"
    try:
        found = [row[0] for row in conn.execute(f"PRAGMA quick_check{argument}")]
    except sqlite3.DatabaseError as error:
        raise translate(error) from error
    if found != ["ok"]:
        raise StoreCorruptError(f"the store failed its integrity check: {'; '.join(found[:5])}")


def _prepare(path: Path, options: SqliteOptions, lock: FileLock, conn: sqlite3.Connection) -> Opened:
    clean = version_of(conn) == 0 or get_meta(conn, _CLEAN) == "1"
    unchecked = False
    if not clean:
        unchecked = path.stat().st_size > options.check_bytes
        _log.warning("store.unclean", path=str(path), check="background" if unchecked else "now")
        if not unchecked:
            check(conn)
    _bring_up_to_date(path, conn)
    conn.execute("BEGIN IMMEDIATE")
    salt = get_meta(conn, "salt")
    if salt is None:
        salt = str(secrets.randbits(SALT_BITS))
        set_meta(conn, "salt", salt)
    set_meta(conn, _CLEAN, "0")
    conn.execute("COMMIT")
    named = Named(conn)
    recent = RecentKeys(options.recent_keys)
    shapes = Shapes(conn.execute(SELECT))
    damage = _load(recent, shapes, conn, unchecked=unchecked)
    outlined = conn.execute("SELECT coalesce(sum(events), 0) FROM outline").fetchone()[0]
    stat = path.stat()
    inode = (stat.st_dev, stat.st_ino)
    return Opened(conn, inode, lock, recent, int(salt), named, shapes, outlined, unchecked, damage)


def _bring_up_to_date(path: Path, conn: sqlite3.Connection) -> None:
    """Migrate, and say so: of a new file in one line, of an old one each step."""
    is_new = version_of(conn) == 0
    steps = migrate(conn)
    if is_new:
        _log.info("store.created", path=str(path), version=version_of(conn))
        return
    for step in steps:
        _log.info("store.migrated", path=str(path), version=step.version, name=step.name)


def _load(recent: RecentKeys, shapes: Shapes, conn: sqlite3.Connection, *, unchecked: bool) -> StoreCorruptError | None:
    """Read the keys and the shapes; damage of a file that is yet to be checked is returned, so that it opens for reading."""
    try:
        recent.load(conn)
        shapes.recover(conn)
    except sqlite3.DatabaseError as error:
        damage = translate(error)
        if not unchecked or not isinstance(damage, StoreCorruptError):
            raise
        return damage
    return None


def _said(path: Path, error: sqlite3.Error) -> Exception:
    translated = translate(error)
    return type(translated)(f"{path}: {translated}")
