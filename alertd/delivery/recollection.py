"""What destinations did before the start, read from the history afterwards: nothing is kept for it, and no start waits.

It is what the newest deliveries tell. A look ends at the bounds of a page of the history; what lies beyond stays unknown.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from alertd.errors import StoreError
from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.runtime import wait_event
from alertd.store.base import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from alertd.clock import Clock
    from alertd.delivery.lane import Lane

    class PastStore(Protocol):
        """What is read (alertd.store.base.HistoryStore)."""

        async def delivery_ids(self, which: Filter) -> tuple[list[int], int | None]:
            """Deliveries, newest first."""

        async def attempts_of(self, delivery_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
            """All attempts of some deliveries."""


NEWEST: Final = 50
"""How many deliveries of a destination one look reads the attempts of."""
REST_FACTOR: Final = 9
"""A destination is followed by a rest of so many times as long as its looks took: others read the history too."""
REST_MAX_SECONDS: Final = 1.0
"""And no rest is longer."""
_log = structlog.get_logger("alertd.delivery")


@dataclass(slots=True)
class Past:
    """When a destination last took something and last failed, in milliseconds since 1970; None: not known."""

    success_at_ms: int | None = None
    failure_at_ms: int | None = None
    error: str = ""

    def see(self, attempt: dict[str, Any]) -> None:
        """Take note of an attempt; they may come in any order."""
        at_ms = attempt["started_at_ms"]
        if attempt["outcome"] is OutcomeKind.DELIVERED:
            self.success_at_ms = max(at_ms, self.success_at_ms or 0)
        elif at_ms >= (self.failure_at_ms or 0):
            self.failure_at_ms, self.error = at_ms, attempt["detail"]


class Recollection:
    """The service: it looks once for each lane there is when it begins. `since` says when a destination was made (None: long ago).

    One that was deleted and made again has its name and number in common with the one before, but not what became of it.
    """

    name = "recollection"

    def __init__(
        self,
        store: PastStore,
        clock: Clock,
        lanes: Callable[[], Iterable[Lane]],
        since: Callable[[str, str], int | None] = lambda workspace, name: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lanes = lanes
        self._since = since
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Look, then wait for the stop."""
        for look in (self.recall, self.search):
            for lane in list(self._lanes()):
                if self._stopping.is_set():
                    return
                began = self._clock.monotonic()
                try:
                    await look(lane)
                except StoreError as error:
                    _log.warning("destination.not_recalled", destination=lane.spec.name, error=str(error))
                took = self._clock.monotonic() - began
                await wait_event(self._stopping, min(REST_MAX_SECONDS, took * REST_FACTOR))
        await self._stopping.wait()

    def stop(self) -> None:
        """Look no further."""
        self._stopping.set()

    async def recall(self, lane: Lane) -> None:
        """Tell a lane what its newest deliveries say, and the newest dead ones if these say of no failure. Raises StoreError."""
        past, which = Past(), self._of(lane)
        await self._see(which, past)
        if past.failure_at_ms is None:
            await self._see(replace(which, state=DeliveryState.DEAD.word), past)
        _tell(lane, past)

    async def search(self, lane: Lane) -> None:
        """Look for a success below what waits, unless one is known by now: that takes longer. Raises StoreError."""
        if lane.last_success_ms is None:
            past = Past()
            await self._see(replace(self._of(lane), state=DeliveryState.DELIVERED.word), past)
            _tell(lane, past)

    def _of(self, lane: Lane) -> Filter:
        workspace, name = lane.spec.workspace, lane.spec.name
        return Filter(workspace, limit=NEWEST, destination=name, since_ms=self._since(workspace, name))

    async def _see(self, which: Filter, past: Past) -> None:
        ids, _ = await self._store.delivery_ids(which)
        for attempts in (await self._store.attempts_of(ids)).values():
            for attempt in attempts:
                past.see(attempt)


def _tell(lane: Lane, past: Past) -> None:
    """Tell a lane what it does not know better by now."""
    if lane.last_success_ms is None:
        lane.last_success_ms = past.success_at_ms
    if lane.last_failure_ms is None:
        lane.last_failure_ms, lane.last_error = past.failure_at_ms, past.error
