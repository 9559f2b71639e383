"""An alarm: the one timer that a lane may have."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

TIMER_MIN_SECONDS: Final = 0.001
TIMER_MAX_SECONDS: Final = 60.0
"""A timer is never shorter (no spinning) nor longer (the wall clock may step forward meanwhile)."""


class Alarm:
    """Calls `ring` once, at the earliest time it was set to."""

    __slots__ = ("_ring", "_timer")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Ring after a while, or sooner if that is planned already; infinite: somebody else will."""
        if seconds == inf:
            return
        loop = asyncio.get_running_loop()
        seconds = min(max(seconds, TIMER_MIN_SECONDS), TIMER_MAX_SECONDS)
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._now)

    def clear(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now(self) -> None:
        self._timer = None
        self._ring()
