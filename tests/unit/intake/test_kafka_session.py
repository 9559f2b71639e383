"""What a session asks of aiokafka, where aiokafka has its traps: one assignor, bounded calls, polls that are not cut."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from alertd.clock import SystemClock
from alertd.errors import IntakeFullError
from alertd.intake.kafka import session as module
from alertd.intake.kafka.bounded import bounded
from alertd.intake.kafka.options import KafkaOptions, Topic
from alertd.intake.kafka.session import WAY_SECONDS, WAY_SHARE, Session
from alertd.metrics import Metrics
from alertd.model.event import Bounds
from alertd.model.ids import IdSource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alertd.clock import Clock
    from alertd.submission import Submission

MOST: Final = 10
"""Records that one poll brings at most."""
DEADLINE = 60
PLACE = TopicPartition("t", 0)


class Pipeline:
    """As much of a pipeline as an idle session asks for; one record of the partition is stored."""

    queued_events = 0
    positions = {("t", 0): 1}  # noqa: RUF012 - never changed
    ruleset = SimpleNamespace(workspaces={"default": None}, refuses=False)

    def offer(self, submission: Submission) -> None:
        """Store it at once."""
        submission.done.set_result([])

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

    def pause(self, *places: TopicPartition) -> None:
        """Take note of nothing."""

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


def made(
    clock: Clock | None = None,
    give_way: Callable[[float], Awaitable[float]] | None = None,
    metrics: Metrics | None = None,
) -> Session:
    """A session that is not started yet."""
    options: Any = KafkaOptions(("127.0.0.1:1",), {"t": Topic()}, max_poll_records=MOST)
    parts: Any = (Pipeline(), None, IdSource(SystemClock()))
    return Session(options, *parts, clock or SystemClock(), metrics or Metrics(), Bounds(), give_way)


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


class Ticking(SystemClock):
    """A clock that goes on by so many seconds each time that it is asked."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.now = 0.0
        self.step = step

    def monotonic(self) -> float:
        """The seconds so far."""
        self.now += self.step
        return self.now


@pytest.mark.parametrize(
    ("step", "most"), [(0.001, WAY_SHARE * 0.001), (WAY_SECONDS / WAY_SHARE, WAY_SECONDS), (1.0, WAY_SECONDS)]
)
async def test_deliveries_go_first_after_a_poll_that_brought_much(
    started: Session, monkeypatch: pytest.MonkeyPatch, step: float, most: float
) -> None:
    """From half of what a poll may bring on, in proportion to what reading that took, up to a bound; how long is counted."""
    metrics, asked = Metrics(), []
    brought = [MOST, MOST // 2, MOST // 2 - 1, 1, MOST]

    async def getmany(self: Consumer, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        await asyncio.sleep(0)
        if not brought:
            self.enough.set()
            return {}
        return {PLACE: [record(offset) for offset in range(brought.pop(0))]}

    async def give_way(seconds: float) -> float:
        asked.append((len(brought), seconds))
        return 3.0

    monkeypatch.setattr(Consumer, "getmany", getmany)
    session = made(Ticking(step), give_way, metrics)
    await session.start()
    [consumer] = Consumer.made
    session._positions.settled = True
    running = asyncio.create_task(session.run())
    async with asyncio.timeout(DEADLINE):
        await consumer.enough.wait()
        session.stop()
        await running
    assert asked == [(left, pytest.approx(most)) for left in (4, 3, 0)]
    assert metrics.registry.get_sample_value("alertd_kafka_gave_way_seconds_total") == 9.0


async def test_all_that_a_poll_brought_counts_and_no_waiting(started: Session) -> None:
    """From several partitions together; how long the pipeline had no room was no work of reading."""
    asked: list[float] = []

    async def give_way(seconds: float) -> float:
        asked.append(seconds)
        return seconds

    clock, full = Ticking(0.001), [False, False, True]  # the first offer fails, from the end

    def offer(submission: Submission) -> None:
        clock.now += 1.0
        if full.pop():
            raise IntakeFullError
        submission.done.set_result([])

    session = made(clock, give_way)
    await session.start()
    session._positions.settled = True
    session._pipeline = cast("Any", SimpleNamespace(ruleset=Pipeline.ruleset, queued_events=0, offer=offer))
    half = [record(offset) for offset in range(MOST // 4 + 1)]
    fetched = {PLACE: half, TopicPartition("t", 1): half}
    events, seconds = await session._take(fetched)
    assert (events, seconds) == (2 * len(half), pytest.approx(0.002))
    await session._let_others_go(events, seconds)
    assert asked == [pytest.approx(WAY_SHARE * 0.002)]


async def test_what_was_read_counts_when_the_partitions_change_hands(started: Session) -> None:
    """The rest comes again; reading took its time."""
    session = made(Ticking(0.001))
    await session.start()
    session._positions.settled = True

    def offer(submission: Submission) -> None:
        session._positions.generation += 1
        raise IntakeFullError

    session._pipeline = cast("Any", SimpleNamespace(ruleset=Pipeline.ruleset, queued_events=0, offer=offer))
    assert await session._take({PLACE: [record(0)]}) == (1, pytest.approx(0.001))


async def test_what_becomes_no_event_is_no_reason_to_give_way(started: Session) -> None:
    """Neither its number nor the time that it took counts: nothing is delivered of it."""
    session = made(Ticking(0.001))
    await session.start()
    session._positions.settled = True
    records = [record(0), *(record(offset, b"{}") for offset in range(1, 4))]
    assert await session._take({PLACE: records}) == (1, pytest.approx(0.001 / 4))


async def test_several_partitions_and_nobody_to_give_way_to(started: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the sum over partitions; without `give_way` nothing happens after a full poll."""
    asked: list[float] = []

    async def give_way(seconds: float) -> float:
        asked.append(seconds)
        return 0.0

    for given in (give_way, None):
        polls = [{PLACE: [record(0)] * (MOST // 2 - 1), TopicPartition("t", 1): [record(0)]}]

        async def getmany(self: Consumer, timeout_ms: int, max_records: int, polls: Any = polls) -> dict[Any, Any]:
            await asyncio.sleep(0)
            if not polls:
                self.enough.set()
                return {}
            return polls.pop()

        monkeypatch.setattr(Consumer, "getmany", getmany)
        session = made(Ticking(0.001), given)
        await session.start()
        session._positions.settled = True
        running = asyncio.create_task(session.run())
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait(
                {running, asyncio.ensure_future(Consumer.made[-1].enough.wait())}, return_when=asyncio.FIRST_COMPLETED
            )
            session.stop()
            await running
    assert asked == [pytest.approx(WAY_SHARE * 0.002)]


def record(offset: int, value: bytes = b'{"type": "x"}') -> Any:
    """A record as aiokafka hands it over."""
    return SimpleNamespace(value=value, headers=[], topic="t", partition=0, offset=offset)


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
