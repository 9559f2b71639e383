"""The spiller: what waits for a destination beyond `queue.spill_max` comes together in a digest. Nothing is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from alertd.delivery.outage import Outage
from alertd.errors import StoreUnavailableError
from alertd.model.delivery import DeliveryState
from alertd.model.digest import DIGESTED
from alertd.model.ids import DELIVERY, format_id
from alertd.store.digests import Spill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.clock import Clock
    from alertd.delivery.lane import Lane
    from alertd.model.ids import IdSource
    from alertd.store.digests import DigestStore

_log = structlog.get_logger("alertd.delivery")


class Spiller:
    """Looks at lanes that have a bound. A digest that was made before the start is never added to: it may have been sent."""

    def __init__(self, store: DigestStore, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._outage = Outage("digest")
        self._since = 0

    async def look(self, lanes: Iterable[Lane]) -> None:
        """Look at each lane once."""
        for lane in lanes:
            keep = lane.spec.options.queue.spill_max
            if keep is None or not lane.backlog.exceeds(keep):
                continue
            try:
                await self._look(lane, keep)
            except StoreUnavailableError as error:
                self._outage.failed(error)
                return
        self._outage.passed()

    async def _look(self, lane: Lane, keep: int) -> None:
        if await self._store.waiting(lane.spec.destination_id, lane.backlog.busy()) <= keep or not lane.seal():
            return
        try:
            await self._spill(lane, keep)
        finally:
            lane.unseal()

    async def _spill(self, lane: Lane, keep: int) -> None:
        """Put together what is too much. The lane is sealed, and what comes meanwhile stays in the store, behind it."""
        spec, backlog = lane.spec, lane.backlog
        backlog.spill(keep)
        new_id = self._ids.take()
        self._since = self._since or new_id
        held, now_ms = frozenset(backlog.held), self._clock.now_ms()
        spill = Spill(spec.destination_id, keep, frozenset(backlog.busy()), held, new_id, self._since, now_ms)
        done = await self._store.digest(spill)
        if done.count:
            lane.meters.digested(done.count, made=done.made)
            lane.meters.ended(DeliveryState.CANCELLED, done.count)
            _log.warning(
                "deliveries.digested",
                workspace=spec.workspace,
                destination=spec.name,
                deliveries=done.count,
                digest=format_id(DELIVERY, done.digest_id),
                made=done.made,
                reason=DIGESTED,
            )
