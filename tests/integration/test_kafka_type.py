"""The destination type `kafka` against real brokers: what arrives, what failures mean, and that nothing is left open."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from alertd.destinations.base import World
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.kafka import KafkaDestination
from alertd.destinations.kafka_settings import KafkaSettings
from alertd.model.delivery import OutcomeKind
from tests.broker import free_ports, require
from tests.conformance.destination_suite import FixedClock, ScriptedSender, make_message
from tests.conformance.messages import make_event
from tests.kafka_fixtures import create_topic
from tests.kafka_lab import DEADLINE_SECONDS, fresh_group

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.broker import Broker

WAYS = [
    ("sasl_plaintext", "PLAIN"),
    ("sasl_plaintext", "SCRAM-SHA-256"),
    ("sasl_plaintext", "SCRAM-SHA-512"),
    ("sasl_ssl", "PLAIN"),
    ("sasl_ssl", "SCRAM-SHA-512"),
    ("tls", ""),
    ("mtls", ""),
]
ALLOWED = ("127.0.0.0/8", "::1/128")


@contextlib.asynccontextmanager
async def opened(
    servers: str | list[str], topic: str, *, allow: tuple[str, ...] = ALLOWED, seconds: float = 20.0, **settings: Any
) -> AsyncIterator[KafkaDestination]:
    """Open a destination, and close it in the end."""
    given = {"bootstrap_servers": [servers] if isinstance(servers, str) else servers, "topic": topic, **settings}
    connector = GuardedConnector(EgressPolicy(allow))
    world = World(FixedClock(), ScriptedSender(), print, connect=connector.connect)
    made = KafkaDestination(KafkaSettings.model_validate(given), seconds, world)
    try:
        yield made
    finally:
        await made.close()
        connector.close()


async def consumed(broker: Broker, topic: str, count: int, partitions: int = 1) -> list[Any]:
    """Read so many records of a topic from its beginning."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    found: list[Any] = []
    async with asyncio.timeout(DEADLINE_SECONDS), consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        await consumer.seek_to_beginning()
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    return found


async def test_a_record_arrives_with_key_value_and_headers(kafka: Broker, topic: str) -> None:
    """The value is the webhook's body, the header names the delivery, and alerts about one problem share the key."""
    require(kafka, "transactions")
    message = make_message(event=make_event(), event_type="sentry.error")
    async with opened(kafka.bootstrap, topic) as destination:
        outcome = await destination.attempt(message)
        assert outcome.kind is OutcomeKind.DELIVERED, outcome
        assert outcome.answer == b"partition 0, offset 0"
        assert (await destination.attempt(message)).answer == b"partition 0, offset 1"
    first, second = await consumed(kafka, topic, 2)
    assert json.loads(first.value)["data"]["delivery_id"] == "dlv_0001"
    assert dict(first.headers)["x-alertd-delivery"] == b"dlv_0001"
    assert dict(first.headers)["x-alertd-type"] == b"sentry.error"
    assert first.key
    assert (first.key, first.headers) == (second.key, second.headers)


@pytest.mark.partitions(4)
async def test_one_key_is_one_partition(kafka: Broker, topic: str) -> None:
    """What shares a key keeps its order, whatever the number of partitions and however many attempts run at once."""
    require(kafka, "transactions")
    async with opened(kafka.bootstrap, topic, key="{{ event.project }}") as destination:
        outcomes = await asyncio.gather(
            *(
                destination.attempt(make_message(event=make_event(project=f"p{number % 8}"), attempt=number))
                for number in range(64)
            )
        )
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.DELIVERED}
    records = await consumed(kafka, topic, 64, partitions=4)
    homes = {(record.key, record.partition) for record in records}
    assert len(homes) == len({key for key, _ in homes}) == 8


async def test_an_attempt_says_that_the_template_of_the_key_failed(kafka: Broker, topic: str) -> None:
    """The record is produced under the usual key, and the attempt tells why."""
    require(kafka, "transactions")
    async with opened(kafka.bootstrap, topic, key="{{ event.nothing }}") as destination:
        outcome = await destination.attempt(make_message(event=make_event()))
    assert outcome.kind is OutcomeKind.DELIVERED, outcome
    assert "the template of the key failed" in outcome.detail
    assert "nothing" in outcome.detail


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_a_large_record_arrives_whole(kafka: Broker, topic: str, compression: str) -> None:
    """A record far larger than a batch arrives, with each compression."""
    require(kafka, "transactions")
    text = "äöü-" * 40_000
    async with opened(kafka.bootstrap, topic, compression=compression) as destination:
        outcome = await destination.attempt(make_message(event=make_event(message=text)))
        assert outcome.kind is OutcomeKind.DELIVERED, outcome
    (record,) = await consumed(kafka, topic, 1)
    assert json.loads(record.value)["data"]["event"]["message"] == text


async def test_what_the_broker_refuses_is_dead_and_the_next_one_is_not(kafka: Broker) -> None:
    """A record beyond the topic's bound is refused for good; the next one is delivered by the same destination."""
    require(kafka, "transactions")
    name = fresh_group()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs={"max.message.bytes": "2000"})])
    finally:
        await admin.close()
    async with opened(kafka.bootstrap, name, key="") as destination:
        large = await destination.attempt(make_message(event=make_event(message="x" * 4000)))
        assert large.kind is OutcomeKind.REJECTED
        assert "MessageSizeTooLarge" in large.detail
        small = await destination.attempt(make_message())
        assert small.kind is OutcomeKind.DELIVERED, small
    (record,) = await consumed(kafka, name, 1)
    assert record.key is None


@pytest.mark.parametrize(("listener", "mechanism"), WAYS)
async def test_every_way_in(kafka_secure: Broker, listener: str, mechanism: str) -> None:
    """SASL PLAIN and SCRAM, with and without TLS, TLS alone, and mutual TLS."""
    require(kafka_secure, "sasl", "tls")
    topic = await create_topic(kafka_secure.bootstrap)
    secured = kafka_secure.security(listener, mechanism)
    async with opened(kafka_secure.listeners[listener], topic, security=secured) as destination:
        outcome = await destination.attempt(make_message())
        assert outcome.kind is OutcomeKind.DELIVERED, outcome
    assert len(await consumed(kafka_secure, topic, 1)) == 1


@pytest.mark.parametrize(("listener", "mechanism"), [way for way in WAYS if way[1]])
async def test_a_refused_login_disables(kafka_secure: Broker, listener: str, mechanism: str) -> None:
    """A wrong password is final for the destination, and is not in what is said about it."""
    require(kafka_secure, "sasl", "tls")
    wrong = kafka_secure.security(listener, mechanism) | {"password": "wr0ng-s3cret"}
    async with opened(kafka_secure.listeners[listener], "t", security=wrong) as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.GONE
    assert "wr0ng" not in repr(outcome)
    assert kafka_secure.listeners[listener] in outcome.detail


@pytest.mark.parametrize("listener", ["tls", "mtls"])
async def test_a_broker_that_nobody_vouches_for_is_not_written_to(kafka_secure: Broker, listener: str) -> None:
    """A certificate of another authority is no proof: nothing is sent, and it is tried again."""
    require(kafka_secure, "tls")
    assert kafka_secure.tls
    wrong = kafka_secure.security(listener, "") | {"ca_file": str(kafka_secure.tls.other_ca)}
    async with opened(kafka_secure.listeners[listener], "t", security=wrong) as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.RETRY_LATER
    assert "certificate verify failed" in outcome.detail


async def test_a_missing_client_certificate_is_guessed(kafka_secure: Broker) -> None:
    """The broker just closes the connection; the reason says what to check then."""
    require(kafka_secure, "tls")
    assert kafka_secure.tls
    wrong = {"protocol": "SSL", "ca_file": str(kafka_secure.tls.ca)}
    async with opened(kafka_secure.listeners["mtls"], "t", security=wrong) as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.RETRY_LATER
    assert "client certificate" in outcome.detail


async def test_renewed_certificates_are_shown(kafka_secure: Broker, tmp_path: Path) -> None:
    """Files that change are shown on new connections; what cannot be used does not take away what worked."""
    require(kafka_secure, "tls")
    assert kafka_secure.tls
    topic = await create_topic(kafka_secure.bootstrap)
    files = {"cert_file": kafka_secure.tls.client_certificate, "key_file": kafka_secure.tls.client_key}
    secured = {"protocol": "SSL", "ca_file": str(kafka_secure.tls.ca)}
    for setting, path in files.items():
        secured[setting] = str(shutil.copy(path, tmp_path))
    async with opened(kafka_secure.listeners["mtls"], topic, security=secured) as destination:
        lines = set()
        for text in (None, "half a certif", files["cert_file"].read_text() + "\n"):
            if text is not None:
                (tmp_path / files["cert_file"].name).write_text(text)
            outcome = await destination.attempt(make_message())
            assert outcome.kind is OutcomeKind.DELIVERED, outcome
            lines.add(destination._line)
    assert len(lines) == 2
    assert len(await consumed(kafka_secure, topic, 3)) == 3


async def test_a_file_that_is_missing_is_named() -> None:
    """Without its certificate the delivery waits, and the setting and the file are named."""
    wrong = {"protocol": "SSL", "cert_file": "/nonexistent/client.pem"}
    async with opened("127.0.0.1:1", "t", security=wrong) as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.RETRY_LATER
    assert outcome.detail == "kafka: security.cert_file /nonexistent/client.pem: no such file or directory"


async def test_nobody_there_is_tried_again() -> None:
    """A broker that is down costs a retry, and is named with its reason."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with opened([address, "no-such-host.invalid:9092"], "t") as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.RETRY_LATER
    assert f"{address}: connection refused" in outcome.detail
    assert "no-such-host.invalid:9092: name does not resolve" in outcome.detail


async def test_a_server_that_speaks_no_kafka_is_left_in_time() -> None:
    """Garbage, silence, and an answer that announces two gigabytes each end within the attempt's time."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(b"\x7f\xff\xff\xff" + b"x" * 1024)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    async with server, opened(f"{host}:{port}", "t", seconds=5.0) as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.RETRY_LATER


async def test_the_guard_refuses_what_the_settings_name(kafka: Broker) -> None:
    """A private address that nobody permitted is not connected to: dead, with the reason."""
    async with opened(kafka.bootstrap, "t", allow=()) as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.REJECTED
    assert "egress refused: 127.0.0.1 is loopback" in outcome.detail


async def test_the_guard_refuses_what_the_cluster_names(kafka: Broker) -> None:
    """A broker that is permitted by its name cannot send us to an address that is not."""
    require(kafka, "transactions")
    port = kafka.bootstrap.rpartition(":")[2]
    async with opened(f"localhost:{port}", "t", allow=("localhost",), seconds=4.0) as destination:
        outcome = await destination.attempt(make_message())
    assert outcome.kind is OutcomeKind.REJECTED
    assert f"127.0.0.1:{port}: egress refused: 127.0.0.1 is loopback" in outcome.detail


async def test_a_broker_that_dies_and_comes_back(own_kafka: Broker) -> None:
    """While it is gone deliveries are tried again; when it is back the same destination delivers."""
    require(own_kafka, "transactions", "restart_with_data")
    topic = await create_topic(own_kafka.bootstrap)
    async with opened(own_kafka.bootstrap, topic, seconds=3.0) as destination:
        assert (await destination.attempt(make_message())).kind is OutcomeKind.DELIVERED
        own_kafka.kill()
        outcome = await destination.attempt(make_message(attempt=2))
        assert outcome.kind in {OutcomeKind.RETRY_LATER, OutcomeKind.AMBIGUOUS}
        assert "connection refused" in outcome.detail
        await own_kafka.arestart()
        async with asyncio.timeout(60):
            while (await destination.attempt(make_message(attempt=3))).kind is not OutcomeKind.DELIVERED:
                pass
    assert len(await consumed(own_kafka, topic, 2)) >= 2


async def test_a_broker_that_hangs_is_ambiguous(own_kafka: Broker) -> None:
    """When it took the request and fell silent, the record may be there: ambiguous, and closing waits for nothing."""
    require(own_kafka, "transactions", "restart_with_data")
    topic = await create_topic(own_kafka.bootstrap)
    async with opened(own_kafka.bootstrap, topic, seconds=3.0) as destination:
        assert (await destination.attempt(make_message())).kind is OutcomeKind.DELIVERED
        own_kafka.freeze()
        outcome = await destination.attempt(make_message(attempt=2))
        assert outcome.kind is OutcomeKind.AMBIGUOUS
        assert "timed out after 3 s" in outcome.detail
        async with asyncio.timeout(20):
            await destination.close()
        own_kafka.thaw()


async def test_an_attempt_that_is_cancelled_leaves_nothing(kafka: Broker, topic: str) -> None:
    """A hard stop in the middle of an attempt cancels it; the destination closes, and no task is left."""
    require(kafka, "transactions")
    async with opened(kafka.bootstrap, topic) as destination:
        attempt = asyncio.create_task(destination.attempt(make_message()))
        await asyncio.sleep(0)
        attempt.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await attempt
    left = [task for task in asyncio.all_tasks() if task.get_name().startswith("kafka-")]
    assert not left
