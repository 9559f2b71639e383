"""The feeder: reads pages of the store for lanes that ask, in turn, a few at a time, so that no lane starves another."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from alertd.delivery.outage import Outage
from alertd.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.clock import Clock
    from alertd.delivery.lane import Lane
    from alertd.store.base import OutboxStore

READS_AT_ONCE: Final = 4
"""How many pages are read at the same time. The lanes that wait are bounded by the number of destinations."""


class Feeder:
    """Serves lanes first come, first served; a lane that wants another page goes to the end.

    `on_failure` is told when the store fails for good (anything but StoreUnavailableError).
    """

    def __init__(self, store: OutboxStore, clock: Clock, on_failure: Callable[[BaseException], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_failure = on_failure
        self._outage = Outage("pages")
        self._waiting: deque[Lane] = deque()
        self._asked: set[Lane] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._stopped = False

    def ask(self, lane: Lane) -> None:
        """Queue a lane for a page; asking again while it waits changes nothing."""
        if lane in self._asked or self._stopped:
            return
        self._asked.add(lane)
        self._waiting.append(lane)
        if len(self._readers) < READS_AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._read(), name="feeder")
            self._readers.add(task)

    async def stop(self) -> None:
        """Read nothing more."""
        self._stopped = True
        self._waiting.clear()
        self._asked.clear()
        readers = list(self._readers)
        for task in readers:
            task.cancel()
        if readers:
            await asyncio.wait(readers)

    async def _read(self) -> None:
        try:
            while self._waiting:
                lane = self._waiting.popleft()
                self._asked.discard(lane)
                await self._serve(lane)
        except Exception as error:  # noqa: BLE001 - the boundary of this task; the dispatcher dies of it
            self._on_failure(error)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._readers.discard(task)

    async def _serve(self, lane: Lane) -> None:
        limit = lane.begin_page()
        if not limit:
            return
        asked_ms = self._clock.now_ms()
        due = None
        try:
            due = await self._store.due(lane.spec.destination_id, asked_ms, limit, frozenset(lane.backlog.held))
            self._outage.passed()
        except StoreUnavailableError as error:
            self._outage.failed(error)
        finally:
            lane.end_page(due, asked_ms)
