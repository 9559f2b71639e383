"""The Kafka intake outlives its brokers and its consumers: it rebuilds what broke, and always stops in time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from alertd.intake.kafka import service, session, watch
from tests.broker import free_ports, require
from tests.kafka_lab import DEADLINE_SECONDS, Feeder, Ledger, Member, doubles, fresh_group, until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from tests.broker import Broker


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon, look often."""
    monkeypatch.setattr(service, "RETRY_SECONDS", (0.1,))
    monkeypatch.setattr(session, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(session, "STOP_SECONDS", 1.0)
    monkeypatch.setattr(session, "SETTLE_SECONDS", 0.5)


async def dead_coordinator(member: Member) -> None:
    """Kill the consumer's coordination, as an unexpected error does."""
    member.consumer._coordinator._coordination_task.cancel()


async def failed_coordinator(member: Member) -> None:
    """Let the consumer's next heartbeat fail in a way that nobody foresaw."""

    async def fail() -> None:
        raise KafkaError("unexpected")

    member.consumer._coordinator._do_heartbeat = fail


async def dead_fetcher(member: Member) -> None:
    """End the consumer's fetching in silence."""
    member.consumer._fetcher._fetch_task.cancel()


async def stuck_fetcher(member: Member) -> None:
    """Let the consumer know of records and never fetch them."""
    member.consumer._fetcher._get_actions_per_node = lambda assignment: ([], {}, 0.1, False, [])


@pytest.mark.parametrize("breaking", [dead_coordinator, failed_coordinator, dead_fetcher, stuck_fetcher])
async def test_a_consumer_that_broke_is_rebuilt(kafka: Broker, topic: str, breaking: Callable[[Member], Any]) -> None:
    """Whatever part of it dies, loudly or in silence, another consumer goes on where it was."""
    options: dict[str, Any] = {"instance_id": "one", "stall_seconds": 0.8}
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=fresh_group(), **options) as member:
        await feeder.send(topic, range(10))
        await until(lambda: member.has(range(10)))
        await breaking(member)
        await feeder.send(topic, range(10, 20))
        await until(lambda: len(member.sessions) == 2)
        await feeder.send(topic, range(20, 30))
        await until(lambda: member.has(range(10, 30)))
        assert member.metric("alertd_kafka_consumer_rebuilds_total") == 1

    assert member.numbers == list(range(30))


async def test_quiet_and_transactional_topics_are_no_stall(kafka: Broker, topic: str) -> None:
    """No records, or only the marks of transactions behind the last one, is not taken for a stall; the lag is 0."""
    require(kafka, "transactions")
    member = Member(kafka, topic, group=fresh_group(), stall_seconds=0.6)
    async with Feeder(kafka, transactional_id=fresh_group()) as feeder, member:
        for abort in (False, True, False):
            await feeder.producer.begin_transaction()
            await feeder.send(topic, range(100, 110) if abort else range(10))
            await (feeder.producer.abort_transaction() if abort else feeder.producer.commit_transaction())
        await until(lambda: len(member.numbers) == 20)
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() - began > 1.2)
        await member.session._measure()
        assert member.metric("alertd_kafka_lag_records", topic=topic, partition="0") == 0
        assert len(member.sessions) == 1

    assert set(member.numbers) == set(range(10))


async def test_a_broker_that_comes_later_is_found(broker_folder: Path) -> None:
    """The daemon may be first: it says why it waits, and begins when the broker is there."""
    from tests import broker as brokers  # noqa: PLC0415 - only here is a broker made by hand

    broker = brokers.make_broker(broker_folder)
    require(broker, "control")
    broker._configure(free_ports(getattr(broker, "ports_needed", 1)))  # type: ignore[attr-defined]  # of both brokers with that capability
    member = await Member(broker, "late", group=fresh_group()).start()
    try:
        await until(lambda: member.metric("alertd_kafka_consumer_rebuilds_total"))
        assert member.metric("alertd_kafka_connected") == 0
        await asyncio.to_thread(lambda: None)
        await broker.arestart()
        async with Feeder(broker) as feeder:
            await feeder.send("late", range(10))
        await until(lambda: member.has(range(10)))
        assert member.metric("alertd_kafka_connected") == 1
    finally:
        await member.stop()
        broker.stop()


@pytest.fixture
def broker_folder(tmp_path: Path) -> Path:
    """Where a broker that is started late keeps its files."""
    return tmp_path / "late"


async def test_a_broker_killed_and_restarted_under_load(own_kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same folder it goes on by itself, nothing lost, nothing doubled; meanwhile the metric says what is."""
    require(own_kafka, "restart_with_data")
    monkeypatch.setattr(watch, "QUIET_SECONDS", 1.0)
    member = Member(own_kafka, "load", group=fresh_group(), session_timeout_seconds=10)
    async with Feeder(own_kafka) as feeder, member:
        async with feeder.load("load"):
            await until(lambda: len(member.numbers) > 100)
            await asyncio.to_thread(own_kafka.kill)
            await until(lambda: member.metric("alertd_kafka_connected") == 0)
            await own_kafka.arestart()
            before = feeder.sent
            await until(lambda: feeder.sent > before + 100, 60)
        await until(lambda: set(member.numbers) >= set(range(feeder.sent)))
        await until(lambda: member.metric("alertd_kafka_connected") == 1)
        # A producer without idempotence may write a batch twice when the answer was lost; the intake may not.
        position = member.store.stored("load")
    assert len(member.numbers) == sum(position.values())


async def test_a_frozen_broker_is_waited_for(own_kafka: Broker) -> None:
    """Frozen for longer than the session lasts, it is gone on with after the thaw: nothing lost, nothing doubled."""
    member = Member(own_kafka, "ice", group=fresh_group(), session_timeout_seconds=1.5)
    async with Feeder(own_kafka) as feeder, member:
        await feeder.send("ice", range(50))
        await until(lambda: member.has(range(50)))
        own_kafka.freeze()
        began = asyncio.get_running_loop().time()
        sending = asyncio.create_task(feeder.send("ice", range(50, 100)))
        await until(lambda: asyncio.get_running_loop().time() - began > 2.5)
        own_kafka.thaw()
        await sending
        await until(lambda: member.has(range(50, 100)))

    assert doubles(member.numbers) == []


async def test_the_lag_of_a_frozen_broker_is_not_known(own_kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not shown as what it was, which would say that all is well."""
    monkeypatch.setattr(session, "LAG_SECONDS", 0.1)
    monkeypatch.setattr(watch, "QUIET_SECONDS", 1.0)
    async with Feeder(own_kafka) as feeder, Member(own_kafka, "frost", group=fresh_group()) as member:
        await feeder.send("frost", range(5))
        sample = member.metrics.registry.get_sample_value

        def lag() -> float | None:
            return sample("alertd_kafka_lag_records", {"topic": "frost", "partition": "0"})

        await until(lambda: member.has(range(5)) and lag() == 0)
        own_kafka.freeze()
        await until(lambda: sample("alertd_kafka_connected") == 0)
        assert lag() is None
        own_kafka.thaw()
        await until(lambda: sample("alertd_kafka_connected") == 1 and lag() == 0)


async def test_a_stop_without_a_broker_is_bounded_and_leaves_nothing(own_kafka: Broker) -> None:
    """Aiokafka's own stop raises CancelledError or hangs; the service ends in time, and no task of it lives on."""
    before = asyncio.all_tasks()
    async with Feeder(own_kafka) as feeder:
        await feeder.send("gone", range(10))
    for take_away, bring_back in ((own_kafka.freeze, own_kafka.thaw), (own_kafka.kill, lambda: None)):
        members = [await Member(own_kafka, "gone", group=fresh_group(), instance_id=i).start() for i in (None, "one")]
        await until(lambda members=members: all(member.has(range(10)) for member in members))
        await asyncio.to_thread(take_away)
        starting = await Member(own_kafka, "gone", group=fresh_group()).start()
        await until(lambda starting=starting: starting.sessions)

        assert max(await asyncio.gather(*(member.stop() for member in (starting, *members)))) < 4

        await until(lambda: asyncio.all_tasks() <= before, 10, lambda: asyncio.all_tasks() - before)
        bring_back()


@pytest.mark.partitions(2)
async def test_a_stop_during_a_rebalance_is_bounded(kafka: Broker, topic: str) -> None:
    """Asked in the middle of joining, it leaves in time."""
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group) as one:
        two = await Member(kafka, topic, group=group).start()
        # A quick rebalance may be over before it is seen: then the second one has joined.
        await until(lambda: not one.session._positions.settled or (two.sessions and two.session._positions.settled))
        assert max(await asyncio.gather(one.stop(), two.stop())) < 4
        await feeder.send(topic, range(10), 2)
        async with Member(kafka, topic, group=group) as three:
            await until(lambda: three.has(range(10)))


class Straggler(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Another program in the group, which gives its partitions up only when told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.told = asyncio.Event()

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        """Take one's time, once there is something to give up."""
        if revoked:
            self.asked.set()
            await self.told.wait()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        """Take what comes."""


@pytest.mark.partitions(4)
async def test_a_stop_does_not_wait_for_a_member_that_is_slow_to_join(kafka: Broker, topic: str) -> None:
    """While the group waits a minute for somebody else, polls and the broker's answers wait too; the stop does not."""
    group, slow = fresh_group(), Straggler()
    patient = {"rebalance_timeout_seconds": 60, "request_timeout_seconds": 90}
    other = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        group_id=group,
        rebalance_timeout_ms=60_000,
        request_timeout_ms=90_000,
        heartbeat_interval_ms=300,
        partition_assignment_strategy=(StickyPartitionAssignor,),
    )
    other.subscribe([topic], listener=slow)
    slow.told.set()
    async with other, AsyncExitStack() as ending:
        ending.callback(slow.told.set)
        await until(lambda: len(other.assignment()) == 4, 120)  # Tansu takes its time over a group
        async with Member(kafka, topic, group=group, **patient) as one:
            await until(lambda: len(one.consumer.assignment()) == 2, 120)
            slow.told.clear()
            slow.asked.clear()
            two = await Member(kafka, topic, group=group, **patient).start()
            await slow.asked.wait()
            await until(lambda: one.consumer._subscription.reassignment_in_progress)
            began = asyncio.get_running_loop().time()
            await until(lambda: asyncio.get_running_loop().time() - began > 5 * session.POLL_MS / 1000)
            await asyncio.gather(one.stop(DEADLINE_SECONDS), two.stop(DEADLINE_SECONDS))


async def test_stops_at_any_moment(kafka: Broker, topic: str) -> None:
    """Before it runs, at once after, twice: every stop is fine."""
    group, store = fresh_group(), Ledger()
    member = Member(kafka, topic, group=group, store=store)
    for ticks in range(12):
        await member.start()
        for _ in range(ticks * 3):
            await asyncio.sleep(0)
        member.intake.stop()
        member.intake.stop()
        await member.stop()


async def test_a_hard_stop_is_prompt_and_leaves_nothing(kafka: Broker, topic: str) -> None:
    """Cancelled, it tears its consumer out at once."""
    before = asyncio.all_tasks()
    member = await Member(kafka, topic, group=fresh_group()).start()
    await member.joined()
    for task in member.tasks:
        task.cancel()
    _, left = await asyncio.wait(member.tasks, timeout=5)
    assert not left
    await until(lambda: asyncio.all_tasks() <= before, 10, lambda: asyncio.all_tasks() - before)
