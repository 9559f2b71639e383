"""A muffler: keeps repeated failures of the same kinds from flooding the log. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

QUIET_SECONDS: Final = 30.0
"""The same failure is logged again after so long, with how often it happened since."""

KEYS_MAX: Final = 1024
"""So many different failures are remembered (there are 500 statuses); the one logged longest ago is forgotten first."""


class Muffler:
    """Says which failures to log. `muffled` counts those kept back since the last one that was not."""

    __slots__ = ("_logged", "muffled")

    def __init__(self) -> None:
        self.muffled = 0
        self._logged: dict[Hashable, float] = {}

    def lets_through(self, key: Hashable, now: float) -> bool:
        """Whether to log this failure: its like was not logged yet, or long ago (monotonic seconds).

        Whoever logs it reads `muffled` and then calls `clear`.
        """
        since = self._logged.pop(key, None)
        if since is not None and now - since < QUIET_SECONDS:
            self._logged[key] = since
            self.muffled += 1
            return False
        if len(self._logged) >= KEYS_MAX:
            del self._logged[min(self._logged, key=self._logged.__getitem__)]
        self._logged[key] = now
        return True

    def clear(self) -> int:
        """Return how many were kept back, and count from nothing again."""
        count, self.muffled = self.muffled, 0
        return count

    def reset(self) -> int:
        """Forget the failures too (the destination recovered); return how many were kept back."""
        self._logged.clear()
        return self.clear()
