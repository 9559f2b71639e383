"""A ladder: only certain occurrences count, such as the 2nd, the 5th and the 12th, until a quiet period begins it anew.

Every occurrence prolongs the count by `reset_ms`: when that long nothing has occurred, the next one is the first again.
An occurrence counts when it arrives; what it says of its own time does not matter.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.state import Count

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs in ascending order, and the quiet period in milliseconds."""

    rungs: tuple[int, ...]
    reset_ms: int

    def step(self, known: Count | None, now_ms: int) -> Count:
        """Count one more occurrence."""
        count = known.times + 1 if known is not None and now_ms < known.until_ms else 1
        return Count(count, now_ms + self.reset_ms)

    def has(self, count: int) -> bool:
        """Whether a count is a rung."""
        return count in self.rungs

    def position(self, count: int) -> tuple[int, int]:
        """Say where a count stands: itself, and the next rung above it (0: none)."""
        above = bisect_right(self.rungs, count)
        return (count, self.rungs[above] if above < len(self.rungs) else 0)


def ladder_of(rungs: Sequence[int], reset_after_seconds: float) -> Ladder | None:
    """Make a ladder; None without rungs."""
    return Ladder(tuple(rungs), round(reset_after_seconds * 1000)) if rungs else None
