"""Keeps what must outlive a restart about destinations: why one is disabled, until when its lane rests.

Changes are noted at once and written soon; many changes of one destination become one write of the latest, with the
lines of all of them for the log of changes.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from alertd.delivery.persistence import until_stored
from alertd.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.store.base import DestinationState, OutboxStore
    from alertd.store.resource import AuditEntry

LINES_MAX: Final = 100
"""How many lines of the log of changes may wait with one destination's state."""


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
        self._changed: dict[int, list[AuditEntry]] = {}
        self._writer: asyncio.Task[None] | None = None
        self._urgent = asyncio.Event()

    def check_room(self, destination_id: int) -> None:
        """Raise StoreUnavailableError when no more lines may wait with a destination's state."""
        if len(self._changed.get(destination_id, ())) >= LINES_MAX:
            raise StoreUnavailableError(f"{LINES_MAX} changes of the destination's state wait for the store")

    def changed(self, destination_id: int, line: AuditEntry | None = None) -> None:
        """Have a destination's state written soon, and with it the line of who changed it."""
        lines = self._changed.setdefault(destination_id, [])
        if line is not None:
            lines.append(line)
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
                await until_stored(partial(self._store_one, destination_id), "destination state", self._urgent)
        except Exception as error:  # noqa: BLE001 - the boundary of this task; the dispatcher dies of it
            self._on_failure(error)
        finally:
            self._writer = None

    async def _store_one(self, destination_id: int) -> None:
        lines = self._changed.pop(destination_id)
        try:
            await self._store.set_destination_state(destination_id, self._read(destination_id), lines)
        except StoreUnavailableError:
            self._changed[destination_id] = lines + self._changed.get(destination_id, [])
            raise
