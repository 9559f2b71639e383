"""A destination's memory in the store: what it remembers is there again after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from alertd.destinations.passing_memory import PassingMemory
from alertd.errors import StoreError

if TYPE_CHECKING:
    from alertd.clock import Clock
    from alertd.store.recall import RecallStore

_log = structlog.get_logger("alertd.app")


class KeptMemory:
    """A `Memory`. While the store fails, what is set is remembered until the process ends: nothing must depend on more."""

    def __init__(self, store: RecallStore, clock: Clock, destination_id: int) -> None:
        self._store = store
        self._clock = clock
        self._destination_id = destination_id
        self._unstored = PassingMemory()

    async def get(self, key: str) -> str | None:
        """Return what was set, or None."""
        newer = await self._unstored.get(key)
        if newer is not None:
            return newer
        try:
            return await self._store.recall(self._destination_id, key, self._clock.now_ms())
        except StoreError as error:
            self._failed(error)
            return None

    async def set(self, key: str, value: str) -> None:
        """Remember, in place of what was there; no failure of the store is a failure of the delivery."""
        try:
            await self._store.remember(self._destination_id, key, value, self._clock.now_ms())
        except StoreError as error:
            self._failed(error)
            await self._unstored.set(key, value)
        else:
            self._unstored.forget(key)

    def _failed(self, error: StoreError) -> None:
        consequence = "what it knows of earlier messages may be forgotten at a restart"
        _log.warning("destination.memory", number=self._destination_id, error=str(error), consequence=consequence)
