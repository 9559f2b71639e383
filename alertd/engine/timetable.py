"""A timetable: which key is due when."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alertd.engine.state import RuleKey

_SLACK: Final = 1024


class Timetable:
    """At most one living entry for each key; dead ones are swept out when they outnumber the living."""

    def __init__(self) -> None:
        self._at: dict[RuleKey, int] = {}
        self._heap: list[tuple[int, RuleKey]] = []

    def __len__(self) -> int:
        """How many keys are due some time."""
        return len(self._at)

    def clear(self) -> None:
        """Forget all of it."""
        self._at.clear()
        self._heap.clear()

    def put(self, key: RuleKey, at_ms: int | None) -> None:
        """Write when a key is due (None: never)."""
        if at_ms is None:
            self._at.pop(key, None)
        elif at_ms != self._at.get(key):
            self._at[key] = at_ms
            heappush(self._heap, (at_ms, key))
            if len(self._heap) > 2 * len(self._at) + _SLACK:
                self._heap = [(at, key) for key, at in self._at.items()]
                heapify(self._heap)

    def next(self) -> int | None:
        """When the first one is due."""
        heap = self._heap
        while heap and self._at.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now_ms: int, most: int) -> list[RuleKey]:
        """Give up to `most` keys that are due, first ones first; they stay due until they are put anew."""
        found: dict[RuleKey, int] = {}  # a key that was taken out and put again may stand in the heap twice
        while len(found) < most and (at := self.next()) is not None and at <= now_ms:
            found[heappop(self._heap)[1]] = at
        for key, at in found.items():
            heappush(self._heap, (at, key))
        return list(found)
