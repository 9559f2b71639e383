"""The pace that a receiver's refusals teach, where nobody knows its limit or several share one. Pure.

A refusal (429) stops the lane, and single attempts, each after twice as long as the one before, find out when something is
taken again. From one such moment to the next is a cycle: what it brought in how long is the pace from then on. The
pace grows with each success, by steps that become smaller with each cycle, until it is found, and by and by after
that, because limits change. Forgotten is what holds nobody back, and what a lane has learnt that fell quiet.

Times are seconds of a monotonic clock; an attempt that `took` so long ended at `now`.
"""

from __future__ import annotations

from typing import Final

FIRST_PROBE_SECONDS: Final = 0.1
"""How long after the first refusal the next attempt may begin,"""
LONGEST_PROBE_SECONDS: Final = 60.0
"""and how long at most after the last one, unless the receiver asked for more."""
SHORTEST_SECONDS: Final = 0.0005
"""Least between two attempts; a pace that stays there is none"""
FREE_DELIVERIES: Final = 500
"""after so many deliveries, or after `QUIET_SECONDS`."""
LONGEST_SECONDS: Final = 600.0
"""Most between two attempts while something is taken."""
LULL_SECONDS: Final = 1.0
"""So long beyond its pace without an attempt: the lane had nothing to send."""
QUIET_SECONDS: Final = 60.0
"""So long beyond its pace without an attempt: most limits have begun anew."""
HEADROOM: Final = 0.9
"""Which part of what a cycle brought is asked for in the next."""
SLOWER_MOST: Final = 8.0
"""How many times slower a cycle makes the lane that brought less than so much: most of it may have been an outage; and how
many times slower than the receiver itself has asked for."""
GROWTH: Final = 1.0
"""By which part the pace grows at each success at first; a third of that after each cycle,"""
GROWTH_LEAST: Final = 0.05
"""until there is so little left: from then on it doubles in"""
DOUBLING_SECONDS: Final = 120.0
"""so many seconds, in twice as many after each cycle that confirms it, in no more than"""
DOUBLING_MOST_SECONDS: Final = 1800.0
SIMILAR: Final = 1.25
"""A cycle that brings a pace within this factor of the last one's confirms it; after any other, it may double as soon as at first."""


class Throttle:
    """How far apart attempts begin, in `seconds`. It is made for a first refusal, which is then told."""

    __slots__ = (
        "_asked",
        "_at",
        "_began",
        "_doubling",
        "_first_probe",
        "_growth",
        "_hungry",
        "_probe",
        "_since",
        "_slowest",
        "_taken",
        "_turned",
        "seconds",
    )

    def __init__(self, now: float) -> None:
        self.seconds = self._slowest = self._first_probe = FIRST_PROBE_SECONDS
        self._growth = GROWTH
        self._doubling = DOUBLING_SECONDS
        self._asked = 0.0
        self._at = self._began = self._turned = now
        self._probe: float | None = self._first_probe
        self._since: float | None = None
        self._taken = 0
        self._hungry = True

    @property
    def per_second(self) -> float:
        """How many attempts may begin in a second."""
        return 1 / (self._probe or self.seconds)

    def wait_seconds(self, now: float) -> float:
        """How long until an attempt may begin; 0: now."""
        self._at = now
        if self._probe is not None:
            return max(0.0, max(self._turned, self._began) + self._probe - now)
        return max(0.0, self._began + self.seconds - now)

    def begin(self) -> None:
        """Begin the attempt that `wait_seconds` has just allowed. Where there was too little to do, nothing is learnt of the pace."""
        self._hungry = self._at - self._began < LULL_SECONDS + 2 * self.seconds
        if not self._hungry and self._probe is None:
            self._since = None
        self._began = self._at

    def refused(self, now: float, took: float, asked: float) -> None:
        """Take a refusal; `asked`: after how many seconds the receiver wants the next attempt (0: it did not say)."""
        self._asked = max(self._asked, asked)
        if self._probe is None:
            self._probe = max(self.seconds, self._first_probe)
        elif now - took >= self._turned:  # begun since we know
            self._probe = min(2 * self._probe, LONGEST_PROBE_SECONDS)
        else:
            return
        self._turned = now

    def taken(self, now: float, took: float) -> None:
        """Take a success."""
        if self._probe is not None and now - took >= self._turned:
            self._end_cycle(now, self._probe)
        self._taken += 1
        if self._hungry and self._probe is None:
            self._grow()

    def is_over(self, now: float) -> bool:
        """Say whether it can be forgotten."""
        if now - self._began > QUIET_SECONDS + 2 * (self._probe or self.seconds):
            return True
        if self._probe is not None or self._since is None or self.seconds > SHORTEST_SECONDS:
            return False
        return self._taken >= FREE_DELIVERIES or now - self._since > QUIET_SECONDS

    def _end_cycle(self, now: float, probe: float) -> None:
        if self._since is not None and self._taken:
            mean = (now - self._since) / self._taken / HEADROOM
            bound = self._slowest * max(SLOWER_MOST, self._taken)
            if self._asked:
                bound = min(bound, SLOWER_MOST * self._asked)
            self.seconds = max(self.seconds, min(mean, bound, LONGEST_SECONDS))
            found = self._growth <= GROWTH_LEAST and SIMILAR > self.seconds / self._slowest > 1 / SIMILAR
            self._doubling = min(2 * self._doubling, DOUBLING_MOST_SECONDS) if found else DOUBLING_SECONDS
            self._growth = max(self._growth / 3, GROWTH_LEAST)
        self._slowest, self._first_probe = self.seconds, max(FIRST_PROBE_SECONDS, probe / 2)
        self._probe, self._since, self._taken = None, now, 0

    def _grow(self) -> None:
        grown = 1 + self._growth if self._growth > GROWTH_LEAST else 2 ** (self.seconds / self._doubling)
        self.seconds = max(SHORTEST_SECONDS, self.seconds / grown)
