"""Where the Kafka intake begins and how far it says it got: exactly once in one store, and the group follows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition

from alertd.intake.kafka.positions import Positions
from tests import kafka_lab
from tests.broker import require
from tests.kafka_lab import Feeder, Ledger, Member, committed, count_polls, doubles, fresh_group, until, value

if TYPE_CHECKING:
    from tests.broker import Broker
    from tests.kafka_fixtures import MakeTopic


async def test_a_new_group_begins_at_the_beginning(kafka: Broker, topic: str) -> None:
    """With neither a stored position nor a group commit, what was there before is read, in order."""
    async with Feeder(kafka) as feeder:
        await feeder.send(topic, range(30))

    async with Member(kafka, topic, group=fresh_group()) as member:
        await until(lambda: len(member.numbers) >= 30)

    assert member.numbers == list(range(30))


async def test_positions_are_in_the_commit_of_what_they_cover(kafka: Broker, topic: str) -> None:
    """Every single commit moves the position by exactly the records that it stores."""
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=fresh_group(), max_poll_records=7) as member:
        await feeder.send(topic, range(100))
        await until(lambda: len(member.numbers) >= 100)

    at = 0
    for batch in member.store.batches:
        at += len(batch.plans)
        assert batch.positions == {(topic, 0): at}


async def test_a_stored_position_beats_an_older_group_commit(kafka: Broker, topic: str) -> None:
    """What the store has is not done again although the group heard nothing of it."""
    behind, store = fresh_group(), Ledger()
    await kafka_lab.commit(kafka, behind, topic, {0: 3})
    async with Feeder(kafka) as feeder:
        await feeder.send(topic, range(20))
        first = await Member(kafka, topic, group=fresh_group(), store=store).start()
        await until(lambda: first.has(range(20)))
        await first.cut()
        async with Member(kafka, topic, group=behind, store=store) as second:
            await feeder.send(topic, [20])
            await until(lambda: second.has([20]))

    assert store.numbers == list(range(21))


async def test_a_group_commit_beats_an_older_stored_position(kafka: Broker, topic: str) -> None:
    """Where another member, with a store of its own, went further, this one does not go back."""
    group = fresh_group()
    async with Feeder(kafka) as feeder:
        await feeder.send(topic, range(20))
        await kafka_lab.commit(kafka, group, topic, {0: 15})
        async with Member(kafka, topic, group=group) as member:
            await until(lambda: member.has([19]))

    assert member.numbers == [15, 16, 17, 18, 19]


async def test_what_is_polled_before_positions_are_sought_is_dropped(
    kafka: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer fetches as soon as it has partitions; only what it fetches from the right place counts."""
    group, store, asked, go = fresh_group(), Ledger(), asyncio.Event(), asyncio.Event()
    await kafka_lab.commit(kafka, group, topic, {0: 5})
    await store.set_position((topic, 0), 2)
    ask = Positions._ask

    async def slowly(self: Positions, places: Any) -> Any:
        found = await ask(self, places)
        asked.set()
        await go.wait()
        return found

    monkeypatch.setattr(Positions, "_ask", slowly)
    async with Feeder(kafka) as feeder:
        await feeder.send(topic, range(20))
        member = await Member(kafka, topic, group=group, store=store).start()
        await asked.wait()
        await until(lambda: member.consumer.highwater(TopicPartition(topic, 0)))
        await until(lambda: member.session._watch._fetched(TopicPartition(topic, 0)) == 20)
        polls = count_polls(member)
        await until(lambda: len(polls) > 1)
        assert not store.batches
        assert not member.session._flying
        go.set()
        await until(lambda: member.has([19]))
        await feeder.send(topic, [20])
        await until(lambda: member.has([20]))
        await member.stop()

    assert store.numbers == list(range(5, 21))


async def test_a_soft_stop_tells_the_group_what_was_stored(kafka: Broker, topic: str) -> None:
    """After an orderly stop the group's commit is the stored position, so that others repeat nothing."""
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group) as member:
        await feeder.send(topic, range(10))
        await until(lambda: member.has(range(10)))
        await member.stop()

    assert await committed(kafka, group, topic) == {0: 10} == member.store.stored(topic)


async def test_the_group_commit_follows_the_store_without_a_stop(kafka: Broker, topic: str) -> None:
    """While it runs, the group's commit comes after the store within about a second."""
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group) as member:
        await feeder.send(topic, range(10))
        await until(lambda: set(member.session._positions._committed.values()) == {10})
        assert await committed(kafka, group, topic) == {0: 10}


async def test_the_group_commit_never_leads_the_store(kafka: Broker, topic: str) -> None:
    """Records that were read, but whose commit is still under way, are not committed to the group, even by a stop."""
    group = fresh_group()
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=group) as member:
        await feeder.send(topic, range(10))
        await until(lambda: member.has(range(10)))
        member.store.gate.clear()
        await feeder.send(topic, range(10, 40))
        await until(lambda: member.session._flying)
        await member.session._positions.commit()
        assert await committed(kafka, group, topic) == {0: 10}
        stopping = asyncio.create_task(member.stop())
        await until(lambda: not member.intake.connected.is_set())
        assert await committed(kafka, group, topic) == {0: 10}
        member.store.gate.set()
        await stopping


@pytest.mark.partitions(3)
async def test_crashes_under_load_lose_and_double_nothing(kafka: Broker, topic: str) -> None:
    """Six members in a row die in the middle of load; their store has every number once, though none had an id."""
    require(kafka, "static_membership")
    group, store = fresh_group(), Ledger()
    async with Feeder(kafka) as feeder:
        async with feeder.load(topic, 3):
            for _ in range(6):
                member = await Member(kafka, topic, group=group, store=store, instance_id="one").start()
                before = len(store.numbers)
                await until(lambda before=before: len(store.numbers) > before + 60)
                await member.cut()
        async with Member(kafka, topic, group=group, store=store, instance_id="one"):
            await until(lambda: len(store.numbers) >= feeder.sent)

    assert doubles(store.numbers) == []
    assert sorted(store.numbers) == list(range(feeder.sent))
    assert [[n for n in store.numbers if n % 3 == p] for p in range(3)] == [
        list(range(p, feeder.sent, 3)) for p in range(3)
    ]


async def test_ids_are_idempotency_keys(kafka: Broker, topic: str) -> None:
    """A producer's retry, with the same id, does nothing twice and is counted as a duplicate."""
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=fresh_group()) as member:
        await feeder.send_values(topic, [(value(n, f"id-{n % 5}"), 0) for n in range(10)])
        await until(lambda: member.store.stored(topic) == {0: 10})

    assert member.numbers == [0, 1, 2, 3, 4]
    assert member.metric("alertd_events_total", source="kafka", result="duplicate") == 5


async def test_several_topics_and_partitions(kafka: Broker, make_topic: MakeTopic) -> None:
    """One consumer reads them all, each partition in order."""
    one, two = await make_topic(2), await make_topic(3)
    async with Feeder(kafka) as feeder, Member(kafka, one, two, group=fresh_group()) as member:
        await feeder.send(one, range(100), 2)
        await feeder.send(two, range(1000, 1100), 3)
        await until(lambda: len(member.numbers) >= 200)

    assert sorted(member.numbers) == [*range(100), *range(1000, 1100)]
    assert member.store.stored(one) == {0: 50, 1: 50}
    assert [n for n in member.numbers if n >= 1000 and n % 3 == 0] == list(range(1002, 1100, 3))
