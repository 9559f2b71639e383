"""Secrets that stay in the store: `stored:destinations/ops-hook/secret` in a file that was exported from it.

They are read from the SQLite file itself, without writing, whether or not a daemon has it open.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.errors import StoreError
from alertd.resources.kinds import BY_WORD, DESTINATION
from alertd.resources.registry import SECRET
from alertd.resources.vault import FILE_NAME, PREFIX, Vault
from alertd.store.sqlite.connection import reader_uri

if TYPE_CHECKING:
    from pathlib import Path

_FIND: Final = "SELECT document FROM resource WHERE kind = ? AND workspace = ? AND name = ?"
_PARTS_MIN: Final = 3
_KINDS: Final = {kind.path: kind for kind in BY_WORD.values()}


class StoredSecrets:
    """Looks secrets up in one file; `key` None means the key in the file beside it."""

    def __init__(self, file: Path, key: str | None) -> None:
        self._file = file
        self._key = key

    def find(self, workspace: str, name: str) -> str | None:
        """Return the secret, or None when there is none of that name here. Raises StoreError when it cannot be opened."""
        sealed = self._sealed(workspace, name)
        if sealed is None:
            return None
        try:
            key = self._key or self._file.with_name(FILE_NAME).read_text(encoding="ascii").strip()
            return Vault(key).open(sealed)
        except (OSError, ValueError) as error:
            raise StoreError(f"the key of the stored secrets cannot be read: {error}") from error

    def _sealed(self, workspace: str, name: str) -> str | None:
        if not self._file.is_file():
            return None
        try:
            with closing(sqlite3.connect(reader_uri(self._file), uri=True)) as conn:
                return _owned(conn, workspace, name) or _kept(conn, workspace, name)
        except sqlite3.Error as error:
            raise StoreError(f"{self._file} cannot be read: {error}") from error


def _owned(conn: sqlite3.Connection, workspace: str, name: str) -> str | None:
    """Find a secret in a resource that was made over the API."""
    parts = name.split("/")
    kind = _KINDS.get(parts[0])
    if kind is None or len(parts) < _PARTS_MIN:
        return None
    document = _document(conn, kind.word, workspace, parts[1])
    value: Any = document.get("settings") if kind is DESTINATION else document
    for part in parts[2:]:
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value.startswith(PREFIX) else None


def _kept(conn: sqlite3.Connection, workspace: str, name: str) -> str | None:
    """Find a secret that an export kept."""
    value = _document(conn, SECRET, workspace, name).get("value")
    return value if isinstance(value, str) else None


def _document(conn: sqlite3.Connection, kind: str, workspace: str, name: str) -> dict[str, Any]:
    try:
        row = conn.execute(_FIND, (kind, workspace, name)).fetchone()
    except sqlite3.OperationalError:  # a layout before resources
        return {}
    found = orjson.loads(row[0]) if row else {}
    return found if isinstance(found, dict) else {}
