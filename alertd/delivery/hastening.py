"""Hastening: what waits for a later attempt is due now, once somebody has mended its destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from alertd.delivery.persistence import until_stored

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from alertd.delivery.lane import Lane
    from alertd.store.base import OutboxStore

_log = structlog.get_logger("alertd.delivery")


class Hastener:
    """Makes due what waits for one destination, each in a task of its own that `background` starts."""

    def __init__(
        self, store: OutboxStore, background: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> None:
        self._store = store
        self._background = background

    def hasten(self, lane: Lane) -> None:
        """Have a lane attempt soon whatever waits, as far as it may send at all."""
        self._background(self._hasten(lane))

    async def _hasten(self, lane: Lane) -> None:
        number, backlog = lane.spec.destination_id, lane.backlog
        count = await until_stored(lambda: self._store.hasten(number, frozenset(backlog.held)), "hastening")
        if count:
            spec = lane.spec
            _log.info("deliveries.hastened", workspace=spec.workspace, destination=spec.name, deliveries=count)
            backlog.unseen = True
            lane.pump()
