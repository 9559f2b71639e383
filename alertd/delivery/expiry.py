"""Expiry: what waited too long for a destination that takes nothing is made dead, where it can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from alertd.delivery.outage import Outage
from alertd.errors import StoreUnavailableError
from alertd.model.delivery import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.clock import Clock
    from alertd.delivery.lane import Lane
    from alertd.store.base import OutboxStore

GAVE_UP: Final = "gave_up"
"""Why a delivery is dead that waited longer than `give_up_after_seconds` for a destination that took nothing."""

_log = structlog.get_logger("alertd.delivery")


class Expiry:
    """Sweeps the outbox of lanes that are disabled or whose breaker is open; others judge at each attempt."""

    def __init__(self, store: OutboxStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._outage = Outage("sweep")

    async def sweep(self, lanes: Iterable[Lane]) -> None:
        """Look at each lane once."""
        for lane in lanes:
            if not lane.enabled or lane.rest.breaker.opened:
                try:
                    await self._expire(lane)
                except StoreUnavailableError as error:
                    self._outage.failed(error)
                    return
        self._outage.passed()

    async def _expire(self, lane: Lane) -> None:
        if not lane.seal():
            return
        spec = lane.spec
        before_ms = self._clock.now_ms() - round(spec.options.retry.give_up_after_seconds * 1000)
        try:
            lane.backlog.drop_older(before_ms)
            count = await self._store.expire(spec.destination_id, before_ms, GAVE_UP, frozenset(lane.backlog.held))
        finally:
            lane.unseal()
        if count:
            lane.meters.ended(DeliveryState.DEAD, count)
            _log.warning(
                "deliveries.expired",
                workspace=spec.workspace,
                destination=spec.name,
                deliveries=count,
                reason=GAVE_UP,
            )
