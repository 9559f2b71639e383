"""The pace that a receiver's refusals teach, where nobody knows its limit or several share one. Pure.

A refusal (429) stops the lane, and single attempts, each after twice as long as the one before, find out when something is
taken again, which is the pace to begin with. From one such moment to the next is a cycle: what it brought in how long is the
pace from then on. The pace grows with each success, by steps that become smaller with each cycle, until it is found, and by
and by after that, because limits change. Forgotten is what holds nobody back, what a lane has learnt that fell quiet, and
refusals that come by chance. Those that are as many at a slower pace, for others use the limit up or it is none, make it
no slower for a while: it takes the pace again that was as good, and grows.

Times are seconds of a monotonic clock; an attempt that `took` so long ended at `now`.
"""

from __future__ import annotations

from typing import Final

FIRST_PROBE_SECONDS: Final = 0.25
"""How long after the first refusal the next attempt may begin,"""
LONGEST_PROBE_SECONDS: Final = 60.0
"""and how long at most after the last one, unless the pace is slower, or the receiver asked for more."""
SHORTEST_SECONDS: Final = 0.0005
"""Least between two attempts; a pace that stays there is none"""
FREE_DELIVERIES: Final = 500
"""after so many deliveries, or after `QUIET_SECONDS`."""
LONGEST_SECONDS: Final = 600.0
"""Most between two attempts while something is taken;"""
SLOWER_MOST: Final = 8.0
"""and so many times what the receiver asked for (a second, if it did not say). So many times slower, too, a cycle makes the lane at
most that brought less than so much: most of it may have been an outage."""
HEADROOM: Final = 0.9
"""Which part of what a cycle brought is asked for in the next."""
GROWTH: Final = 0.3
"""By which part the pace grows at each success at first; a third of that after each cycle,"""
GROWTH_LEAST: Final = 0.05
"""until there is so little left: from then on it doubles in"""
DOUBLING_SECONDS: Final = 120.0
"""so many seconds, in twice as many after each cycle that confirms it, in no more than"""
DOUBLING_MOST_SECONDS: Final = 1800.0
"""and, once it is so many times what was confirmed, for there is another limit or none, in"""
FREED: Final = 1.6
FREE_DOUBLING_SECONDS: Final = 30.0
"""so many."""
SIMILAR: Final = 1.25
"""A cycle that brings a pace within this factor of the last one's confirms it; after any other, it may double as soon as at first."""
LULL_SECONDS: Final = 1.0
"""So long beyond its pace without an attempt: the lane had nothing to send."""
QUIET_SECONDS: Final = 60.0
"""So long beyond its pace without an attempt: most limits have begun anew."""
CALM_SECONDS: Final = 600.0
"""So long without a refusal, a lane that has little to send forgets its pace as well."""
SEVERAL: Final = 4
"""A refusal behind at least so many deliveries, after which the first probe is taken, at a pace"""
SWIFT_SECONDS: Final = 1.0
"""of which the attempts are closer together than this, may be chance:"""
ISOLATED_MOST: Final = 8
"""after so many in a row it begins anew."""
COMPARED: Final = 30
"""Of how many attempts the share that is refused is looked at."""
FEW: Final = 0.05
"""So small a share is well, and so is one that has become as small as"""
LESS: Final = 0.75
"""this part of the last one; when it has not, though the lane is so many times"""
SLOWER: Final = 1.5
"""slower, or as slow as it gets, and that so many times:"""
VAIN_MOST: Final = 2
"""then to be slower is of no use, and no refusal makes it so for"""
HEEDLESS_SECONDS: Final = 1800.0
"""so long, in which it doubles as if there were no limit; then it begins anew."""


class Throttle:
    """How far apart attempts begin, in `seconds`. It is made when refusals are taken for a limit, and then told of the last one."""

    __slots__ = (
        "_asked",
        "_at",
        "_began",
        "_compared",
        "_doubling",
        "_ended",
        "_first_probe",
        "_growth",
        "_heedless_since",
        "_hungry",
        "_in_vain",
        "_isolated",
        "_passed",
        "_probe",
        "_quick",
        "_refusals",
        "_since",
        "_slowest",
        "_taken",
        "_turned",
        "_wanted_at",
        "seconds",
    )

    def __init__(self, now: float) -> None:
        self.seconds = self._slowest = self._quick = self._first_probe = FIRST_PROBE_SECONDS
        self._growth = GROWTH
        self._doubling = DOUBLING_SECONDS
        self._asked = 0.0
        self._at = self._began = self._ended = self._turned = self._wanted_at = now
        self._probe: float | None = self._first_probe
        self._since: float | None = None
        self._heedless_since: float | None = None
        self._hungry = True
        self._compared: tuple[float, float] | None = None
        self._taken = self._passed = self._refusals = self._isolated = self._in_vain = 0

    @property
    def per_second(self) -> float:
        """How many attempts may begin in a second."""
        return 1 / (self._probe or self.seconds)

    @property
    def is_heedless(self) -> bool:
        """Whether refusals, which a slower pace made no fewer, say nothing of the pace for a while."""
        return self._heedless_since is not None

    def wait_seconds(self, now: float) -> float:
        """How long until an attempt may begin; 0: now."""
        self._at = now
        if self._probe is not None:
            return max(0.0, max(self._turned, self._began) + self._probe - now)
        return max(0.0, self._began + self.seconds - now)

    def begin(self, apart: float = 0.0) -> None:
        """Begin the attempt that `wait_seconds` has just allowed; something else keeps attempts so many seconds `apart`.

        Where there was too little to send, nothing is learnt of the pace.
        """
        self._hungry = self._at - max(self._began, self._ended) < LULL_SECONDS + 2 * max(self.seconds, apart)
        if not self._hungry and self._probe is None:
            self._since = None
        self._began = self._at

    def refused(self, now: float, took: float, asked: float) -> None:
        """Take a refusal; `asked`: after how many seconds the receiver wants the next attempt (0: it did not say)."""
        self._ended = now
        self._refusals += 1
        self._asked = max(self._asked, asked)
        self._wanted_at = now + asked
        if self._heedless_since is not None or now - took < self._turned:  # or it began before we knew
            return
        if self._probe is None:
            self._probe = max(self.seconds, self._first_probe)
        else:
            self._probe = min(2 * self._probe, max(self.seconds, LONGEST_PROBE_SECONDS))
            self._isolated = 0
        self._turned = now

    def taken(self, now: float, took: float) -> None:
        """Take a success."""
        self._ended = now
        self._passed += 1
        if self._probe is not None and now - took >= self._turned:
            self._end_cycle(now, self._probe)
        self._taken += 1
        if self._hungry and self._probe is None:
            self._grow()

    def is_over(self, now: float) -> bool:
        """Say whether it can be forgotten."""
        if self._isolated >= ISOLATED_MOST:
            return True
        if now - max(self._began, self._wanted_at) > QUIET_SECONDS + 2 * (self._probe or self.seconds):
            return True
        if self._heedless_since is not None:
            return now - self._heedless_since > HEEDLESS_SECONDS
        if self._probe is not None:
            return False
        if self._since is None:
            return now - self._turned > CALM_SECONDS
        long = self._taken >= FREE_DELIVERIES or now - self._since > QUIET_SECONDS
        return long and self.seconds <= SHORTEST_SECONDS

    def _end_cycle(self, now: float, probe: float) -> None:
        self._compare()
        if self._taken >= SEVERAL and self.seconds < SWIFT_SECONDS:
            self._isolated += 1
        if self._since is not None:
            mean = (now - self._since) / self._taken / HEADROOM
            most = self._slowest * max(SLOWER_MOST, self._taken)
            self.seconds = max(self.seconds, min(mean, most, self._longest))
            found = self._growth <= GROWTH_LEAST and SIMILAR > self.seconds / self._slowest > 1 / SIMILAR
            self._doubling = min(2 * self._doubling, DOUBLING_MOST_SECONDS) if found else DOUBLING_SECONDS
            self._growth = max(self._growth / 3, GROWTH_LEAST)
        else:
            self.seconds = max(self.seconds, min(probe, SWIFT_SECONDS))
        if self._in_vain >= VAIN_MOST:
            self._heedless_since, self.seconds = now, self._quick
            self._growth, self._doubling = GROWTH_LEAST, FREE_DOUBLING_SECONDS
        self._slowest, self._first_probe = self.seconds, max(FIRST_PROBE_SECONDS, probe / 2)
        self._probe, self._since, self._taken = None, now, 0

    def _grow(self) -> None:
        if self._doubling > DOUBLING_SECONDS and self.seconds < self._slowest / FREED:
            self._doubling = FREE_DOUBLING_SECONDS
        grown = 1 + self._growth if self._growth > GROWTH_LEAST else 2 ** (self.seconds / self._doubling)
        self.seconds = max(SHORTEST_SECONDS, self.seconds / grown)

    def _compare(self) -> None:
        """Look whether a smaller share is refused since the pace is slower."""
        count = self._passed + self._refusals
        if count < COMPARED:
            return
        share, before = self._refusals / count, self._compared
        if before is None or share <= max(FEW, before[0] * LESS):
            self._compared, self._in_vain, self._quick = (share, self.seconds), 0, self.seconds
        elif self.seconds > min(before[1] * SLOWER, HEADROOM * self._longest):
            self._compared, self._in_vain = (max(share, before[0]), self.seconds), self._in_vain + 1
        self._passed = self._refusals = 0

    @property
    def _longest(self) -> float:
        return min(SLOWER_MOST * (self._asked or 1.0), LONGEST_SECONDS)
