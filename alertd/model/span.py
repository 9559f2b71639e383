"""A span: where two sequences differ, so that what is derived item by item is derived anew for that part alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTS: Final = (256, 64, 16, 4, 1)
"""How many items are compared at once: as many as are equal, then fewer. The same object costs some nanoseconds."""


class Span(NamedTuple):
    """The items of the one sequence from `start` to `old_stop` gave way to those of the other from `start` to `new_stop`."""

    start: int
    old_stop: int
    new_stop: int

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return self.start == self.old_stop == self.new_stop


def span_of(old: Sequence[Any], new: Sequence[Any]) -> Span:
    """Find the part outside of which both are equal; both must be tuples, or both lists."""
    most = min(len(old), len(new))
    start = 0
    for count in COUNTS:
        while start < most and old[start : start + count] == new[start : start + count]:
            start += count
    start = min(start, most)
    most -= start
    same, ends = 0, (len(old), len(new))
    for count in COUNTS:
        while same < most and _before(old, ends[0] - same, count) == _before(new, ends[1] - same, count):
            same += count
    same = min(same, most)
    return Span(start, ends[0] - same, ends[1] - same)


def _before(items: Sequence[Any], stop: int, count: int) -> Sequence[Any]:
    return items[max(0, stop - count) : stop]
