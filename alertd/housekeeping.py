"""Housekeeping: old history goes in small slices, engine state that is over is forgotten, the outbox is counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from alertd.clock import DAY_MS
from alertd.errors import StoreError
from alertd.runtime import wait_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from alertd.clock import Clock
    from alertd.metrics import Metrics
    from alertd.model.delivery import DeliveryState

COUNT_SECONDS: Final = 2
"""How often the outbox is counted for the metrics, at best."""
COUNT_RESTS: Final = 50
"""How many times as long as a count took the next one waits, so that a great backlog is not counted all the time."""
ROUND_SECONDS: Final = 15
"""How often the chores are done; the outbox is counted at least as often."""
RETAIN_SECONDS: Final = 60
"""How often old history is looked for."""
SLICE_EVENTS: Final = 500
"""How many events one slice deletes."""
SLICE_PAUSE_SECONDS: Final = 0.01
"""The pause between two slices, so that deliveries never wait for retention."""
_log = structlog.get_logger("alertd.housekeeping")


class HousekeepingStore(Protocol):
    """What housekeeping asks of the store."""

    async def retain(self, before_ms: int, limit: int) -> int:
        """Delete up to `limit` old events; return how many went."""

    async def forget(self, now_ms: int) -> int:
        """Delete engine state that is over; return how much went."""

    async def forget_revisions(self) -> int:
        """Delete rulesets that decided about nothing that is still there; return how many."""

    async def outbox_counts(self) -> Mapping[tuple[int, DeliveryState], int]:
        """Count what waits."""


class Forgetful(Protocol):
    """What remembers things that end."""

    def sizes(self) -> Mapping[str, int]:
        """How much is remembered, by kind."""

    def forget(self, now_ms: int) -> Iterator[int]:
        """Forget what is over, a slice with each step, which gives how many went with it."""


class Housekeeping:
    """The service. `retention_days` None keeps all history; it may change while it runs. `chores` are done every `ROUND_SECONDS`."""

    name = "housekeeping"

    def __init__(
        self,
        store: HousekeepingStore,
        clock: Clock,
        metrics: Metrics,
        memory: Forgetful,
        place: Callable[[int], tuple[str, str] | None],
        retention_days: float | None,
        chores: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._memory = memory
        self._place = place
        self.retention_days = retention_days
        self._chores = chores
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keep house until stopped."""
        now = self._clock.monotonic
        next_round = next_retain = now()
        while not self._stopping.is_set():
            rest: float = ROUND_SECONDS
            try:
                began = now()
                await self._count()
                rest = max(COUNT_SECONDS, COUNT_RESTS * (now() - began))
                if now() >= next_round:
                    next_round = now() + ROUND_SECONDS
                    for chore in self._chores:
                        await chore()
                if now() >= next_retain:
                    next_retain = now() + RETAIN_SECONDS
                    await self.forget()
                    await self.retain()
            except StoreError as error:  # whoever needs the store for its work says when that is over
                _log.warning("housekeeping.put_off", error=str(error))
            await wait_event(self._stopping, min(rest, ROUND_SECONDS))

    def stop(self) -> None:
        """End after the slice at hand."""
        self._stopping.set()

    async def retain(self) -> int:
        """Delete all history older than `retention_days`; return how many events went."""
        if self.retention_days is None:
            return 0
        now_ms = self._clock.now_ms()
        before = now_ms - int(min(self.retention_days * DAY_MS, now_ms))  # nothing is from before 1970
        total = 0
        while not self._stopping.is_set():
            gone = await self._store.retain(before, SLICE_EVENTS)
            total += gone
            if not gone:
                break
            self._metrics.retained.inc(gone)
            await wait_event(self._stopping, SLICE_PAUSE_SECONDS)
        if total:
            _log.info("history.retained", deleted_events=total)
        return total

    async def forget(self) -> int:
        """Forget what is over of the engine's memory, and of the store's; return how much of the former."""
        now_ms, gone = self._clock.now_ms(), 0
        for went in self._memory.forget(now_ms):
            gone += went
            await asyncio.sleep(0)
        await self._store.forget(now_ms)
        await self._store.forget_revisions()
        return gone

    async def _count(self) -> None:
        counts = await self._store.outbox_counts()
        self._metrics.outbox.clear()
        for kind, size in self._memory.sizes().items():
            self._metrics.engine_keys.labels(kind).set(size)
        for (destination_id, state), count in counts.items():
            place = self._place(destination_id)
            if place is not None:
                self._metrics.outbox.labels(*place, state.word).set(count)
