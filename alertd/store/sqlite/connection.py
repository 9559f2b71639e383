"""Connections to the file: one that writes, some that only read, with what each must set.

Only the writing one checkpoints: below SQLite 3.51.3 a checkpoint of one connection that meets a write of another can
damage the file (the WAL-reset bug), and a single connection does not meet itself. No mmap: an I/O error on a mapped page
kills the process, and mapped pages count as its memory. auto_vacuum stays off: pages that retention frees are used
again by what comes next, so the file keeps its greatest size; `alertd backup` writes a compact copy. The WAL is
checkpointed every 4 MB: at 16 MB the CPU is the same, but a commit then waits for that many random pages. Pages of 8 KB
waste less behind rows of half a kilobyte than those of 4 KB, and are fewer to write; a file keeps those it was made with.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import structlog

from alertd.undo import OnFailure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIXED_VERSION: Final = (3, 51, 3)
"""The first SQLite without the WAL-reset bug."""
PAGE_BYTES: Final = 8192
CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
_STATEMENTS: Final = 512


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """The store's bounds. Units: seconds, bytes, counts.

    `busy_seconds` is how long a foreign lock is waited for; `writer_cache_bytes` and `reader_cache_bytes` bound each
    connection's page cache; the WAL is truncated when it is larger than `wal_max_bytes`; `queue_jobs` is how many
    writes may wait; `recent_keys` of the newest keys at most wait to be merged into their index (28 bytes each in memory); a file up to `check_bytes` is checked before it is opened after an unclean stop, a larger one
    afterwards, in the background.
    """

    busy_seconds: float = 2.0
    writer_cache_bytes: int = 16 * 1024 * 1024
    reader_cache_bytes: int = 8 * 1024 * 1024
    wal_max_bytes: int = 64 * 1024 * 1024
    queue_jobs: int = 1024
    recent_keys: int = 131_072
    check_bytes: int = 1024 * 1024 * 1024


def open_writer(path: Path, options: SqliteOptions, *, create: bool = False) -> sqlite3.Connection:
    """Open the connection that writes; only with `create` may the file be new (readable by its owner alone)."""
    if create:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    conn = sqlite3.connect(
        _uri(path, "rw"),
        uri=True,
        isolation_level=None,
        timeout=options.busy_seconds,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    with OnFailure(conn.close):
        for pragma in _writer_pragmas(options):
            conn.execute(f"PRAGMA {pragma}").fetchall()
    return conn


def reader_uri(path: Path) -> str:
    """Return the URI under which readers open the file (they need to write its shared memory)."""
    return _uri(path, "rw")


def reader_pragmas(options: SqliteOptions) -> tuple[str, ...]:
    """What a connection sets that only reads."""
    return (
        "query_only = ON",
        "wal_autocheckpoint = 0",
        f"cache_size = -{options.reader_cache_bytes // 1024}",
        "mmap_size = 0",
        "temp_store = MEMORY",
    )


def _writer_pragmas(options: SqliteOptions) -> Iterator[str]:
    yield f"page_size = {PAGE_BYTES}"
    yield "journal_mode = WAL"
    yield "synchronous = FULL"
    yield f"wal_autocheckpoint = {CHECKPOINT_BYTES // PAGE_BYTES}"
    yield f"journal_size_limit = {options.wal_max_bytes}"
    yield f"cache_size = -{options.writer_cache_bytes // 1024}"
    yield "mmap_size = 0"
    yield "temp_store = MEMORY"
    yield "foreign_keys = OFF"


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


@cache
def warn_if_old() -> None:
    """Say once when the SQLite that Python links has the WAL-reset bug."""
    if sqlite3.sqlite_version_info < FIXED_VERSION:
        structlog.get_logger(__name__).warning(
            "store.sqlite_old",
            version=sqlite3.sqlite_version,
            fixed_in=".".join(map(str, FIXED_VERSION)),
            note="this SQLite can damage a file that two programs write to; alertd is safe: let no other program write to its store",
        )
