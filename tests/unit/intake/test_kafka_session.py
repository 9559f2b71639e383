"""What a session asks of aiokafka, where aiokafka has its traps: one assignor, bounded calls, polls that are not cut."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from alertd.clock import SystemClock
from alertd.intake.kafka import session as module
from alertd.intake.kafka.bounded import bounded
from alertd.intake.kafka.options import KafkaOptions, Topic
from alertd.intake.kafka.session import Session
from alertd.metrics import Metrics
from alertd.model.event import Bounds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE = 60
PLACE = TopicPartition("t", 0)


class Pipeline:
    """As much of a pipeline as an idle session asks for; one record of the partition is stored."""

    queued_events = 0
    positions = {("t", 0): 1}  # noqa: RUF012 - never changed

    def has_room(self, events: int = 1, size: int = 1) -> bool:
        """Always."""
        return True


class Consumer:
    """A consumer that remembers how it was made and how each poll ended, and whose commit never ends."""

    made: list[Consumer]

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        self.polls: list[str] = []
        self.committing = asyncio.Event()
        self.enough = asyncio.Event()
        self.made.append(self)

    def subscribe(self, topics: list[str], listener: Any) -> None:
        """Take note of nothing."""

    async def start(self) -> None:
        """Be there at once."""

    def assignment(self) -> set[TopicPartition]:
        """One partition."""
        return {PLACE}

    def paused(self) -> set[TopicPartition]:
        """None."""
        return set()

    def last_poll_timestamp(self, place: TopicPartition) -> int:
        """Never the same: the brokers answer."""
        return len(self.polls)

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        """Take some turns of the loop, and remember if somebody does not wait for it."""
        try:
            for _ in range(10):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.polls.append("cut")
            raise
        self.polls.append("whole")
        if len(self.polls) > 20:
            self.enough.set()
        return {}

    async def commit(self, offsets: Any) -> None:
        """Hang, as aiokafka's does while the coordinator is unknown."""
        self.committing.set()
        await asyncio.Event().wait()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session over such a consumer."""
    monkeypatch.setattr(Consumer, "made", [], raising=False)
    monkeypatch.setattr(module, "AIOKafkaConsumer", Consumer)
    return made()


def made(give_way: Callable[[], Awaitable[None]] | None = None, metrics: Metrics | None = None) -> Session:
    """A session that is not started yet."""
    options: Any = KafkaOptions(("127.0.0.1:1",), {"t": Topic()})
    parts: Any = (Pipeline(), None, None)
    return Session(options, *parts, SystemClock(), metrics or Metrics(), Bounds(), give_way)


async def test_one_assignor_and_never_a_shared_one(started: Session) -> None:
    """Each one more costs a round of joining, and aiokafka's remembers its assignment in the class."""
    await started.start()
    await started.start()
    strategies = [consumer.arguments["partition_assignment_strategy"] for consumer in Consumer.made]
    assert [len(strategy) for strategy in strategies] == [1, 1]
    (first,), (second,) = strategies
    assert issubclass(first, StickyPartitionAssignor)
    assert first is not second


async def test_polls_go_on_whole_while_a_commit_hangs(started: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut poll would switch aiokafka's own protection off; a commit that hangs holds up nothing but itself."""
    monkeypatch.setattr(module, "COMMIT_SECONDS", 0.001)
    await started.start()
    [consumer] = Consumer.made
    monkeypatch.setattr(started._watch, "_look_for_stalls", lambda active, now: None)
    started._positions.settled = True
    started._positions._committed = {PLACE: 0}
    running = asyncio.create_task(started.run())
    async with asyncio.timeout(DEADLINE):
        await consumer.committing.wait()
        consumer.polls.clear()
        await consumer.enough.wait()
        started.stop()
        await running
    assert set(consumer.polls) == {"whole"}


async def test_deliveries_go_before_each_poll(started: Session) -> None:
    """And how long that took is counted."""
    metrics = Metrics()

    async def give_way() -> None:
        consumer.polls.append("way")
        await asyncio.sleep(0)

    session = made(give_way, metrics)
    await session.start()
    [consumer] = Consumer.made
    session._positions.settled = True
    running = asyncio.create_task(session.run())
    async with asyncio.timeout(DEADLINE):
        await consumer.enough.wait()
        session.stop()
        await running
    assert consumer.polls == ["way", "whole"] * (len(consumer.polls) // 2)
    assert metrics.registry.get_sample_value("alertd_kafka_gave_way_seconds_total")


async def test_a_call_that_hangs_is_given_up() -> None:
    """And one that is cancelled from within, or fails, is told apart from one that ended well."""

    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def failed() -> None:
        raise KeyError("v")

    async with asyncio.timeout(DEADLINE):
        assert not await bounded(asyncio.Event().wait(), 0.01, "hang")
        assert not await bounded(cancelled(), DEADLINE, "cancelled")
        assert not await bounded(failed(), DEADLINE, "failed")
        assert await bounded(asyncio.sleep(0), DEADLINE, "well")
