"""Positions that the broker no longer has: said loudly, and then as `offset_reset` says."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from structlog.testing import capture_logs

from alertd.intake.kafka import service, session
from alertd.intake.kafka.positions import PositionLostError
from tests.broker import KafkaBroker, require
from tests.daemon import eventually
from tests.kafka_fixtures import create_topic
from tests.kafka_lab import DEADLINE_SECONDS, Feeder, Ledger, Member, committed, fresh_group, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker import Broker


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    monkeypatch.setattr(service, "RETRY_SECONDS", (0.1,))


@contextlib.asynccontextmanager
async def maker(kafka: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    """Somebody who makes and deletes records and topics."""
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def admin(kafka: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    """Somebody who deletes records and topics."""
    require(kafka, "end_offsets")
    async with maker(kafka) as client:
        yield client


async def make_anew(kafka: Broker, admin: AIOKafkaAdminClient, topic: str) -> None:
    """Delete a topic that has records and make one of the same name, with one partition, and await that it is there.

    Whoever asks for the topic in between has the broker make it, with as many as it likes: then once more. And for a
    while after its answer the broker still takes records for the old topic, which then go with it.
    """
    place = TopicPartition(topic, 0)

    async def answer() -> str | None:
        code = (await admin.create_topics([NewTopic(topic, 1, 1)])).topic_errors[0][1]
        return {0: "made", TopicAlreadyExistsError.errno: "taken"}.get(code)

    said = "taken"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while said == "taken":
            await admin.delete_topics([topic])
            said = await eventually(answer, "the old topic to be gone")
        async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:

            async def empty() -> bool:
                [found] = await admin.describe_topics([topic])
                return len(found["partitions"]) == 1 and await consumer.end_offsets([place]) == {place: 0}

            await eventually(empty, "the new topic to be there")


async def trimmed(kafka: Broker, admin: AIOKafkaAdminClient, topic: str) -> Ledger:
    """Give a store the position 5 of a topic whose records 0 to 19 of 30 are deleted."""
    store = Ledger()
    await store.set_position((topic, 0), 5)
    async with Feeder(kafka) as feeder:
        await feeder.send(topic, range(30))
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(20)})
    return store


async def test_deleted_records_are_passed_over_loudly(kafka: Broker, topic: str, admin: AIOKafkaAdminClient) -> None:
    """With `earliest` it goes on with the oldest record that is left, and an error in the log says what was lost."""
    store, group = await trimmed(kafka, admin, topic), fresh_group()
    with capture_logs() as logs:
        async with Member(kafka, topic, group=group, store=store) as member:
            await until(lambda: member.has([29]))
            polls_under_way = member.consumer._subscription._fetch_count

    assert polls_under_way <= 1  # else it stays in its group when nobody polls any more
    assert store.numbers == list(range(20, 30))
    assert [line for line in logs if line["event"] == "kafka.position_lost"] == [
        {
            "event": "kafka.position_lost",
            "log_level": "error",
            "topic": topic,
            "partition": 0,
            "position": 5,
            "offset_reset": "earliest",
            "goes_on_at": 20,
        }
    ]
    assert await committed(kafka, group, topic) == {0: 30}


async def test_latest_goes_on_with_what_comes(kafka: Broker, topic: str, admin: AIOKafkaAdminClient) -> None:
    """With `latest` what is there is passed over, and what comes is read."""
    store = await trimmed(kafka, admin, topic)
    async with (
        Feeder(kafka) as feeder,
        Member(kafka, topic, group=fresh_group(), store=store, offset_reset="latest") as member,
    ):
        await until(lambda: store.stored(topic) == {0: 30})
        await feeder.send(topic, [30])
        await until(lambda: member.has([30]))

    assert store.numbers == [30]


async def test_stop_ends_the_service(kafka: Broker, topic: str, admin: AIOKafkaAdminClient) -> None:
    """With `stop` the service dies with an error that names the place, and nothing was moved."""
    store = await trimmed(kafka, admin, topic)
    member = await Member(kafka, topic, group=fresh_group(), store=store, offset_reset="stop").start()

    with pytest.raises(PositionLostError, match=rf"{topic}/0: .* at position 5;.*offset_reset"):
        await member.tasks[1]

    assert store.stored(topic) == {0: 5}
    member.tasks[0].cancel()
    await asyncio.gather(*member.tasks, return_exceptions=True)


async def test_a_topic_made_anew_while_it_is_read(kafka: Broker, topic: str, admin: AIOKafkaAdminClient) -> None:
    """The new topic is read from its beginning, without a restart, and the group's commit goes back with it."""
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group) as member:
        await feeder.send(topic, range(50))
        await until(lambda: member.has(range(50)))
        await make_anew(kafka, admin, topic)
        async with Feeder(kafka) as another:
            await another.send(topic, range(100, 110))
        await until(lambda: member.has(range(100, 110)))
        await until(lambda: member.store.stored(topic) == {0: 10})

    assert member.numbers == [*range(50), *range(100, 110)]
    assert await committed(kafka, group, topic) == {0: 10}


async def test_a_topic_made_anew_while_the_daemon_was_down(
    kafka: Broker, topic: str, admin: AIOKafkaAdminClient
) -> None:
    """A stored position beyond the end of the new topic does not hide its records."""
    group, store = fresh_group(), Ledger()
    async with Feeder(kafka) as feeder:
        await feeder.send(topic, range(50))
        async with Member(kafka, topic, group=group, store=store) as member:
            await until(lambda: member.has(range(50)))
        await make_anew(kafka, admin, topic)
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group, store=store) as member:
        await feeder.send(topic, range(100, 110))
        await until(lambda: member.has(range(100, 110)))

    assert store.numbers == [*range(50), *range(100, 110)]


async def test_a_store_that_cannot_write_meanwhile(
    kafka: Broker, topic: str, admin: AIOKafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the new position cannot be stored it is tried again with another consumer, and then goes on."""
    store = await trimmed(kafka, admin, topic)
    set_position, failures = store.set_position, [KafkaError("first"), OSError("second")]

    async def failing(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        await set_position(*arguments)

    monkeypatch.setattr(store, "set_position", failing, raising=False)
    async with Member(kafka, topic, group=fresh_group(), store=store) as member:
        await until(lambda: member.has([29]))

    assert store.numbers == list(range(20, 30))


async def test_a_missing_topic_is_named(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that does not exist, and that the broker does not make, is named in the log while it is waited for."""
    monkeypatch.setattr(service, "SLOW_START_SECONDS", 0.2)
    with capture_logs() as logs:
        member = await Member(kafka, "no such topic", group=fresh_group()).start()
        await until(lambda: any(line["event"] == "kafka.still_starting" for line in logs), say=lambda: logs)
        with contextlib.suppress(TimeoutError):
            await member.stop()

    assert next(line for line in logs if line["event"] == "kafka.still_starting")["missing_topics"] == ["no such topic"]


async def test_a_missing_topic_keeps_nobody_from_the_others(own_kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is is read; the one that is missing is told as an error, and read from its beginning when it is made."""
    require(own_kafka, "restart_with_data")
    monkeypatch.setattr(session, "TOPICS_SECONDS", 0.2)
    assert isinstance(own_kafka, KafkaBroker)
    with (own_kafka.folder / "server.properties").open("a") as properties:
        properties.write("auto.create.topics.enable=false\n")
    await own_kafka.arestart()
    there = await create_topic(own_kafka.bootstrap)
    with capture_logs() as logs:
        async with (
            Feeder(own_kafka) as feeder,
            Member(own_kafka, "later", there, group=fresh_group(), metadata_max_age_ms=500) as member,
        ):
            await feeder.send(there, range(10))
            await until(lambda: member.has(range(10)))
            await until(lambda: any(line["event"] == "kafka.topics_missing" for line in logs), say=lambda: logs)
            assert member.metric("alertd_kafka_topics_missing") == 1
            async with maker(own_kafka) as admin:
                await admin.create_topics([NewTopic("later", 1, 1)])
            await feeder.send("later", range(10, 20))
            await until(lambda: member.has(range(20)))
            member.metrics.kafka_topics_missing.set(7)  # as a consumer that broke may leave it
            await until(lambda: member.metric("alertd_kafka_topics_missing") == 0)
    told = [(line["event"], line["topics"], line["log_level"]) for line in logs if "topics" in line]
    assert ("kafka.topics_missing", ["later"], "error") in told
    assert ("kafka.topics_found", ["later"], "info") in told
