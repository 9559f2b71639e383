"""Keeps what must outlive a restart about destinations: why one is disabled, until when its lane rests.

Changes are noted at once and written soon; many changes of one destination become one write of the latest.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from alertd.delivery.persistence import until_stored
from alertd.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.store.base import DestinationState, OutboxStore


class StateKeeper:
    """Writes changed states; `read` gives a destination's state as it is now, an empty one when it is no more.

    `on_failure` is told when the store fails for good (anything but StoreUnavailableError).
    """

    def __init__(
        self,
        store: OutboxStore,
        read: Callable[[int], DestinationState],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._read = read
        self._on_failure = on_failure
        self._changed: dict[int, None] = {}
        self._writer: asyncio.Task[None] | None = None
        self._urgent = asyncio.Event()

    def changed(self, destination_id: int) -> None:
        """Have a destination's state written soon."""
        self._changed[destination_id] = None
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="destination-states")

    async def flush(self, deadline_seconds: float) -> None:
        """Wait until everything changed is stored. Raises StoreUnavailableError when that takes longer; it goes on."""
        if self._writer is not None:
            _, late = await asyncio.wait({self._writer}, timeout=deadline_seconds)
            if late:
                raise StoreUnavailableError("the destination's state is in force but not stored yet")

    async def close(self, deadline_seconds: float) -> None:
        """Write the rest, no longer than the deadline."""
        self._urgent.set()
        writer = self._writer
        if writer is not None:
            await asyncio.wait({writer}, timeout=deadline_seconds)
            writer.cancel()
            await asyncio.wait({writer})

    async def _write(self) -> None:
        try:
            while self._changed:
                destination_id = next(iter(self._changed))
                del self._changed[destination_id]
                await until_stored(partial(self._store_one, destination_id), "destination state", self._urgent)
        except Exception as error:  # noqa: BLE001 - the boundary of this task; the dispatcher dies of it
            self._on_failure(error)
        finally:
            self._writer = None

    async def _store_one(self, destination_id: int) -> None:
        await self._store.set_destination_state(destination_id, self._read(destination_id))
