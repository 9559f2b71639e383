"""What happened, in memory: a log of outcomes beside the events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.model.ids import first_of
from alertd.store.following import Happened, Position
from alertd.store.memory_recall import MemoryRecall
from alertd.store.memory_rows import attempt_view

if TYPE_CHECKING:
    from alertd.clock import Clock
    from alertd.model.delivery import DeliveryState


class MemoryFollowing(MemoryRecall):
    """What the live stream needs."""

    _clock: Clock
    _writes: int

    def __init__(self, salt: int) -> None:
        super().__init__(salt)
        self._log: list[tuple[int, int, int, DeliveryState]] = []
        self._last_write = self._last_logged = 0
        self._log_from = 1

    async def head(self) -> Position:
        """Where everything has happened."""
        return Position(max(self._events, default=0), self._log_from + len(self._log) - 1)

    async def position_at(self, ms: int) -> Position:
        """Where nothing from a time on has happened."""
        count = next((index for index, entry in enumerate(self._log) if entry[0] >= ms), len(self._log))
        return Position(max(0, first_of(ms) - 1), self._log_from + count - 1)

    async def oldest_outcome(self) -> int:
        """The place of the oldest outcome that is kept."""
        return self._log_from

    async def happened(self, after: Position, limit: int) -> Happened:
        """What happened behind a position."""
        numbers = sorted(number for number in self._events if number > after.event)
        rows = [self._events[number].view() for number in numbers[:limit]]
        events = [row if row["verdicts"] != b"[]" else {**row, "payload": b""} for row in rows]
        reached = numbers[:limit][-1] if numbers else after.event
        outcomes: list[dict[str, Any]] = []
        place = max(after.outcome, self._log_from - 1)
        fresh = self._log[place - self._log_from + 1 :]
        for _, delivery_id, number, state in fresh[:limit]:
            kept = self._deliveries.get(delivery_id)
            if kept is not None and kept.delivery.event_number > reached:
                break
            place += 1
            if kept is not None:
                outcomes.append({**self._outcome(delivery_id, number, state), "place": place})
        more = len(numbers) > limit or place < self._log_from + len(self._log) - 1
        return Happened(events, outcomes, Position(reached, place), more)

    def _outcome(self, delivery_id: int, number: int, state: DeliveryState) -> dict[str, Any]:
        kept = self._deliveries[delivery_id]
        row = {**self._viewer(kept)(), "payload": kept.delivery.payload}
        own: dict[str, Any] = {"number": number, "state": state}
        if not number:
            return {**row, **own, "outcome": None, "status": None, "next_at_ms": None}
        attempt = next(attempt for attempt in kept.attempts if attempt.number == number)
        last = kept.attempts[-1] is attempt and kept.ended is None
        return {**row, **attempt_view(attempt), **own, "next_at_ms": row["next_at_ms"] if last else None}

    def _logged(self, delivery_id: int, number: int, state: DeliveryState) -> None:
        """Take an outcome: the attempt with this number, or 0 for an end without one."""
        if self._last_write != self._writes:
            self._last_write, self._last_logged = self._writes, 0
        self._last_logged += 1
        self._log.append((self._clock.now_ms(), delivery_id, number, state))

    def _forget_log(self, before_ms: int) -> None:
        """Forget what was logged before a time, but what the last write logged."""
        while len(self._log) > self._last_logged and self._log[0][0] < before_ms:
            self._log.pop(0)
            self._log_from += 1
