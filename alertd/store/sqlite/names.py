"""Lasting numbers of named resources, and small facts: what the store's protocol says of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from alertd.store.sqlite.meta import set_meta
from alertd.store.sqlite.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.model.ids import NameKey


class Names(Part):
    """What gives named resources their numbers."""

    async def intern(self, keys: Sequence[NameKey]) -> dict[NameKey, int]:
        """The numbers of all these names; those that are new are stored with whatever is stored next."""
        return self.core.named.intern(keys)

    async def names(self) -> Mapping[int, NameKey]:
        """Every name ever given, by number: of now, and of whatever comes."""
        return MappingProxyType(self.core.named.keys)

    async def get_meta(self, key: str) -> str | None:
        """A small fact kept in the store."""
        row = await self.core.reads.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row[0])

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact."""
        await self.core.writer.run(lambda conn: set_meta(conn, key, value))
