"""How many events a second the HTTP intake takes: a token bucket that lends, so that one large body still passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alertd.clock import Clock


class RateLimit:
    """Fills at `rate_per_second` up to one second's worth. A body passes while anything is left, and may overdraw."""

    def __init__(self, rate_per_second: float, clock: Clock) -> None:
        self._rate = rate_per_second
        self._clock = clock
        self._left = max(1.0, rate_per_second)
        self._at = clock.monotonic()

    def take(self, count: int) -> float:
        """Take `count` and return 0, or take nothing and return the seconds after which to come again."""
        now = self._clock.monotonic()
        self._left = min(max(1.0, self._rate), self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= count
        return 0.0
