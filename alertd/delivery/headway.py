"""Headway: deliveries that wait go first, while the event loop is busy with them.

What is read from Kafka faster than it can be delivered piles up: in memory, where it slows down all else, and beyond
that in the store, from which each delivery is read again. Kafka keeps what is not read yet, and nothing is gained by
taking it earlier. So whoever has read much from there gives way, until the event loop has made some short turns in which
no attempt ended: then deliveries have no use for its time. How long at most is the reader's to say, by what reading cost
it: whoever else keeps the loop busy, while much waits for receivers that are slow, takes no more than that from the reading.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alertd.clock import Clock
    from alertd.delivery.lane import Lane
    from alertd.delivery.outcomes import OutcomeLog

WAITING: Final = 500
"""So many deliveries may wait in memory without anybody giving way: half of what one lane holds, so that it need not spill."""
QUIET_SECONDS: Final = 0.0005
"""A turn of the event loop that takes no longer, and in which no attempt ended, is a quiet one."""
QUIET_TURNS: Final = 4
"""After so many turns in which no attempt ended deliveries have no use for the time; an answer takes two turns to be one."""


class Headway:
    """Watches all lanes, and the attempts that end."""

    def __init__(self, lanes: Callable[[], Iterable[Lane]], outcomes: OutcomeLog, clock: Clock) -> None:
        self._lanes = lanes
        self._outcomes = outcomes
        self._clock = clock

    async def give_way(self, most_seconds: float) -> float:
        """Let deliveries go first where much waits, for so long at most; return for how many seconds."""
        if not self._much_waits():
            return 0.0
        began = now = self._clock.monotonic()
        ended, quiet = self._outcomes.ended, 0
        while quiet < QUIET_TURNS and now - began < most_seconds:
            turned, before = now, ended
            await asyncio.sleep(0)
            now, ended = self._clock.monotonic(), self._outcomes.ended
            quiet = quiet + 1 if ended == before and now - turned < QUIET_SECONDS else 0
        return now - began

    def _much_waits(self) -> bool:
        """Whether much could go at once: what rests, or is disabled, waits for something else than time."""
        waiting = 0
        for lane in self._lanes():
            if lane.enabled and not lane.rest.bound:
                waiting += len(lane.backlog.queue)
                if lane.backlog.behind or waiting >= WAITING:
                    return True
        return False
