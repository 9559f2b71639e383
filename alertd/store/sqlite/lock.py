"""The lock that keeps a second daemon off the same file: flock on a file beside the database.

The kernel drops it when the process ends, however it ends. The lock file itself stays: removing it would race with the
next owner.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from alertd.errors import StoreInUseError, StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """An exclusive lock beside a database, held from `take` to `release`."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock or raise StoreInUseError, which names the owner."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreUnavailableError(f"cannot lock the store: {error}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StoreInUseError(f"{self._path} is held by process {owner}: another alertd uses this store") from error
        self._fd = fd
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, it only does not say whose it is

    def release(self) -> None:
        """Give the lock back; without one this does nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
