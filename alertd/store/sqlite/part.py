"""What the parts of the SQLite store share: its connections, clock, salt and names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alertd.store.sqlite.packing import Packer
from alertd.store.sqlite.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from alertd.clock import Clock
    from alertd.model.ids import NameKey
    from alertd.store.sqlite.connection import SqliteOptions
    from alertd.store.sqlite.lock import FileLock
    from alertd.store.sqlite.named import Named
    from alertd.store.sqlite.reader import Reader
    from alertd.store.sqlite.recent_keys import RecentKeys
    from alertd.store.sqlite.writer import Writer


@dataclass(slots=True)
class Core:
    """One open store. `reads` serves delivery and the pipeline, `history` whoever may ask for much.

    `outlined` is how many events were in no block when it was opened.
    """

    path: Path
    clock: Clock
    options: SqliteOptions
    lock: FileLock
    writer: Writer
    reads: Reader
    history: Reader
    recent: RecentKeys
    salt: int
    inode: tuple[int, int]
    named: Named
    shapes: Shapes = field(default_factory=Shapes)
    outlined: int = 0
    packer: Packer = field(default_factory=Packer)

    @property
    def names(self) -> Mapping[int, NameKey]:
        """Every name by its number."""
        return self.named.keys


class Part:
    """One protocol's methods over the shared core."""

    def __init__(self, core: Core) -> None:
        self.core = core
