"""What SQLite's errors mean: which are the world's (come back later), which are the file's, which are ours."""

from __future__ import annotations

import sqlite3
from typing import Final

from alertd.errors import AlertdError, StoreCorruptError, StoreError, StoreUnavailableError

_UNAVAILABLE: Final = {
    sqlite3.SQLITE_PERM: "no permission",
    sqlite3.SQLITE_BUSY: "locked by another connection",
    sqlite3.SQLITE_LOCKED: "locked by another connection",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_INTERRUPT: "interrupted",
    sqlite3.SQLITE_IOERR: "I/O error",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PROTOCOL: "locking protocol",
}
_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_HARMLESS: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT}


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 when the error came from the Python module itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translate(error: Exception) -> Exception:
    """Turn an error of SQLite into one of alertd's; others (a refusal, a bug) stay as they are."""
    if isinstance(error, AlertdError) or not isinstance(error, sqlite3.Error):
        return error
    code = primary_code(error)
    if code in _CORRUPT:
        translated: StoreError = StoreCorruptError(f"the store is damaged: {error}")
    elif code in _UNAVAILABLE:
        translated = StoreUnavailableError(f"the store cannot be used now ({_UNAVAILABLE[code]}): {error}")
    else:
        translated = StoreError(f"the store refused: {error}")
    translated.__cause__ = error
    return translated


def breaks_connection(error: Exception) -> bool:
    """Whether a connection that met this error should be opened anew before it is used again."""
    code = primary_code(error) if isinstance(error, sqlite3.Error) else 0
    return code in _CORRUPT or (code in _UNAVAILABLE and code not in _HARMLESS)
