"""Compressed batches are what aiokafka makes of them up to the bound, and one unreadable record beyond it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from aiokafka import codec as aiokafka_codec
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from alertd.intake.kafka import unpacking
from alertd.intake.kafka.unpacking import BoundedRecords, OversizeError, UnreadableBatch, install, unpack
from alertd.sources.compression import PARTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN, GZIP, SNAPPY, LZ4, ZSTD = range(5)
HEADER_BYTES = 61
FIELDS = ("offset", "timestamp", "timestamp_type", "key", "value", "headers", "checksum")
PACKERS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "gzip": (GZIP, aiokafka_codec.gzip_encode),
    "snappy of Java's": (SNAPPY, aiokafka_codec.snappy_encode),
    "snappy": (SNAPPY, lambda data: bytes(aiokafka_codec.snappy_encode(data, xerial_compatible=False))),
    "lz4": (LZ4, aiokafka_codec.lz4_encode),
    "zstd": (ZSTD, aiokafka_codec.zstd_encode),
    "zstd of unknown size": (ZSTD, lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data)),
    "zstd of the highest level": (ZSTD, lambda data: zstandard.ZstdCompressor(level=22).compress(data)),
}


def batch(compression: int, count: int = 20, base: int = 100, **more: int) -> bytes:
    """Make a batch with its records at offsets from `base` on."""
    options = {"is_transactional": 0, "producer_id": -1, "producer_epoch": -1, "base_sequence": -1, **more}
    builder = DefaultRecordBatchBuilder(magic=2, compression_type=compression, batch_size=1 << 20, **options)
    for number in range(count):
        headers: list[tuple[str, bytes | None]] = [("h", b"v"), ("none", None)] if number % 2 else []
        value = None if number == 3 else b"%d" % number * number * 50
        builder.append(number, 1_700_000_000_000 + number, b"k" if number % 3 else None, value, headers)
    made = bytearray(builder.build())
    made[:8] = base.to_bytes(8, "big")  # the broker's, not covered by the checksum
    return bytes(made)


def unpacked_size(compressed: bytes) -> int:
    """Say how many bytes of records there are in a batch."""
    plain = DefaultRecordBatch(compressed)
    return len(batch(PLAIN, plain.next_offset - plain.base_offset)) - HEADER_BYTES


def told(batches: Any) -> list[Any]:
    """List all that a fetch tells of its batches, and of their records."""
    found = []
    while batches.has_next():
        one = batches.next_batch()
        about = [
            one.base_offset,
            one.next_offset,
            one.magic,
            one.is_control_batch,
            one.is_transactional,
            one.producer_id,
        ]
        found.append([*about, one.validate_crc(), [[getattr(record, name) for name in FIELDS] for record in one]])
    return found


@pytest.mark.parametrize("compression", [PLAIN, GZIP, SNAPPY, LZ4, ZSTD])
def test_within_the_bound_nothing_changes(compression: int) -> None:
    """Batches, mixed with others, with transactions, and cut short at the end, are what they are to aiokafka."""
    cut = batch(compression)[:-1]
    data = b"".join([
        batch(compression),
        batch(PLAIN, base=200),
        batch(compression, 1, 300, is_transactional=1, producer_id=7, producer_epoch=1, base_sequence=5),
        cut,
    ])  # fmt: skip
    assert told(BoundedRecords(data, 1 << 30)) == told(MemoryRecords(data))
    assert BoundedRecords(data, 1).size_in_bytes() == len(data)
    assert not BoundedRecords(cut, 1).has_next()
    assert not BoundedRecords(b"", 1).has_next()


def test_what_is_not_compressed_is_left_to_the_library() -> None:
    """Its own batches come through, also those of old brokers, whose records are packed one in another, and control batches."""
    old = LegacyRecordBatchBuilder(magic=1, compression_type=GZIP, batch_size=1 << 20)
    old.append(0, timestamp=1, key=None, value=b"x" * 1000)
    for data in (bytes(old.build()), batch(PLAIN)):
        assert type(BoundedRecords(data, 1).next_batch()) is type(MemoryRecords(data).next_batch())
    control = bytearray(batch(GZIP))
    control[22] |= 0x20
    assert type(BoundedRecords(bytes(control), 1).next_batch()) is DefaultRecordBatch


@pytest.mark.parametrize("compression", [GZIP, SNAPPY, LZ4, ZSTD])
def test_a_batch_at_the_bound_is_read_and_one_byte_less_is_not(compression: int) -> None:
    """Beyond it there is one record at the batch's last offset, which says what there was; what follows is read."""
    data = batch(compression) + batch(PLAIN, base=120)
    size = unpacked_size(data)
    assert told(BoundedRecords(data, size)) == told(MemoryRecords(data))
    refused, after = told(BoundedRecords(data, size - 1))
    assert after == told(MemoryRecords(data))[1]
    assert refused[:7] == told(MemoryRecords(data))[0][:7]
    ((offset, at, _, key, value, headers, checksum),) = refused[7]
    assert (offset, at, key, headers, checksum) == (119, 1_700_000_000_019, None, (), None)
    assert isinstance(value, UnreadableBatch)
    assert value == batch(compression)[HEADER_BYTES:]
    assert (
        value.reason
        == f"a compressed batch of 20 records, offsets 100 to 119, is larger than {size - 1} bytes when unpacked"
    )


@pytest.mark.parametrize("compression", [GZIP, SNAPPY, LZ4, ZSTD, 5, 7])
def test_what_is_no_compression_is_one_unreadable_record(compression: int) -> None:
    """Rubbish, and a codec that nobody knows, neither end the consumer nor pass in silence."""
    data = bytearray(batch(PLAIN))
    data[22] |= compression
    ((*_, ((offset, *_, value, _, _),)),) = told(BoundedRecords(bytes(data), 1 << 20))
    assert offset == 119
    assert "offsets 100 to 119, cannot be unpacked: " in value.reason


@pytest.mark.parametrize("name", PACKERS)
def test_every_form_of_a_codec(name: str) -> None:
    """What comes out is what went in, for easy and hard texts of any length, exactly up to the bound."""
    codec, pack = PACKERS[name]
    chance = random.Random(name)  # noqa: S311 - the same each time
    for size in (1, 100, 32 * 1024, 32 * 1024 + 1, 70_000, 3_000_000):
        for data in (bytes(size), chance.randbytes(size)):
            packed = bytes(pack(data))
            assert bytes(unpack(codec, packed, size)) == data
            with pytest.raises(OversizeError):
                unpack(codec, packed, size - 1)


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_cut_short_or_bent_is_an_error_or_less(name: str) -> None:
    """Whatever became of the bytes: never more than the bound, and never another error than those that are named."""
    codec, pack = PACKERS[name]
    chance = random.Random(name)  # noqa: S311 - the same each time
    packed = bytearray(pack(chance.randbytes(50_000) + bytes(50_000)))
    errors = (
        OversizeError,
        unpacking.zlib.error,
        zstandard.ZstdError,
        unpacking.cramjam.DecompressionError,
        ValueError,
    )
    for _ in range(300):
        bent = bytearray(packed[: chance.choice([len(packed), chance.randrange(len(packed))])])
        for _ in range(chance.randrange(3)):
            if bent:
                bent[chance.choice([chance.randrange(len(bent)), chance.randrange(min(40, len(bent)))])] ^= (
                    1 << chance.randrange(8)
                )
        with suppress(*errors):
            assert len(bytes(unpack(codec, bytes(bent), 200_000))) <= 200_000


def test_members_of_gzip_are_one_batch_up_to_their_bound() -> None:
    """As bodies over HTTP may have."""
    member = aiokafka_codec.gzip_encode(b"x" * 10)
    assert bytes(unpack(GZIP, member * PARTS_MAX, 10 * PARTS_MAX)) == b"x" * 10 * PARTS_MAX
    with pytest.raises(OversizeError):
        unpack(GZIP, member * 3, 29)
    with pytest.raises(unpacking.zlib.error, match="more than 64 members"):
        unpack(GZIP, member * (PARTS_MAX + 1), 1 << 20)


BOMB = """
import json, resource, sys
from aiokafka import codec
from alertd.intake.kafka.unpacking import OversizeError, unpack

kind, limit = int(sys.argv[1]), int(sys.argv[2])
made = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    unpack(kind, made, limit)
    refused = False
except OversizeError:
    refused = True
print(json.dumps([refused, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""
LIMIT = 4 * 1024 * 1024


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_never_lies_in_memory(name: str) -> None:
    """Of 64 MB no more is unpacked than a few times the bound."""
    codec, pack = PACKERS[name]
    bomb = bytes(pack(bytes(64_000_000)))
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", BOMB, str(codec), str(LIMIT)], input=bomb, capture_output=True, check=True
    )
    refused, grown_kib = json.loads(ran.stdout)
    assert refused
    assert grown_kib * 1024 < 8 * LIMIT


def test_another_aiokafka_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads batches by another name is said before anything is read with it."""
    monkeypatch.delattr(fetcher, "MemoryRecords")
    with pytest.raises(RuntimeError, match=r"no aiokafka\.consumer\.fetcher\.MemoryRecords"):
        install(1)


def test_the_fetcher_reads_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name that is exchanged is the one that it reads by."""
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    install(17)
    assert "MemoryRecords" in fetcher.Fetcher._proc_fetch_request.__code__.co_names
    (found,) = told(fetcher.MemoryRecords(batch(GZIP)))
    assert "larger than 17 bytes" in found[-1][0][4].reason
