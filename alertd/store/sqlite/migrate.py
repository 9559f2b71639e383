"""Migrations: forwards only, numbered files of SQL, all that are missing in one transaction.

`PRAGMA user_version` says which was the last. A file is `store/sql/NNN_name.sql`, begins with `-- name: …` and says what
it is for; its statements run as they stand.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from alertd.errors import StoreError, StoreVersionError
from alertd.store.sqlite.key import stored_key
from alertd.store.sqlite.recent_keys import key_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alertd.store.sqlite.key import Uid

APPLICATION_ID: Final = 0x616C7264
"""`alrd` in the file's header: SQLite's mark of whose file it is."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; `version` is the user_version after it."""

    version: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All steps that this alertd knows, in order."""
    found = (resources.files("alertd.store") / "sql").iterdir()
    files = sorted((file for file in found if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(_migration(f.name, f.read_text(encoding="utf-8")) for f in files)


def version_of(conn: sqlite3.Connection) -> int:
    """Return the version of the file's layout; 0 is an empty file."""
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def migrate(conn: sqlite3.Connection, steps: Sequence[Migration] | None = None) -> list[Migration]:
    """Bring a file up to date in one transaction; return the steps that were made.

    Raises StoreVersionError for a file of a newer alertd, StoreError for one of another program.
    """
    known = migrations() if steps is None else steps
    version, newest = version_of(conn), known[-1].version
    _check_owner(conn, version)
    if version > newest:
        raise StoreVersionError(f"the store has version {version}, this alertd knows up to {newest}: run a newer one")
    missing = [step for step in known if step.version > version]
    if missing:
        _apply(conn, missing)
    return missing


def _migration(file: str, sql: str) -> Migration:
    head = sql.splitlines()[0]
    return Migration(int(file[:3]), head.removeprefix("-- name:").strip(), sql)


def _check_owner(conn: sqlite3.Connection, version: int) -> None:
    owner = conn.execute("PRAGMA application_id").fetchone()[0]
    tables = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != APPLICATION_ID and (version or tables or owner):
        raise StoreError("the file is a SQLite database of another program")


def _apply(conn: sqlite3.Connection, steps: Sequence[Migration]) -> None:
    conn.create_function("stored_uid", 1, _stored_uid, deterministic=True)
    conn.create_function("key_bucket", 2, key_bucket, deterministic=True)
    conn.execute("BEGIN IMMEDIATE")
    with conn:  # it commits, or rolls back what failed
        for step in steps:
            for statement in _statements(step.sql):
                conn.execute(statement)
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute(f"PRAGMA user_version = {steps[-1].version}")


def _stored_uid(kept: str | Uid) -> Uid:
    """Bring a key of a former layout into today's form: text was kept as it was, a UUID as its bytes."""
    return stored_key(kept) if isinstance(kept, str) else kept


def _statements(sql: str) -> Iterator[str]:
    """Cut a file into its statements (executescript would commit before the first)."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
