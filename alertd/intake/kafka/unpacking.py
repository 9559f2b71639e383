"""Compressed batches of records, unpacked no further than a bound.

aiokafka unpacks a batch whole, whatever comes out of it: 3 KB of zstd may be 100 MB. It has no hook for that, so it is given
another reader of what brokers answer, which is its own but for batches that are compressed. One that unpacks to more than
the bound, or not at all, becomes a single record in the place of its last one, with the packed bytes and the reason.
"""

from __future__ import annotations

import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cramjam
import zstandard
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from alertd.destinations.kafka_inside import check
from alertd.sources.compression import PARTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

ZSTD_WINDOW_MAX_BYTES: Final = 128 * 1024 * 1024
"""Greatest window that a frame of zstd may ask for: that of the highest level there is."""

# The header of a batch (KIP-98), big-endian: BaseOffset i64, Length i32, PartitionLeaderEpoch i32, Magic i8, CRC u32, Attributes
# i16, LastOffsetDelta i32, FirstTimestamp i64, MaxTimestamp i64, ProducerId i64, ProducerEpoch i16, BaseSequence i32, count i32.
_HEADER_BYTES: Final = 61
_COUNT_AT: Final = 57
_LENGTH_AT: Final = 8
_LENGTH_END: Final = 12
_CODEC_AT: Final = 22
_CODEC_BITS: Final = 0x07
_XERIAL: Final = struct.pack("!8sii", b"\x82SNAPPY\x00", 1, 1)
_LZ4_RATIO_MAX: Final = 255
_LZ4_FULL: Final = "failed to write whole buffer"
"""What cramjam says of more output than fits."""
_CHUNK_BYTES: Final = 1024 * 1024


class UnreadableBatch(bytes):
    """The packed bytes of a batch that was not unpacked, in the place of a record's value; `reason` says why."""

    reason: str = ""


class _StandIn(NamedTuple):
    """A record, as aiokafka looks at one."""

    offset: int
    timestamp: int
    timestamp_type: int
    value: UnreadableBatch
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None


class OversizeError(Exception):
    """More comes out than may."""


def install(limit: int) -> None:
    """Let every consumer of this process unpack at most `limit` bytes a batch from now on. Raises UnknownClientError."""
    check("aiokafka.consumer.fetcher", fetcher, ("MemoryRecords",))
    fetcher.MemoryRecords = partial(BoundedRecords, limit=limit)


class BoundedRecords:
    """What a broker sent of one partition, batch by batch; the shape is that of aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes, limit: int) -> None:
        self._records = MemoryRecords(data)
        self._data = memoryview(data)
        self._at = 0
        self._limit = limit
        self.has_next: Callable[[], bool] = self._records.has_next
        self.size_in_bytes: Callable[[], int] = self._records.size_in_bytes

    def next_batch(self) -> Any:
        """Return the next batch."""
        batch, begin = self._records.next_batch(), self._at
        self._at += _LENGTH_END + int.from_bytes(self._data[begin + _LENGTH_AT : begin + _LENGTH_END], "big")
        if not isinstance(batch, DefaultRecordBatch) or not batch.compression_type or batch.is_control_batch:
            return batch
        return _PackedBatch(batch, self._data[begin : self._at], self._limit)


class _PackedBatch:
    """A compressed batch: what aiokafka read of its header, and its records, which are unpacked when somebody wants them."""

    def __init__(self, batch: Any, data: memoryview, limit: int) -> None:
        self._batch = batch
        self._data = data
        self._limit = limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        whole = bytearray(self._data[:_HEADER_BYTES])
        try:
            whole += unpack(self._batch.compression_type, bytes(self._data[_HEADER_BYTES:]), self._limit)
        except OversizeError:
            return iter((self._stand_in(f"is larger than {self._limit} bytes when unpacked"),))
        except (zlib.error, zstandard.ZstdError, cramjam.DecompressionError, ValueError) as error:
            return iter((self._stand_in(f"cannot be unpacked: {error}"),))
        struct.pack_into(">i", whole, _LENGTH_AT, len(whole) - _LENGTH_END)
        whole[_CODEC_AT] &= ~_CODEC_BITS & 0xFF
        records: Iterator[Any] = iter(DefaultRecordBatch(whole))
        return records

    def _stand_in(self, why: str) -> _StandIn:
        batch = self._batch
        (count,) = struct.unpack_from(">i", self._data, _COUNT_AT)
        last = batch.next_offset - 1
        value = UnreadableBatch(self._data[_HEADER_BYTES:])
        value.reason = f"a compressed batch of {count} records, offsets {batch.base_offset} to {last}, {why}"
        return _StandIn(last, batch.max_timestamp, batch.timestamp_type, value)


def unpack(codec: int, packed: bytes, limit: int) -> Buffer:
    """Unpack what a producer packed with one of Kafka's codecs; what comes out is bytes of some kind.

    Raises OversizeError for more than `limit` bytes, which then were never all in memory, and zlib.error, ZstdError,
    DecompressionError or ValueError for what is not that codec's.
    """
    unpacker = _CODECS.get(codec)
    if unpacker is None:
        raise ValueError(f"its codec {codec} is not known")
    return unpacker(packed, limit)


def _gzip(packed: bytes, limit: int) -> Buffer:
    plain = bytearray()
    for _ in range(PARTS_MAX):
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        plain += stream.decompress(packed, limit + 1 - len(plain))
        _check(len(plain), limit)
        if not stream.eof:
            raise zlib.error("it ends too early")
        packed = stream.unused_data
        if not packed:
            return plain
    raise zlib.error(f"more than {PARTS_MAX} members")


def _snappy(packed: bytes, limit: int) -> Buffer:
    if not packed.startswith(_XERIAL):
        _check(cramjam.snappy.decompress_raw_len(packed), limit)
        return cramjam.snappy.decompress_raw(packed)
    plain, at = bytearray(), len(_XERIAL)
    while at < len(packed):
        begin = at + 4
        at = begin + int.from_bytes(packed[at:begin], "big")
        block = packed[begin:at]
        if len(block) < at - begin or not block:
            raise ValueError("a block of snappy is cut short")
        _check(len(plain) + cramjam.snappy.decompress_raw_len(block), limit)
        plain += cramjam.snappy.decompress_raw(block)
    return plain


def _lz4(packed: bytes, limit: int) -> Buffer:
    if _LZ4_RATIO_MAX * len(packed) <= limit:
        return cramjam.lz4.decompress(packed)
    room = bytearray(limit)  # takes memory only where something is written
    try:
        size = cramjam.lz4.decompress_into(packed, room)
    except cramjam.DecompressionError as error:
        if _LZ4_FULL in str(error):
            raise OversizeError from None
        raise
    del room[size:]
    return room


def _zstd(packed: bytes, limit: int) -> Buffer:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX_BYTES)
    reader, plain = decompressor.stream_reader(packed, read_across_frames=True), bytearray()
    while part := reader.read(_CHUNK_BYTES):
        plain += part
        _check(len(plain), limit)
    return plain


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise OversizeError


_CODECS: Final[dict[int, Callable[[bytes, int], Buffer]]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
