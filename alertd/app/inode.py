"""Which file a path leads to: whether the store's own is still there, or another took its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def inode_of(file: Path) -> int | None:
    """Return the number of the file at a path; None when there is none that can be looked at."""
    try:
        return file.stat().st_ino
    except OSError:
        return None
