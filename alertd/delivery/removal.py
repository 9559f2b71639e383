"""Removed destinations on their way out: what is in flight ends, the rest is cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.delivery.persistence import until_stored
from alertd.model.delivery import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    from alertd.delivery.lane import Lane
    from alertd.store.base import OutboxStore

REASON: Final = "destination_removed"

_log = structlog.get_logger("alertd.delivery")


class Removals:
    """Sees removed destinations out, each in a task of its own that `background` starts."""

    def __init__(
        self, store: OutboxStore, background: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> None:
        self._store = store
        self._background = background
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._lanes: dict[int, Lane] = {}
        self._again: set[int] = set()

    def lanes(self) -> Collection[Lane]:
        """Lanes that still have something in flight or not stored."""
        return self._lanes.values()

    def remove(self, destination_id: int, lane: Lane | None = None) -> None:
        """See a destination out; without a lane its work is only in the store. Asked again it looks once more."""
        if destination_id in self._tasks:
            self._again.add(destination_id)
            return
        if lane is not None:
            lane.retire()
            self._lanes[destination_id] = lane
        self._tasks[destination_id] = self._background(self._see_out(destination_id, lane))

    async def finished(self, destination_ids: Collection[int]) -> None:
        """Wait until none of these is on its way out any more (they come back)."""
        tasks = [task for number, task in self._tasks.items() if number in destination_ids]
        if tasks:
            await asyncio.wait(tasks)

    def stop(self) -> None:
        """Leave the rest to the next start."""
        for task in list(self._tasks.values()):
            task.cancel()

    async def _see_out(self, destination_id: int, lane: Lane | None) -> None:
        try:
            if lane is not None:
                await lane.settled()
            await self._cancel(destination_id, lane)
            while destination_id in self._again:
                await self._cancel(destination_id, lane)
        finally:
            if lane is not None:
                lane.close()
            self._again.discard(destination_id)
            self._lanes.pop(destination_id, None)
            self._tasks.pop(destination_id, None)

    async def _cancel(self, destination_id: int, lane: Lane | None) -> None:
        self._again.discard(destination_id)
        count = await until_stored(lambda: self._store.cancel_destination(destination_id, REASON, ()), "removal")
        if count and lane is not None:
            lane.meters.ended(DeliveryState.CANCELLED, count)
        workspace, name = await self._named(destination_id, lane)
        _log.info("destination.removed", workspace=workspace, destination=name, number=destination_id, cancelled=count)

    async def _named(self, destination_id: int, lane: Lane | None) -> tuple[str | None, str | None]:
        """Give workspace and name; the store knows those of a destination that has no lane."""
        if lane is not None:
            return lane.spec.workspace, lane.spec.name
        names = await until_stored(self._store.names, "names")
        _, workspace, name = names.get(destination_id, (None, None, None))
        return workspace, name
