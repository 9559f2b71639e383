"""Headway: what waits in lanes goes first, while the machine is all that holds it up.

What is read from Kafka faster than it can be delivered piles up: in memory, where it slows down all else, and beyond
that in the store, from which each delivery is read again. Kafka keeps what is not read yet, and nothing is gained by
taking it earlier. So whoever reads from there gives way here before each poll: where much waits, more must end than
comes. What waits for a slow receiver, or for one that is down, counts for nothing: a lane counts with what it has ended
lately at most; and an event loop that has time is reason enough to read on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from alertd.clock import Clock
    from alertd.delivery.lane import Lane

WAITING: Final = 1000
"""So many deliveries may wait without anybody giving way."""
SHARE: Final = 2
"""Where more wait, so many must end for each that was made."""
IDLE_SECONDS: Final = 0.0005
"""An event loop that takes no longer for a turn has time."""
WAIT_SECONDS: Final = 0.25
"""Nobody gives way longer than that."""
RECENT_SECONDS: Final = 1.0
"""What a lane ended in the last one or two of these is what it has ended lately."""


class Headway:
    """Watches all lanes. One reader gives way at a time."""

    def __init__(self, lanes: Callable[[], Collection[Lane]], clock: Clock) -> None:
        self._lanes = lanes
        self._clock = clock
        self._looked = clock.monotonic()
        self._before: dict[Lane, int] = {}
        self._last: dict[Lane, int] = {}
        self._then: dict[Lane, tuple[int, int]] = {}

    async def give_way(self) -> None:
        """Return when enough has ended since the last time, when little waits, when the event loop has time, or after `WAIT_SECONDS`."""
        flowing = self._flowing()
        lanes = flowing.keys()
        if sum(min(len(lane.backlog.queue), recent) for lane, recent in flowing.items()) >= WAITING:
            await self._wait(lanes, _ended(lanes) + sum(map(self._owed, lanes)))
        self._then = {lane: (lane.backlog.made, lane.backlog.ended) for lane in lanes}

    async def _wait(self, lanes: Collection[Lane], goal: int) -> None:
        now = self._clock.monotonic()
        until = now + WAIT_SECONDS
        while now < until and _ended(lanes) < goal:
            await asyncio.sleep(0)
            began, now = now, self._clock.monotonic()
            if now - began < IDLE_SECONDS:
                return

    def _owed(self, lane: Lane) -> int:
        """Say how many attempts of a lane are to end for what was made since the last time."""
        backlog = lane.backlog
        made, ended = self._then.get(lane, (backlog.made, backlog.ended))
        return SHARE * (backlog.made - made) - (backlog.ended - ended)

    def _flowing(self) -> dict[Lane, int]:
        """Say which lanes have ended anything lately, and how much."""
        lanes, now = self._lanes(), self._clock.monotonic()
        if now - self._looked >= RECENT_SECONDS:
            self._looked = now
            self._before, self._last = self._last, {lane: lane.backlog.ended for lane in lanes}
        found = ((lane, lane.backlog.ended - self._before.get(lane, 0)) for lane in lanes)
        return {lane: recent for lane, recent in found if recent}


def _ended(lanes: Iterable[Lane]) -> int:
    return sum(lane.backlog.ended for lane in lanes)
