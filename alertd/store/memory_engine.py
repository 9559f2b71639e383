"""What the engine remembers between events, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.engine.metric import LATE_MS
from alertd.store.memory_issues import MemoryIssues

if TYPE_CHECKING:
    from alertd.engine.state import CooldownKey, Count, RuleKey, Series
    from alertd.store.base import Batch


class MemoryEngine(MemoryIssues):
    """What the pipeline takes up at the start, and what housekeeping forgets."""

    def __init__(self) -> None:
        super().__init__()
        self._cooldowns: dict[CooldownKey, int] = {}
        self._counts: dict[RuleKey, Count] = {}
        self._series: dict[RuleKey, Series] = {}

    def _change_state(self, batch: Batch) -> None:
        self._cooldowns.update(batch.cooldowns)
        self._counts.update(batch.counts)
        for key, series in batch.series.items():
            if series is None:
                self._series.pop(key, None)
            else:
                self._series[key] = series

    async def cooldowns(self, now_ms: int) -> dict[CooldownKey, int]:
        """All cooldowns that still rest."""
        return {key: until for key, until in self._cooldowns.items() if until > now_ms}

    async def counts(self, now_ms: int) -> dict[RuleKey, Count]:
        """All counts that go on."""
        return {key: count for key, count in self._counts.items() if count.until_ms > now_ms}

    async def series(self) -> dict[RuleKey, Series]:
        """All series."""
        return dict(self._series)

    async def forget(self, now_ms: int) -> int:
        """Delete what is over; return how much went."""
        self._write()
        before = len(self._cooldowns) + len(self._counts) + len(self._series)
        self._cooldowns = {key: until for key, until in self._cooldowns.items() if until > now_ms}
        self._counts = {key: count for key, count in self._counts.items() if count.until_ms > now_ms}
        kept = now_ms - LATE_MS
        self._series = {k: s for k, s in self._series.items() if s.since_ms is not None or s.seen_ms > kept}
        return before - len(self._cooldowns) - len(self._counts) - len(self._series)
