"""Cancels deliveries that wait, one at a time, wherever they are: in a lane's queue, in the store, or in a page on its way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alertd.errors import ConflictError
from alertd.model.delivery import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from alertd.delivery.lane import Lane
    from alertd.delivery.surroundings import Surroundings
    from alertd.store.base import OutboxStore
    from alertd.store.resource import AuditEntry


class Canceller:
    """Cancels for the dispatcher; `lanes` gives all lanes, also those of destinations on their way out."""

    def __init__(self, store: OutboxStore, around: Surroundings[Lane], lanes: Callable[[], Collection[Lane]]) -> None:
        self._store = store
        self._around = around
        self._lanes = lanes
        self._under_way: dict[int, asyncio.Event] = {}

    async def cancel(self, delivery_id: int, audit: AuditEntry | None, home: Lane | None) -> None:
        """Cancel a delivery that waits, as `Dispatcher.cancel` says; `home` counts it when no lane holds it."""
        while (other := self._under_way.get(delivery_id)) is not None:
            await other.wait()
        lane = self._withdraw(delivery_id)
        before = await self._store_cancelled(delivery_id, audit, lane)
        if before is DeliveryState.CANCELLED:
            return
        if before.final:
            raise ConflictError(f"the delivery is {before.word}")
        if (counted := lane or home) is not None:
            counted.meters.ended(DeliveryState.CANCELLED, 1)

    async def _store_cancelled(self, delivery_id: int, audit: AuditEntry | None, holder: Lane | None) -> DeliveryState:
        """Return the state that the delivery was in. Meanwhile no page brings it to a lane, and whoever cancels it too waits.

        When it failed its `holder` gives it back; a lane that came after the holder goes on holding it (see `Removals`).
        """
        ended = self._under_way[delivery_id] = asyncio.Event()
        self._around.barred.add(delivery_id)
        before: DeliveryState | None = None
        try:
            before = await self._store.cancel(delivery_id, "cancelled", audit)
        finally:
            self._around.barred.discard(delivery_id)
            for each in self._lanes():
                if before is not None or each is holder or delivery_id not in each.backlog.held:
                    each.withdrawn(delivery_id, final=before is not None)
            del self._under_way[delivery_id]
            ended.set()
        return before

    def _withdraw(self, delivery_id: int) -> Lane | None:
        if delivery_id in self._around.flying:
            raise ConflictError("the delivery is in flight")
        for lane in self._lanes():
            if delivery_id in lane.backlog.held:
                if not lane.backlog.withdraw(delivery_id):
                    raise ConflictError("the delivery's last attempt is being stored")
                return lane
        return None
