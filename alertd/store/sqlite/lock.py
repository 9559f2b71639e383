"""The lock that keeps a second daemon off the same file: flock on a file beside the database.

The kernel drops it when the process ends, however it ends. The lock file itself stays: removing it would race with the
next owner. It stands beside the file that a symbolic link leads to, for whoever comes by the link or without it. A file
with hard links is refused: SQLite keeps its log beside the name that it was given, and two logs damage the file.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from alertd.errors import StoreInUseError, StoreUnavailableError


class FileLock:
    """An exclusive lock beside a database, held from `take` to `release`."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock or raise StoreInUseError, which names the owner; StoreUnavailableError if it cannot be held."""
        try:
            path = self._find()
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreUnavailableError(f"cannot lock the store: {error}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StoreInUseError(f"{path} is held by process {owner}: another alertd uses this store") from error
        self._fd = fd
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, it only does not say whose it is

    def _find(self) -> Path:
        database = self._database
        if database.is_symlink():
            database = Path(os.path.realpath(database))
        names = database.stat().st_nlink if database.exists() else 1
        if names > 1:
            raise StoreUnavailableError(
                f"{database} has {names} names (hard links), of which each could be opened by another alertd; "
                "leave it one, and make the others symbolic links"
            )
        return database.with_name(database.name + ".lock")

    def release(self) -> None:
        """Give the lock back; without one this does nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
