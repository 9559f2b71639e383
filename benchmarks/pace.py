"""A steady pace: an open loop that makes each event when its time has come, whatever became of those before it.

An event carries the time at which it was made, and the loop says how late that was: when the loop is late, the run
measured the loop.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.workload import NEVER, SENT_DIGITS, event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Pace:
    """`rate` events a second for `seconds`; those of the first `warm_up` seconds are not timed."""

    def __init__(self, rate: float, seconds: float, warm_up: float) -> None:
        self.gap_ns = 1e9 / rate
        self.count = int(rate * seconds)
        self.first_timed = int(rate * warm_up)

    @property
    def timed(self) -> int:
        """How many events are timed."""
        return self.count - self.first_timed

    async def events(self, seed: int, projects: int) -> AsyncIterator[tuple[int, bytes, int]]:
        """Give each event's number, its bytes, and by how many nanoseconds it is late."""
        rng = random.Random(seed)  # noqa: S311 - a workload, no secret
        begun = time.monotonic_ns()
        for position in range(self.count):
            due = begun + int(position * self.gap_ns)
            now = time.monotonic_ns()
            while now < due:
                await asyncio.sleep((due - now) / 1e9)
                now = time.monotonic_ns()
            own = str(UUID(int=rng.getrandbits(128), version=4))
            sent = NEVER if position < self.first_timed else f"{now:0{SENT_DIGITS}d}"
            yield position, event(position, event_id=own, projects=projects, sent=sent), now - due


def lateness(late_ns: list[int]) -> float:
    """Give the 99th percentile in milliseconds."""
    return sorted(late_ns)[int(len(late_ns) * 0.99)] / 1e6
