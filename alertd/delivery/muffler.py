"""A muffler: keeps one lane's repeated identical failures from flooding the log. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

QUIET_SECONDS: Final = 30.0
"""The same failure is logged again after so long, with how often it happened since."""


class Muffler:
    """Says which failures to log. `muffled` counts those kept back since the last one that was not."""

    __slots__ = ("_key", "_since", "muffled")

    def __init__(self) -> None:
        self.muffled = 0
        self._key: Hashable = None
        self._since = 0.0

    def lets_through(self, key: Hashable, now: float) -> bool:
        """Whether to log this failure: it differs from the last logged one, or that was long ago (monotonic seconds).

        Whoever logs it reads `muffled` and then calls `clear`.
        """
        if key == self._key and now - self._since < QUIET_SECONDS:
            self.muffled += 1
            return False
        self._key = key
        self._since = now
        return True

    def clear(self) -> int:
        """Return how many were kept back, and count from nothing again."""
        count, self.muffled = self.muffled, 0
        return count

    def reset(self) -> int:
        """Forget the last failure too (the destination recovered); return how many were kept back."""
        self._key = None
        return self.clear()
