"""A steady pace: an open loop that makes events when their time has come, whatever became of those before them.

It wakes every two milliseconds and makes all that are due, so that it leaves its core to the others; an event carries
the time at which it was made. How late the loop woke is said too: when that is much, the run measured the loop.
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


TICK_NS = 2_000_000


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

    async def bursts(self, seed: int, projects: int) -> AsyncIterator[tuple[list[bytes], int]]:
        """Give the events that are due, one burst after the other, and by how many nanoseconds each is late."""
        rng = random.Random(seed)  # noqa: S311 - a workload, no secret
        begun = time.monotonic_ns()
        position, burst = 0, 0
        while position < self.count:
            burst += 1
            due = begun + burst * TICK_NS
            while (now := time.monotonic_ns()) < due:  # noqa: ASYNC110 - it is the clock that is waited for
                await asyncio.sleep(max(0.001, (due - now) / 1e9))
            last = min(self.count, int(burst * TICK_NS / self.gap_ns))
            bodies = []
            for number in range(position, last):
                own = str(UUID(int=rng.getrandbits(128), version=4))
                made = time.monotonic_ns()
                sent = NEVER if number < self.first_timed else f"{made:0{SENT_DIGITS}d}"
                bodies.append(event(number, event_id=own, projects=projects, sent=sent))
            yield bodies, now - due
            position = last


def lateness(late_ns: list[int]) -> float:
    """Give the 99th percentile in milliseconds."""
    return sorted(late_ns)[int(len(late_ns) * 0.99)] / 1e6
