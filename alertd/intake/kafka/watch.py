"""What is measured about one consumer: its lag, whether the brokers answer, and whether records come when there are some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.errors import AlertdError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import TopicPartition

    from alertd.clock import Clock
    from alertd.intake.kafka.positions import Positions
    from alertd.metrics import Metrics

QUIET_SECONDS: Final = 3.0
"""Fetches are answered twice a second even when there is nothing: after so long without an answer the brokers are away."""
LAG_SECONDS: Final = 1.5
"""How often the lag is measured: while all is paused this asks the brokers, who would else be taken for silent."""

_log = structlog.get_logger("alertd.kafka")


class StalledError(AlertdError):
    """The consumer lives, but nothing comes from it any longer."""


@dataclass(slots=True)
class _Place:
    """How far a partition was fetched, and since when it stands there though there is more."""

    position: int = -1
    behind_since: float | None = None


class Watch:
    """Looks at a consumer from outside. `look` is for every second or so, `measure` for every few."""

    def __init__(self, positions: Positions, clock: Clock, metrics: Metrics, stall_seconds: float) -> None:
        self._positions = positions
        self._clock = clock
        self._metrics = metrics
        self._stall_seconds = stall_seconds
        self._consumer: Any = None
        self._answered_at = clock.monotonic()
        self._answers: dict[TopicPartition, int | None] = {}
        self._places: dict[TopicPartition, _Place] = {}
        self._shown: set[TopicPartition] = set()
        self._in_touch = True

    def watch(self, consumer: Any) -> None:
        """Take the consumer, which has just been started."""
        self._consumer = consumer
        self.answered()

    def answered(self) -> None:
        """Take note that the brokers answered just now."""
        self._answered_at = self._clock.monotonic()

    # -- contact and stalls ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Notice silence. Raises StalledError when it has lasted too long."""
        now = self._clock.monotonic()
        active = self._consumer.assignment() - self._consumer.paused() if self._positions.settled else set()
        answers = {place: self._consumer.last_poll_timestamp(place) for place in active}
        if not self._consumer.assignment() or any(at != self._answers.get(p) for p, at in answers.items()):
            self._answered_at = now
        self._answers = answers
        self._tell(now - self._answered_at)
        self._look_for_stalls(active, now)

    def _tell(self, silent: float) -> None:
        in_touch = silent < QUIET_SECONDS
        if in_touch != self._in_touch:
            self._in_touch = in_touch
            self._metrics.kafka_connected.set(int(in_touch))
            if in_touch:
                _log.info("kafka.in_touch")
            else:
                _log.warning("kafka.out_of_touch", silent_seconds=round(silent, 1))
                self.forget()  # how much there is to read is not known
        if silent >= self._stall_seconds:
            raise StalledError(f"no answer from the brokers for {silent:.0f} s")

    def _look_for_stalls(self, active: Iterable[TopicPartition], now: float) -> None:
        known, self._places = self._places, {}
        for place in active:
            own = self._places[place] = known.get(place) or _Place()
            position, end = self._fetched(place), self._end(place)
            moved, own.position = position != own.position, position
            if moved or end is None or position >= end:
                own.behind_since = None
            elif own.behind_since is None:
                own.behind_since = now
            elif now - own.behind_since >= self._stall_seconds:
                name = f"{place.topic}/{place.partition}"
                raise StalledError(f"{name} stands at {position} of {end} for {now - own.behind_since:.0f} s")

    def _fetched(self, place: TopicPartition) -> int:
        """How far the consumer itself has come, transaction markers and the like included."""
        state = self._consumer._subscription.subscription.assignment.state_value(place)  # noqa: SLF001 - position() waits
        return state.position if state.has_valid_position else -1

    def _end(self, place: TopicPartition) -> int | None:
        """The end of what may be read, as the last fetch told it."""
        stable: int | None = self._consumer.last_stable_offset(place)
        high: int | None = self._consumer.highwater(place)
        return high if stable is None or stable < 0 else stable

    # -- lag ------------------------------------------------------------------------------------------------------

    async def measure(self, *, idle: bool) -> None:
        """Publish the lag; `idle` says that nothing fetched is under way, so that what was fetched is what is done."""
        if not self._positions.settled:
            return
        ends = await self._ends()  # whose answer is the only sign of life while all partitions are paused
        if not self._in_touch:
            return
        assigned = self._consumer.assignment()
        self._forget(self._shown - assigned)
        for place, end in ends.items():
            stored = self._positions.stored(place)
            if stored is not None and place in assigned:
                done = max(stored, self._fetched(place)) if idle else stored
                self._metrics.kafka_lag.labels(place.topic, str(place.partition)).set(max(0, end - done))
                self._shown.add(place)

    async def _ends(self) -> dict[TopicPartition, int]:
        """High watermarks; they stand still while a partition is paused, so then the broker is asked."""
        assigned, paused = self._consumer.assignment(), self._consumer.paused()
        ends = {place: end for place in assigned - paused if (end := self._end(place)) is not None}
        if paused:
            ends |= await self._consumer.end_offsets(list(paused))
            self.answered()
        return ends

    def forget(self) -> None:
        """Show no lag any longer."""
        self._forget(set(self._shown))

    def _forget(self, gone: set[TopicPartition]) -> None:
        for place in gone:
            self._metrics.kafka_lag.remove(place.topic, str(place.partition))
        self._shown -= gone
