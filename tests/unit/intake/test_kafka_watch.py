"""What is noticed of a consumer that lives, is answered, and brings nothing though there is something."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from alertd.intake.kafka.watch import StalledError, Watch
from alertd.metrics import Metrics

HERE, THERE = TopicPartition("topic", 0), TopicPartition("topic", 1)
STALL_SECONDS = 60.0


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Now, in seconds."""
        return self.now


class Consumer:
    """A consumer whose fetches are always answered; how far it came, and where its partitions end, is told by the test."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.positions = {HERE: 5, THERE: 5}
        self.ends = {HERE: 5, THERE: 5}
        self.held: set[TopicPartition] = set()
        told = SimpleNamespace(
            state_value=lambda place: SimpleNamespace(position=self.positions[place], has_valid_position=True)
        )
        self._subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=told))

    def assignment(self) -> set[TopicPartition]:
        """Both."""
        return {HERE, THERE}

    def paused(self) -> set[TopicPartition]:
        """Those that the test holds."""
        return self.held

    def last_poll_timestamp(self, place: TopicPartition) -> int:
        """A fetch was answered just now."""
        return round(self.clock.now * 1000)

    def last_stable_offset(self, place: TopicPartition) -> int:
        """None is known."""
        return -1

    def highwater(self, place: TopicPartition) -> int:
        """Where a partition ends."""
        return self.ends[place]


def watched() -> tuple[Watch, Consumer, Clock]:
    """Watch a consumer."""
    clock: Any = Clock()
    consumer, positions = Consumer(clock), SimpleNamespace(settled=True)
    watch = Watch(positions, clock, Metrics(), STALL_SECONDS)  # type: ignore[arg-type]  # as much of them as is asked
    watch.watch(consumer)
    watch.look()
    return watch, consumer, clock


def test_a_partition_that_stands_though_there_is_more_is_a_stall() -> None:
    """Whatever others bring meanwhile; at the bound, and not before."""
    watch, consumer, clock = watched()
    consumer.ends[HERE] = 9
    watch.look()
    for _ in range(59):
        clock.now += 1
        consumer.positions[THERE] += 1
        consumer.ends[THERE] += 2
        watch.look()
    clock.now += 1
    with pytest.raises(StalledError, match="topic/0 stands at 5 of 9 for 60 s"):
        watch.look()


def test_a_partition_that_moves_has_no_end_or_is_paused_is_none() -> None:
    """Slow is not stalled, and neither is one that was read to its end, or that we hold back."""
    watch, consumer, clock = watched()
    for step in range(20):
        clock.now += 40
        consumer.ends[HERE] += 10
        consumer.positions[HERE] += 1
        consumer.held = {THERE}
        consumer.ends[THERE] += step
        watch.look()
