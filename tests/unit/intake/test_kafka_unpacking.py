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
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from alertd.errors import TooLargeError
from alertd.intake.kafka import unpacking
from alertd.intake.kafka.unpacking import (
    HEADERS_MAX,
    Allowance,
    BoundedRecords,
    Unreadable,
    install,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN, GZIP, SNAPPY, LZ4, ZSTD = range(5)
HEADER_BYTES = 61
PLACE = TopicPartition("events", 0)
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


def bounded(data: bytes | None, limit: int) -> BoundedRecords:
    """Read what a broker sent, with an allowance of its own."""
    return BoundedRecords(data, Allowance(limit))


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
    assert told(bounded(data, 1 << 30)) == told(MemoryRecords(data))
    assert bounded(data, 1).size_in_bytes() == len(data)
    assert not bounded(cut, 1).has_next()
    assert not bounded(b"", 1).has_next()


def test_what_is_not_compressed_is_left_to_the_library() -> None:
    """Its own batches come through, also those of old brokers, whose records are packed one in another, and control batches."""
    old = LegacyRecordBatchBuilder(magic=1, compression_type=GZIP, batch_size=1 << 20)
    old.append(0, timestamp=1, key=None, value=b"x" * 1000)
    for data in (bytes(old.build()), batch(PLAIN)):
        assert type(bounded(data, 1).next_batch()) is type(MemoryRecords(data).next_batch())
    control = bytearray(batch(GZIP))
    control[22] |= 0x20
    assert type(bounded(bytes(control), 1).next_batch()) is DefaultRecordBatch


@pytest.mark.parametrize("compression", [GZIP, SNAPPY, LZ4, ZSTD])
def test_a_batch_at_the_bound_is_read_and_one_byte_less_is_not(compression: int) -> None:
    """Beyond it there is one record at the batch's last offset, which says what there was; what follows is read."""
    packed = batch(compression)  # gzip says when it was made
    data = packed + batch(PLAIN, base=120)
    size = unpacked_size(data)
    assert told(bounded(data, size)) == told(MemoryRecords(data))
    refused, after = told(bounded(data, size - 1))
    assert after == told(MemoryRecords(data))[1]
    assert refused[:7] == told(MemoryRecords(data))[0][:7]
    ((offset, at, _, key, value, headers, checksum),) = refused[7]
    assert (offset, at, key, headers, checksum) == (119, 1_700_000_000_019, None, (), None)
    assert isinstance(value, Unreadable)
    assert value == packed[HEADER_BYTES:]
    assert (
        value.reason
        == f"a compressed batch of 20 records, offsets 100 to 119, is larger than {size - 1} bytes when unpacked"
    )


@pytest.mark.parametrize("compression", [GZIP, SNAPPY, LZ4, ZSTD, 5, 7])
def test_what_is_no_compression_is_one_unreadable_record(compression: int) -> None:
    """Rubbish, and a codec that nobody knows, neither end the consumer nor pass in silence."""
    data = bytearray(batch(PLAIN))
    data[22] |= compression
    ((*_, ((offset, *_, value, _, _),)),) = told(bounded(bytes(data), 1 << 20))
    assert offset == 119
    assert "offsets 100 to 119, cannot be unpacked: " in value.reason


@pytest.mark.parametrize("name", PACKERS)
def test_every_form_of_a_codec(name: str) -> None:
    """What comes out is what went in, for easy and hard texts of any length, exactly up to the bound."""
    codec, pack = PACKERS[name]
    chance = random.Random(name)  # noqa: S311 - the same each time
    for size in (2, 100, 32 * 1024, 32 * 1024 + 1, 70_000, 3_000_000):
        for data in (bytes(size), chance.randbytes(size)):
            packed = bytes(pack(data))
            assert bytes(unpack(codec, packed, size)) == data
            with pytest.raises(TooLargeError):
                unpack(codec, packed, size - 1)


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_cut_short_or_bent_is_an_error_or_less(name: str) -> None:
    """Whatever became of the bytes: never more than the bound, and never another error than those that are named."""
    codec, pack = PACKERS[name]
    chance = random.Random(name)  # noqa: S311 - the same each time
    packed = bytearray(pack(chance.randbytes(50_000) + bytes(50_000)))
    errors = (
        TooLargeError,
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


def test_blocks_of_snappy_that_are_none() -> None:
    """An empty one, one that is longer than what is there, and one whose length is cut short."""
    whole = bytes(aiokafka_codec.snappy_encode(b"x" * 100))
    for tail in (
        bytes(4),
        b"\xff\xff\xff\xff",
        (5).to_bytes(4, "big") + b"abcd",
        b"\x00\x00",
        (0).to_bytes(4, "big") + b"ab",
    ):
        with pytest.raises(ValueError, match="a block of snappy is cut short"):
            unpack(SNAPPY, whole + tail, 1000)


def test_members_of_gzip_are_one_batch() -> None:
    """As many as there are; what follows the last whole one is passed over, as the zeros are that some writers leave there."""
    member = aiokafka_codec.gzip_encode(b"x" * 10)
    for count in (1, 2, 5_000):
        packed = member * count
        for tail in (b"", bytes(8), b"junk", member[:-1]):
            assert bytes(unpack(GZIP, packed + tail, 10 * count + 10)).startswith(b"x" * 10 * count)
        assert bytes(unpack(GZIP, packed, 10 * count)) == b"x" * 10 * count
        with pytest.raises(TooLargeError):
            unpack(GZIP, packed, 10 * count - 1)
    for cut in (b"", member[:-1], member[:5], b"junk" + member, bytes(8) + member):
        with pytest.raises(unpacking.zlib.error):
            unpack(GZIP, cut, 1000)


def test_frames_of_zstd_are_one_batch() -> None:
    """All of them, and a window that is larger than the greatest level's is refused."""
    frame = bytes(aiokafka_codec.zstd_encode(b"x" * 10))
    assert bytes(unpack(ZSTD, frame * 3, 30)) == b"x" * 30
    with pytest.raises(TooLargeError):
        unpack(ZSTD, frame * 3, 29)
    wide = bytearray(zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 10))
    wide[5] = 18 << 3  # a window of 2 ** 28 bytes
    with pytest.raises(zstandard.ZstdError, match="too much memory"):
        unpack(ZSTD, bytes(wide), 1000)


@pytest.mark.parametrize("compression", [GZIP, SNAPPY, LZ4, ZSTD])
def test_fewer_or_more_records_than_announced(compression: int) -> None:
    """What can be read is read; when some is missing, one unreadable record at the end says so. Nothing is asked for for ever."""
    for count, missing in ((21, True), (19, False)):
        data = bytearray(batch(compression))
        data[57:61] = count.to_bytes(4, "big")
        (found,) = told(bounded(bytes(data), 1 << 20))
        records = [record for record in found[-1] if not isinstance(record[4], Unreadable)]
        assert [record[0] for record in records] == list(range(100, 100 + min(20, count)))
        reasons = [record[4].reason for record in found[-1] if isinstance(record[4], Unreadable)]
        assert reasons
        assert all(
            f"of {count} records, offsets 100 to 119, cannot be read to its end: " in reason for reason in reasons
        )
        fetched = PartitionRecords(PLACE, bounded(bytes(data), 1 << 20), [], 100, None, None, False, 0)
        assert [record.offset for record in fetched] == [*range(100, 100 + min(20, count)), *([] if missing else [119])]
        assert fetched.next_fetch_offset == 120


def test_a_batch_of_nothing_is_nothing() -> None:
    """Whatever stands behind its header."""
    data = bytearray(batch(GZIP)[:HEADER_BYTES])
    data[57:61] = bytes(4)
    data[8:12] = (HEADER_BYTES - 12).to_bytes(4, "big")
    assert [found[-1] for found in told(bounded(bytes(data), 1))] == [[]]


def test_a_partition_without_an_answer() -> None:
    """The protocol lets a broker leave the records out; so does the library."""
    for data in (None, b""):
        assert not bounded(data, 1).has_next()
        assert bounded(data, 1).size_in_bytes() == MemoryRecords(data).size_in_bytes()


def test_one_poll_unpacks_no_more_than_its_allowance() -> None:
    """What is over it is fetched again in the next poll, and what is not compressed is read all the same."""
    allowance = Allowance(unpacked_size(batch(GZIP)))
    data = b"".join([batch(GZIP), batch(PLAIN, base=120), batch(GZIP, base=140), batch(PLAIN, base=160)])
    for first, last in ((100, 140), (140, 180)):
        rest = data[data.index(first.to_bytes(8, "big")) :]
        arrived = BoundedRecords(rest, allowance)
        assert arrived.has_next(), "when it arrives, nothing is read yet"
        fetched = PartitionRecords(PLACE, arrived, [], first, None, None, True, 0)
        allowance.renew()
        assert [record.offset for record in fetched] == list(range(first, last))
        assert fetched.next_fetch_offset == last
        assert allowance.left <= 0
        again = BoundedRecords(rest, allowance)
        assert again.has_next()
        assert list(PartitionRecords(PLACE, again, [], first, None, None, True, 0)) == []
    allowance.renew()
    refused = BoundedRecords(batch(GZIP, 40) + batch(GZIP), allowance)
    assert next(iter(refused.next_batch())).value.reason.endswith("bytes when unpacked")
    assert refused.has_next()
    assert not refused.has_next(), "what was too large has cost the allowance too"


def test_many_headers_are_not_kept() -> None:
    """Each takes forty times its bytes. A record with more than the bound is unreadable, and its neighbours are not."""
    builder = DefaultRecordBatchBuilder(2, GZIP, 0, -1, -1, -1, 1 << 20)
    for number, count in enumerate((1, HEADERS_MAX, HEADERS_MAX + 1, 0)):
        builder.append(number, 7, None, b"v%d" % number, [("", None)] * count)
    (found,) = told(bounded(bytes(builder.build()), 1 << 20))
    assert [(record[0], record[4], len(record[5])) for record in found[-1]] == [
        (0, b"v0", 1), (1, b"v1", HEADERS_MAX), (2, b"v2", 0), (3, b"v3", 0),
    ]  # fmt: skip
    assert found[-1][2][4].reason == "a record with 10001 headers, of which 10000 are read at most"


@pytest.mark.parametrize(
    "error",
    [
        zstandard.ZstdError("zstd decompress error: Allocation error : not enough memory"),
        unpacking.zlib.error("Error -4 while decompressing data"),
    ],
)
def test_a_machine_without_memory_is_not_the_batchs_fault(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes again: nothing is passed over for what is over in a minute."""

    def fail(packed: bytes, limit: int) -> bytes:
        raise error

    monkeypatch.setitem(unpacking._CODECS, GZIP, fail)
    with pytest.raises(MemoryError):
        list(bounded(batch(GZIP), 1 << 20).next_batch())


BOMB = """
import json, sys
from pathlib import Path
from alertd.errors import TooLargeError
from alertd.intake.kafka.unpacking import unpack

def peak():  # this program's own; getrusage begins with that of whoever started it
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

kind, limit = int(sys.argv[1]), int(sys.argv[2])
made = sys.stdin.buffer.read()
before = peak()
try:
    unpack(kind, made, limit)
    refused = False
except TooLargeError:
    refused = True
print(json.dumps([refused, peak() - before]))
"""
LIMIT = 4 * 1024 * 1024


def grown(codec: int, packed: bytes, limit: int) -> tuple[bool, int]:
    """Unpack in a process of its own; say whether it was refused, and by how many KiB the process grew."""
    command = [sys.executable, "-c", BOMB, str(codec), str(limit)]
    ran = subprocess.run(command, input=packed, capture_output=True, check=True)  # noqa: S603 - our own words
    refused, kib = json.loads(ran.stdout)
    return refused, kib


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_never_lies_in_memory(name: str) -> None:
    """Of 64 MB no more is unpacked than a few times the bound."""
    codec, pack = PACKERS[name]
    refused, kib = grown(codec, bytes(pack(bytes(64_000_000))), LIMIT)
    assert refused
    assert kib * 1024 < 8 * LIMIT


def test_what_is_far_from_the_bound_does_not_take_it() -> None:
    """A batch that cannot be small for sure is not given the whole bound in memory."""
    packed = bytes(aiokafka_codec.lz4_encode(random.Random(1).randbytes(300_000)))  # noqa: S311 - the same each time
    limit = 64 * 1024 * 1024
    assert 255 * len(packed) > limit
    assert grown(LZ4, packed, limit) == (False, pytest.approx(0, abs=10 * 1024))


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
