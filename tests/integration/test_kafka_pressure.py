"""Back-pressure of the Kafka intake: it pauses and goes on polling, stays in its group, and resumes by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiokafka import TopicPartition

from alertd.intake.kafka import positions, session, watch
from alertd.intake.kafka.positions import Positions
from alertd.model.event import Bounds
from alertd.sources.base import Context
from alertd.sources.native import decode_json
from alertd.submission import QueueBounds
from tests.broker import require
from tests.kafka_lab import Feeder, Member, doubles, fresh_group, until, value

if TYPE_CHECKING:
    from alertd.model.event import Event
    from tests.broker import Broker
    from tests.kafka_fixtures import MakeTopic


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause after a short time, look often, give partitions up quickly."""
    monkeypatch.setattr(positions, "CALLBACK_SECONDS", 0.5)
    monkeypatch.setattr(session, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(session, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(session, "LAG_SECONDS", 0.1)


def paused(member: Member) -> int:
    """How many partitions are paused, by the metric."""
    return int(member.metric("alertd_kafka_paused_partitions") or 0)


@pytest.mark.partitions(2)
async def test_a_store_that_cannot_write_pauses_and_keeps_its_place(
    kafka: Broker, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Failing for longer than the poll interval, the member is still in its group, then resumes, nothing lost."""
    options = {"max_poll_records": 10, "max_poll_seconds": 1.5}
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=fresh_group(), **options) as member:
        coordinator = member.consumer._coordinator
        before = coordinator.member_id, coordinator.generation
        member.store.failing = True
        await feeder.send(topic, range(500), 2)
        await until(lambda: paused(member) == 2)
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() - began > 2.5)
        assert member.session._flying_events <= 5 * 10
        assert (coordinator.member_id, coordinator.generation) == before
        member.store.failing = False
        await until(lambda: len(member.numbers) >= 500)
        await until(lambda: paused(member) == 0)
        assert (coordinator.member_id, coordinator.generation) == before
        assert len(member.sessions) == 1

    assert sorted(member.numbers) == list(range(500))


async def test_lag_is_right_while_paused(kafka: Broker, topic: str) -> None:
    """High watermarks stand still while partitions are paused; the lag goes on counting what arrives, then falls to 0."""
    require(kafka, "end_offsets")
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=fresh_group(), max_poll_records=10) as member:
        member.store.gate.clear()
        await feeder.send(topic, range(100))
        await until(lambda: paused(member) == 1)
        await feeder.send(topic, range(100, 300))

        def lag() -> float | None:
            return member.metric("alertd_kafka_lag_records", topic=topic, partition="0")

        await until(lambda: lag() == 300, say=lag)
        member.store.gate.set()
        await until(lambda: lag() == 0, say=lag)


async def test_what_is_paused_for_long_is_no_silence(
    kafka: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched then: that the broker is asked for its ends is the sign of life, and the lag is shown."""
    require(kafka, "end_offsets")
    assert watch.LAG_SECONDS < watch.QUIET_SECONDS / 1.5
    monkeypatch.setattr(watch, "QUIET_SECONDS", 0.5)
    options = {"max_poll_records": 10, "stall_seconds": 1.0}
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=fresh_group(), **options) as member:
        member.store.gate.clear()
        await feeder.send(topic, range(100))
        await until(lambda: paused(member) == 1)
        began = asyncio.get_running_loop().time()
        connected = set()

        def is_over() -> bool:
            connected.add(member.metric("alertd_kafka_connected"))
            return asyncio.get_running_loop().time() - began > 2

        await until(is_over)
        assert connected == {1}
        assert member.metric("alertd_kafka_lag_records", topic=topic, partition="0") == 100
        assert len(member.sessions) == 1
        member.store.gate.set()
        await until(lambda: member.has(range(100)))


async def test_a_rebalance_while_paused_pauses_the_new_partitions(
    kafka: Broker, make_two: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aiokafka forgets a pause when partitions are assigned anew; here they begin paused, and the queue stays bounded."""
    group, begun = fresh_group(), []
    begin = Positions._begin

    def spy(self: Positions, place: TopicPartition, *rest: Any) -> None:
        begin(self, place, *rest)
        begun.append((self.paused, place in self._consumer.paused()))

    queue = QueueBounds(max_events=100)
    member = Member(kafka, make_two, group=group, max_poll_records=10, queue=queue)
    async with Feeder(kafka) as feeder, member:
        member.store.gate.clear()
        requests = asyncio.gather(*(member.pipeline.submit([event(1000 + n)], 1) for n in range(90)))
        await feeder.send(make_two, range(200), 2)
        await until(lambda: paused(member) == 2)
        monkeypatch.setattr(Positions, "_begin", spy)
        async with Member(kafka, make_two, group=group) as other:
            await until(lambda: len(member.consumer.assignment()) == 1 and member.session._positions.settled)
            await until(lambda: paused(member) == 1)
            assert member.pipeline.queued_events <= 100
            member.store.gate.set()
            await requests
            await until(lambda: {*member.numbers, *other.numbers} >= set(range(200)))
            await until(lambda: paused(member) == 0)

    assert (True, True) in begun
    assert (True, False) not in begun
    assert doubles(member.numbers) == []


def event(number: int) -> Event:
    """Make what a request brings."""
    context = Context("default", 0, frozenset({"default"}), Bounds(), confined=True)
    return decode_json(value(number), context)[0]


@pytest.fixture
async def make_two(make_topic: object) -> str:
    """A topic with two partitions."""
    made: str = await make_topic(2)  # type: ignore[operator]  # a fixture's function
    return made


@pytest.mark.partitions(3)
async def test_kafka_leaves_room_for_http(kafka: Broker, topic: str) -> None:
    """However much waits in Kafka while nothing can be stored, requests still find room in the queue."""
    queue = QueueBounds(max_events=1000)
    member = Member(kafka, topic, group=fresh_group(), queue=queue, max_poll_records=100)
    async with Feeder(kafka) as feeder, member:
        member.store.gate.clear()
        await feeder.send(topic, range(3000), 3)
        await until(lambda: paused(member) == 3)
        assert member.pipeline.queued_events <= 600
        assert member.pipeline.has_room(400)
        member.store.gate.set()
        await until(lambda: len(member.numbers) == 3000)


async def test_a_queue_smaller_than_a_poll_still_moves(kafka: Broker, topic: str) -> None:
    """An operator's tiny queue makes it slow, not stuck."""
    member = Member(kafka, topic, group=fresh_group(), queue=QueueBounds(max_events=5, max_bytes=100))
    async with Feeder(kafka) as feeder, member:
        await feeder.send(topic, range(300))
        await until(lambda: len(member.numbers) == 300)

    assert member.numbers == list(range(300))


async def test_bytes_in_flight_are_bounded_too(kafka: Broker, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few but large records do not fill the queue either."""
    monkeypatch.setattr(session, "BYTES_IN_FLIGHT", 10_000)
    member = Member(kafka, topic, group=fresh_group(), max_poll_records=1)
    large = b'{"type": "t", "data": {"n": %d, "pad": "' + b"x" * 5000 + b'"}}'
    async with Feeder(kafka) as feeder, member:
        member.store.gate.clear()
        await feeder.send_values(topic, [(large % n, 0) for n in range(20)])
        await until(lambda: paused(member) == 1)
        assert member.session._flying_bytes <= 16_000
        member.store.gate.set()
        await until(lambda: len(member.numbers) == 20)


async def test_a_stop_while_nothing_can_be_stored_is_bounded(kafka: Broker, topic: str) -> None:
    """A soft stop with a store that cannot write ends in time, and the group hears nothing of what was not stored."""
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group) as member:
        member.store.failing = True
        await feeder.send(topic, range(50))
        await until(lambda: member.store.refused)
        member.intake.stop()
        async with asyncio.timeout(60):
            await member.tasks[1]
        assert not member.session._flying
        async with Member(kafka, topic, group=group) as other:
            await until(lambda: other.has(range(50)))

    assert other.numbers == list(range(50))
    assert member.numbers == []


async def test_records_held_back_at_a_rebalance_come_again(kafka: Broker, make_two: str) -> None:
    """What was read but found no room goes to whoever has the partition then, once."""
    group = fresh_group()
    one = Member(kafka, make_two, group=group, queue=QueueBounds(max_events=50), max_poll_records=40)
    async with Feeder(kafka) as feeder, one:
        one.store.gate.clear()
        await feeder.send(make_two, range(400), 2)
        await until(lambda: paused(one) == 2)
        async with Member(kafka, make_two, group=group, store=None) as two:
            one.store.gate.set()
            await until(lambda: {*one.numbers, *two.numbers} >= set(range(400)))
        place = TopicPartition(make_two, 0)
        await until(lambda: place in one.consumer.assignment() and one.session._positions.settled)

    assert doubles(one.numbers) == doubles(two.numbers) == []


async def test_records_held_back_while_the_store_fails_come_again(
    kafka: Broker, topic: str, make_topic: MakeTopic
) -> None:
    """What was handed over before them was given up: offered first, they would put the position behind it."""
    group = fresh_group()
    one = Member(kafka, topic, group=group, queue=QueueBounds(max_events=50), max_poll_records=40)
    async with Feeder(kafka) as feeder, one:
        one.store.failing = True
        await feeder.send(topic, range(400))
        await until(lambda: paused(one) == 1)
        generation = one.session._positions.generation
        async with Member(kafka, await make_topic(), group=group):  # takes nothing, but all is given up and given again
            await until(lambda: one.session._positions.generation > generation and one.session._positions.settled)
            one.store.failing = False
            await until(lambda: one.has(range(400)))

    assert one.numbers == list(range(400))


@pytest.mark.partitions(2)
async def test_a_full_partition_holds_up_no_other(kafka: Broker, topic: str) -> None:
    """The client gives all that it fetched of one partition before it turns to the next, but a fetch has a bound."""
    padding = "x" * 1000
    many = [(orjson.dumps({"type": "t", "data": {"n": n, "padding": padding}}), 0) for n in range(4000)]
    async with Feeder(kafka) as feeder:
        await feeder.send_values(topic, many)
        await feeder.send_values(topic, [(value(4000), 1)])
        async with Member(kafka, topic, group=fresh_group(), max_poll_records=250) as member:
            await until(lambda: member.has(range(4001)))

    assert member.numbers.index(4000) < 2000
