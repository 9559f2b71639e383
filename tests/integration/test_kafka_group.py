"""Several members of one group, each with a store of its own: nothing lost, and little moves when members come and go."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from alertd.intake.kafka import positions, rivalry
from tests.broker import require
from tests.kafka_lab import Feeder, Ledger, Member, doubles, fresh_group, until

if TYPE_CHECKING:
    from tests.broker import Broker


@pytest.mark.partitions(6)
async def test_three_members_come_and_go_and_their_union_is_complete(kafka: Broker, topic: str) -> None:
    """Under load members join and leave softly; together their stores have everything, and everything once."""
    group = fresh_group()
    members = [Member(kafka, topic, group=group) for _ in range(3)]
    async with Feeder(kafka) as feeder:
        async with feeder.load(topic, 6):
            for member in members:
                await member.start()
                await until(lambda member=member: member.numbers)
            await until(lambda: all(len(m.consumer.assignment()) == 2 for m in members))
            first, *rest = members
            await first.stop()
            await until(lambda: all(len(m.consumer.assignment()) == 3 for m in rest))
            settled = feeder.sent
            await until(lambda: feeder.sent > settled + 100)
        await until(lambda: sum(len(m.numbers) for m in members) >= feeder.sent)
        await asyncio.gather(*(member.stop() for member in rest))

    union = Counter(n for member in members for n in member.numbers)
    assert set(union) == set(range(feeder.sent))
    assert doubles(union.elements()) == []


@pytest.mark.partitions(4)
async def test_a_member_that_dies_loses_nothing(kafka: Broker, topic: str) -> None:
    """What a dead member had not committed its heir reads again; the dead one's own store is complete on its return."""
    require(kafka, "static_membership")
    group = fresh_group()
    dying, heir, back = Ledger(), Ledger(), []
    async with Feeder(kafka) as feeder:
        async with feeder.load(topic, 4):
            one = await Member(kafka, topic, group=group, store=dying, instance_id="one").start()
            async with Member(kafka, topic, group=group, store=heir, instance_id="two") as two:
                await until(lambda: one.consumer and len(one.consumer.assignment()) == 2)
                await until(lambda: one.numbers and two.numbers)
                await one.cut()
                async with Member(kafka, topic, group=group, store=dying, instance_id="one") as again:
                    back.append(len(again.numbers))
                    await until(lambda: len(again.numbers) > back[0] + 50)
                    await feeder.send(topic, [])
        everybody = [
            await Member(kafka, topic, group=group, store=store, instance_id=name).start()
            for store, name in ((dying, "one"), (heir, "two"))
        ]
        await until(lambda: set(dying.numbers) | set(heir.numbers) >= set(range(feeder.sent)))
        await asyncio.gather(*(member.stop() for member in everybody))

    assert doubles(dying.numbers) == doubles(heir.numbers) == []


@pytest.mark.partitions(2)
async def test_a_revocation_does_not_wait_for_ever(kafka: Broker, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member whose store hangs gives its partitions up within a bound, and the rest of the group goes on."""
    monkeypatch.setattr(positions, "CALLBACK_SECONDS", 0.5)
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group) as hanging:
        hanging.store.gate.clear()
        await feeder.send(topic, range(20), 2)
        await until(lambda: hanging.session._flying)
        async with Member(kafka, topic, group=group) as other:
            await until(lambda: len(other.consumer.assignment()) == 1)
            await until(lambda: len(other.numbers) == 10)
        hanging.store.gate.set()
        await until(lambda: {*hanging.numbers, *other.numbers} >= set(range(20)))

    assert doubles(hanging.numbers) == []


@pytest.mark.partitions(2)
async def test_partitions_that_go_take_what_waits_with_them(kafka: Broker, topic: str) -> None:
    """What is queued is taken back, what is under way is awaited and in the group's commit: the heir repeats none of it."""
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group, max_poll_records=5) as giving:
        giving.store.gate.clear()
        await feeder.send(topic, range(4), 2)
        await until(lambda: giving.pipeline._under_way)
        await feeder.send(topic, range(4, 200), 2)
        await until(lambda: giving.pipeline._queue)
        heir = await Member(kafka, topic, group=group).start()
        await until(lambda: not giving.pipeline._queue)
        assert not giving.session._positions.settled
        giving.store.gate.set()
        await until(lambda: {*giving.numbers, *heir.numbers} >= set(range(200)))
        await until(lambda: heir.numbers and not giving.pipeline.queued_events)
        await heir.stop()

    assert doubles([*giving.numbers, *heir.numbers]) == []


@pytest.mark.partitions(2)
async def test_a_static_member_returns_without_a_rebalance(kafka: Broker, topic: str) -> None:
    """Killed and restarted with its id it reads again before its session ends, and the other member keeps what it has."""
    require(kafka, "static_membership")
    group, store = fresh_group(), Ledger()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group, instance_id="two") as other:
        one = await Member(kafka, topic, group=group, store=store, instance_id="one").start()
        await until(lambda: one.intake.connected.is_set() and len(one.consumer.assignment()) == 1)
        await until(lambda: len(other.consumer.assignment()) == 1 and other.session._positions.settled)
        mine, generation = one.consumer.assignment(), other.session._positions.generation
        await one.cut()
        await feeder.send(topic, range(2), 2)
        async with Member(kafka, topic, group=group, store=store, instance_id="one") as again:
            await until(lambda: again.numbers)
            assert again.consumer.assignment() == mine
        assert other.session._positions.generation == generation


@pytest.mark.partitions(2)
async def test_two_members_with_one_id_are_told_of(kafka: Broker, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker lets each push the other out; the log says what it looks like, nothing is lost, and it ends with the one."""
    require(kafka, "static_membership")
    monkeypatch.setattr(rivalry, "REFUSALS", 3)
    group = fresh_group()
    with capture_logs() as logs:
        async with Feeder(kafka) as feeder, Member(kafka, topic, group=group, instance_id="same") as one:
            async with feeder.load(topic, 2):
                two = await Member(kafka, topic, group=group, instance_id="same").start()
                await until(lambda: any(entry["event"] == "kafka.instance_id_in_use" for entry in logs))
                await two.stop()
                generation = one.session._positions.generation
                settled = feeder.sent
                await until(lambda: feeder.sent > settled + 100)
            await until(lambda: {*one.numbers, *two.numbers} >= set(range(feeder.sent)))
    assert generation > 1
    assert doubles(one.numbers) == doubles(two.numbers) == []


async def test_more_members_than_partitions(kafka: Broker, topic: str) -> None:
    """A member that gets no partition waits quietly, and takes over when the other one leaves."""
    group = fresh_group()
    async with (
        Feeder(kafka) as feeder,
        Member(kafka, topic, group=group) as one,
        Member(kafka, topic, group=group) as two,
    ):
        await until(lambda: len(one.consumer.assignment()) + len(two.consumer.assignment()) == 1)
        await feeder.send(topic, range(5))
        await until(lambda: len(one.numbers) + len(two.numbers) == 5)
        active, idle = (one, two) if one.consumer.assignment() else (two, one)
        await active.stop()
        await feeder.send(topic, range(5, 10))
        await until(lambda: idle.has(range(5, 10)))

    assert sorted([*one.numbers, *two.numbers]) == list(range(10))


async def test_new_partitions_are_found(kafka: Broker, topic: str) -> None:
    """Partitions that are added to a topic while it is read are read too, from their beginning."""
    require(kafka, "end_offsets")
    from aiokafka.admin import AIOKafkaAdminClient, NewPartitions  # noqa: PLC0415 - slow to import

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    async with Feeder(kafka, metadata_max_age_ms=300) as feeder, Member(kafka, topic, group=fresh_group()) as member:
        await admin.create_partitions({topic: NewPartitions(3)})
        await admin.close()
        await until(lambda: len(member.consumer.assignment()) == 3)
        await feeder.producer.client.force_metadata_update()
        await feeder.send(topic, range(30), 3)
        await until(lambda: member.has(range(30)))
