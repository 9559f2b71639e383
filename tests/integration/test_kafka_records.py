"""What Kafka records become: events in every format and compression, rejected records where they cannot be read."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import orjson
import pytest

from alertd.intake.kafka.records import REJECTED_BYTES_MAX
from tests.broker import require
from tests.kafka_lab import Feeder, Member, fresh_group, until, value

if TYPE_CHECKING:
    from tests.broker import Broker
    from tests.kafka_fixtures import MakeTopic

STRUCTURED = {"specversion": "1.0", "id": "s-1", "source": "/shop", "type": "order.paid", "data": {"n": 1}}
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"b-1"),
    ("ce_source", b"/shop"),
    ("ce_type", b"order.sent"),
    ("content-type", b"application/json"),
]


async def test_unreadable_records_are_kept_and_the_partition_goes_on(kafka: Broker, topic: str) -> None:
    """Bad ones, none at all, and one beyond the bound are kept with place and reason; good ones between them are read."""
    huge = b"[" + b"x" * (REJECTED_BYTES_MAX + 5)
    values = [value(0), b"not json", None, b'{"typo": "t"}', huge, value(5), b"", b"\xff\xfe", b'[{"type": "t"}]']
    async with Feeder(kafka) as feeder, Member(kafka, topic, group=fresh_group()) as member:
        await feeder.send_values(topic, [(data, 0) for data in values], key=b"key")
        await until(lambda: member.store.stored(topic) == {0: len(values)})

    assert member.numbers == [0, 5]
    kept = {record.offset: record for record in member.store.rejected}
    assert sorted(kept) == [1, 2, 3, 4, 6, 7, 8]
    assert {(record.topic, record.partition, record.workspace) for record in kept.values()} == {(topic, 0, "default")}
    assert all(record.reason for record in kept.values())
    assert kept[1].bytes == b"not json"
    assert kept[2].bytes == b""
    assert kept[2].size == 0
    assert "typo" in kept[3].reason
    assert len(kept[4].bytes) == REJECTED_BYTES_MAX
    assert kept[4].size == len(huge)
    assert member.metric("alertd_events_total", source="kafka", result="rejected") == 7


async def test_rejected_records_are_not_kept_twice(kafka: Broker, topic: str) -> None:
    """A crash between their commit and the group's repeats none of them; a partition of nothing else moves on too."""
    require(kafka, "static_membership")
    group = fresh_group()
    member = Member(kafka, topic, group=group, max_poll_records=3, instance_id="one")
    async with Feeder(kafka) as feeder:
        await feeder.send_values(topic, [(b"bad", 0)] * 10)
        await member.start()
        await until(lambda: len(member.store.rejected) >= 3)
        await member.cut()
        async with Member(kafka, topic, group=group, store=member.store, instance_id="one") as again:
            await until(lambda: again.store.stored(topic) == {0: 10})

    assert sorted(record.offset for record in member.store.rejected) == list(range(10))


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_compressed_batches(kafka: Broker, topic: str, codec: str) -> None:
    """Whatever codec the producer uses is read."""
    async with (
        Feeder(kafka, compression_type=codec, linger_ms=50) as feeder,
        Member(kafka, topic, group=fresh_group()) as member,
    ):
        await feeder.send(topic, range(200))
        await until(lambda: len(member.numbers) == 200)

    assert member.numbers == list(range(200))


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
async def test_a_batch_that_unpacks_to_too_much_is_kept_packed(kafka: Broker, topic: str, codec: str) -> None:
    """One record stands for it and says which offsets it had; what is before and behind it is read, and none of it again."""
    group, most = fresh_group(), 100_000
    async with Feeder(kafka, compression_type=codec, linger_ms=50, max_batch_size=1 << 20) as feeder:
        await feeder.send(topic, range(5))
        await feeder.send_values(topic, [(value(n) + b" " * 30_000, 0) for n in range(5, 9)])
        await feeder.send(topic, range(9, 14))
        async with Member(kafka, topic, group=group, max_batch_bytes=most) as member:
            await until(lambda: member.store.stored(topic) == {0: 14})
        async with Member(kafka, topic, group=group, max_batch_bytes=most, store=member.store) as again:
            await feeder.send(topic, [14])
            await until(lambda: again.store.stored(topic) == {0: 15})

    assert sorted(again.numbers) == [*range(5), *range(9, 15)]
    (kept,) = member.store.rejected
    assert (kept.offset, kept.headers) == (8, "")
    assert kept.reason == (
        f"a compressed batch of 4 records, offsets 5 to 8, is larger than {most} bytes when unpacked"
    )
    assert 0 < kept.size < most


@pytest.mark.partitions(3)
async def test_many_batches_near_the_bound_are_all_read(kafka: Broker, topic: str) -> None:
    """One poll unpacks no more than the bound; what is left is fetched again, beside batches that are not compressed."""
    most = 100_000
    async with Feeder(kafka) as plain, Feeder(kafka, compression_type="zstd", linger_ms=0) as packed:
        for number in range(0, 60, 2):
            await packed.send_values(topic, [(value(number) + b" " * 90_000, number % 3)])
            await plain.send_values(topic, [(value(number + 1), number % 3)])
        async with Member(kafka, topic, group=fresh_group(), max_batch_bytes=most) as member:
            await until(lambda: member.store.stored(topic) == {0: 20, 1: 20, 2: 20})

    assert sorted(member.numbers) == list(range(60))
    assert member.store.rejected == []


async def test_each_topic_has_its_format(kafka: Broker, make_topic: MakeTopic) -> None:
    """Native never looks at headers; CloudEvents come structured and binary; auto takes each record as what it is."""
    native, cloud, auto = await make_topic(), await make_topic(), await make_topic()
    member = Member(kafka, native, cloud, auto, group=fresh_group(), formats={cloud: "cloudevents", auto: "auto"})
    structured, data = orjson.dumps(STRUCTURED), orjson.dumps({"n": 2})
    typed = [("content-type", b"application/cloudevents+json")]
    async with Feeder(kafka) as feeder, member:
        await feeder.send_values(native, [(value(7), 0)], headers=BINARY)
        await feeder.send_values(native, [(structured, 0)])
        await feeder.send_values(cloud, [(structured, 0)])
        await feeder.send_values(cloud, [(data, 0)], headers=BINARY)
        await feeder.send_values(cloud, [(value(8), 0)])
        await feeder.send_values(auto, [(value(9), 0)])
        await feeder.send_values(auto, [(structured.replace(b"s-1", b"s-2"), 0)])
        await feeder.send_values(auto, [(structured.replace(b"s-1", b"s-3"), 0)], headers=typed)
        await feeder.send_values(auto, [(data, 0)], headers=[(k, b"b-2" if v == b"b-1" else v) for k, v in BINARY])
        await until(lambda: [member.store.stored(name) for name in (native, cloud, auto)] == [{0: 2}, {0: 3}, {0: 4}])

    plans = [plan for batch in member.store.batches for plan in batch.plans]
    assert sorted((plan.event.type, plan.event.body["data"]["n"]) for plan in plans) == [
        ("order.paid", 1), ("order.paid", 1), ("order.paid", 1), ("order.sent", 2), ("order.sent", 2),
        ("t", 7), ("t", 9),
    ]  # fmt: skip
    assert {plan.event.id for plan in plans if plan.event.type == "order.sent"} == {"/shop#b-1", "/shop#b-2"}
    assert sorted((record.topic, record.offset) for record in member.store.rejected) == sorted(
        [(native, 1), (cloud, 2)]
    )


async def test_binary_data_that_is_no_object(kafka: Broker, topic: str) -> None:
    """A binary CloudEvent's bytes that are not JSON become base64."""
    member = Member(kafka, topic, group=fresh_group(), formats={topic: "cloudevents"})
    async with Feeder(kafka) as feeder, member:
        await feeder.send_values(topic, [(b"\xff\x00", 0)], headers=[*BINARY[:-1], ("content-type", b"image/png")])
        await until(lambda: member.store.batches)

    assert member.store.batches[0].plans[0].event.body["data"] == {"base64": base64.b64encode(b"\xff\x00").decode()}
