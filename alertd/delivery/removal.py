"""Removed destinations on their way out: what waits is cancelled at once, what is in flight ends first.

A destination that comes back meanwhile gets a new lane at once. What its former lane still has in flight counts as held
there, so that nobody attempts it a second time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.delivery.persistence import until_stored
from alertd.errors import NotFoundError
from alertd.model.delivery import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable

    from alertd.delivery.lane import Lane
    from alertd.store.base import OutboxStore

REASON: Final = "destination_removed"

_log = structlog.get_logger("alertd.delivery")


class Removals:
    """Sees removed destinations out, in tasks that `background` starts; `lanes` gives all lanes, former ones too."""

    def __init__(
        self,
        store: OutboxStore,
        background: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        lanes: Callable[[], Collection[Lane]],
    ) -> None:
        self._store = store
        self._background = background
        self._all_lanes = lanes
        self._sweeps: dict[int, asyncio.Task[None]] = {}
        self._held: dict[Lane, frozenset[int]] = {}
        self._ways_out: dict[Lane, asyncio.Task[None]] = {}
        self._again: set[int] = set()

    def lanes(self) -> Collection[Lane]:
        """Lanes that still have something in flight or not stored."""
        return self._held.keys()

    def held(self, destination_id: int) -> set[int]:
        """Deliveries of a destination that its former lanes had in flight when they were removed, until all of those ended."""
        former = (held for lane, held in self._held.items() if lane.spec.destination_id == destination_id)
        return set().union(*former)

    def remove(self, destination_id: int, lane: Lane | None = None) -> None:
        """See a destination out; without a lane its work is only in the store. Asked again it looks once more."""
        if lane is None:
            lane = next((each for each in self._held if each.spec.destination_id == destination_id), None)
        else:
            lane.retire()
            self._held[lane] = frozenset(lane.backlog.held)
            self._ways_out[lane] = self._background(self._see_out(lane))
        if destination_id in self._sweeps:
            self._again.add(destination_id)
        else:
            self._sweeps[destination_id] = self._background(self._sweep(destination_id, lane))

    async def swept(self, destination_ids: Collection[int]) -> None:
        """Wait until what waited for these is cancelled (they come back, and what is made for them then is not)."""
        while tasks := [task for number, task in self._sweeps.items() if number in destination_ids]:
            await asyncio.wait(tasks)  # meanwhile a batch of the old rules may have begun another one

    def stop(self) -> None:
        """Leave the rest to the next start."""
        for task in (*self._sweeps.values(), *self._ways_out.values()):
            task.cancel()

    async def _sweep(self, destination_id: int, lane: Lane | None) -> None:
        """Cancel what waits in the store, a digest that is being put together among it."""
        try:
            if lane is not None:
                await lane.settled(held=False)
            await self._cancel(destination_id, lane)
            while destination_id in self._again:
                await self._cancel(destination_id, lane)
        finally:
            self._again.discard(destination_id)
            del self._sweeps[destination_id]

    async def _cancel(self, destination_id: int, lane: Lane | None) -> None:
        self._again.discard(destination_id)
        held = self.held(destination_id)
        count = await until_stored(lambda: self._store.cancel_destination(destination_id, REASON, held), "removal")
        if count and lane is not None:
            lane.meters.ended(DeliveryState.CANCELLED, count)
        workspace, name = await self._named(destination_id, lane)
        say = _log.warning if count else _log.info
        say("destination.removed", workspace=workspace, destination=name, number=destination_id, cancelled=count)

    async def _see_out(self, lane: Lane) -> None:
        """Let end what is in flight, and cancel what would be attempted again."""
        try:
            await lane.settled()
            for number in self._held[lane]:  # one after the other: after an outage they may be thousands
                if await self._cancelled(number):
                    lane.meters.ended(DeliveryState.CANCELLED, 1)
        finally:
            del self._ways_out[lane]
            self._hand_over(lane, self._held.pop(lane))

    def _hand_over(self, lane: Lane, held: Iterable[int]) -> None:
        """Close a lane; those that came after it need not hold its deliveries any more, which are final."""
        for each in self._all_lanes():
            if each.spec.destination_id == lane.spec.destination_id:
                for number in held:
                    each.withdrawn(number, final=True)
        lane.close()

    async def _cancelled(self, number: int) -> bool:
        """Cancel one delivery; return whether it was not final before."""
        try:
            before = await until_stored(lambda: self._store.cancel(number, REASON), "removal")
        except NotFoundError:  # deleted with its event meanwhile
            return False
        return not before.final

    async def _named(self, destination_id: int, lane: Lane | None) -> tuple[str | None, str | None]:
        """Give workspace and name; the store knows those of a destination that has no lane."""
        if lane is not None:
            return lane.spec.workspace, lane.spec.name
        names = await until_stored(self._store.names, "names")
        _, workspace, name = names.get(destination_id, (None, None, None))
        return workspace, name
