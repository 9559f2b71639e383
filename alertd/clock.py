"""The world's time, injected: nobody else reads a clock.

Units: `now_ms` is milliseconds since 1970 (wall time, never stepping back), `monotonic` is seconds for measuring spans.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol

DAY_MS: Final = 86_400_000
"""Milliseconds of a day."""


class Clock(Protocol):
    """What the daemon asks about time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, never less than the last answer."""

    def wall_seconds(self) -> int:
        """Seconds since 1970 as the machine says them now (for signatures that others check against theirs)."""

    def monotonic(self) -> float:
        """Seconds on a clock that only measures spans."""


class SystemClock:
    """The machine's clock, guarded against steps back: then it goes on at the pace of the monotonic clock."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._last_monotonic = time.monotonic()

    def now_ms(self) -> int:
        """Milliseconds since 1970, never less than the last answer."""
        wall = time.time_ns() // 1_000_000
        mono = time.monotonic()
        if wall < self._last_ms:
            gone = max(0, int((mono - self._last_monotonic) * 1000))
            self._last_ms += gone
            self._last_monotonic += gone / 1000  # what is less than a millisecond counts the next time
            return self._last_ms
        self._last_ms = wall
        self._last_monotonic = mono
        return wall

    def wall_seconds(self) -> int:
        """Seconds since 1970 as the machine says them now."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds on a clock that only measures spans."""
        return time.monotonic()


def utc(ms: int) -> datetime:
    """Turn milliseconds since 1970 into an aware UTC time."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


def rfc3339(ms: int) -> str:
    """Write milliseconds since 1970 as RFC 3339 in UTC with milliseconds and `Z`."""
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def rfc3339_or_none(ms: int | None) -> str | None:
    """Write a time that there may not be."""
    return None if ms is None else rfc3339(ms)


@lru_cache(256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()[:19]
