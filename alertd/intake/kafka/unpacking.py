"""Compressed batches of records, unpacked no further than a bound.

aiokafka unpacks a batch whole, whatever comes out of it: 3 KB of zstd may be 100 MB. It has no hook for that, so it is given
another reader of what brokers answer, which is its own but for batches that are compressed. One that unpacks to more than
the bound, or not at all, becomes a single record in the place of its last one, with the packed bytes and the reason. Of
many batches that one poll could bring, no more are unpacked once they come to the bound together; the rest is fetched again.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cramjam
import zstandard
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from alertd.destinations.kafka_inside import check
from alertd.errors import TooLargeError
from alertd.sources.compression import read_zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

HEADERS_MAX: Final = 10_000
"""How many headers a record of a compressed batch may have: two bytes of it become eighty of memory."""
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
_NO_MEMORY: Final = ("not enough memory", "Error -4")
"""What zstd and zlib say when the machine, not the batch, is to blame."""
_PIECE_BYTES: Final = 64 * 1024


class Unreadable(bytes):
    """What stands in the place of a record's value when it, or its whole batch, is not read: bytes as they came, and why not."""

    reason: str = ""


class Allowance:
    """How many bytes a batch may unpack to, and how many the batches of one poll still may before it ends."""

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit

    def renew(self) -> None:
        """Begin another poll."""
        self.left = self.limit


ALLOWANCE: Final = Allowance(16 * 1024 * 1024)
"""The one of this process, as the reader that it is for: whoever polls renews it before each poll."""


def install(limit: int) -> None:
    """Let every consumer of this process unpack at most `limit` bytes a batch from now on. Raises UnknownClientError."""
    check("aiokafka.consumer.fetcher", fetcher, ("MemoryRecords",))
    ALLOWANCE.limit = limit
    fetcher.MemoryRecords = partial(BoundedRecords, allowance=ALLOWANCE)


class _StandIn(NamedTuple):
    """A record, as aiokafka looks at one."""

    offset: int
    timestamp: int
    timestamp_type: int
    value: Unreadable
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None


class BoundedRecords:
    """What a broker sent of one partition, batch by batch; the shape is that of aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes | None, allowance: Allowance) -> None:
        self._records = MemoryRecords(data)
        self._data = memoryview(data or b"")
        self._at = 0
        self._allowance = allowance
        self._announced = False
        self.size_in_bytes: Callable[[], int] = self._records.size_in_bytes

    def has_next(self) -> bool:
        """Whether another batch may be read in this poll; the first time, when it has arrived, whether there is any."""
        if not self._records.has_next():
            return False
        announced, self._announced = self._announced, True
        if not announced or self._allowance.left > 0:
            return True
        codec = self._data[self._at + _CODEC_AT : self._at + _CODEC_AT + 1]
        return not codec or not codec[0] & _CODEC_BITS

    def next_batch(self) -> Any:
        """Return the next batch."""
        batch, begin = self._records.next_batch(), self._at
        self._at += _LENGTH_END + int.from_bytes(self._data[begin + _LENGTH_AT : begin + _LENGTH_END], "big")
        if not isinstance(batch, DefaultRecordBatch) or not batch.compression_type or batch.is_control_batch:
            return batch
        return _PackedBatch(batch, self._data[begin : self._at], self._allowance)


class _PackedBatch:
    """A compressed batch: what aiokafka read of its header, and its records, which are unpacked when somebody wants them."""

    def __init__(self, batch: Any, data: memoryview, allowance: Allowance) -> None:
        self._batch = batch
        self._data = data
        self._allowance = allowance
        (self._count,) = struct.unpack_from(">i", data, _COUNT_AT)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        allowance = self._allowance
        if not self._count:
            return
        try:
            plain = self._plain(allowance.limit)
        except TooLargeError as error:
            allowance.left -= allowance.limit
            yield self._stand_in(str(error))
            return
        except (zlib.error, zstandard.ZstdError, cramjam.DecompressionError, ValueError) as error:
            if any(words in str(error) for words in _NO_MEMORY):
                raise MemoryError(str(error)) from error
            yield self._stand_in(f"cannot be unpacked: {error}")
            return
        allowance.left -= len(plain)
        try:
            for record in DefaultRecordBatch(plain):
                if len(record.headers) > HEADERS_MAX:
                    why = f"a record with {len(record.headers)} headers, of which {HEADERS_MAX} are read at most"
                    yield _stand_in(record.offset, record.timestamp, record.timestamp_type, record.value or b"", why)
                else:
                    yield record
        except (CorruptRecordException, ValueError) as error:
            yield self._stand_in(f"cannot be read to its end: {error}")

    def _plain(self, limit: int) -> bytearray:
        """Write the batch as if its producer had not compressed it; the checksum stays what it was."""
        whole = bytearray(self._data[:_HEADER_BYTES])
        whole += unpack(self._batch.compression_type, bytes(self._data[_HEADER_BYTES:]), limit)
        whole[_CODEC_AT] &= ~_CODEC_BITS & 0xFF
        return whole

    def _stand_in(self, why: str) -> _StandIn:
        batch = self._batch
        last = batch.next_offset - 1
        reason = f"a compressed batch of {self._count} records, offsets {batch.base_offset} to {last}, {why}"
        return _stand_in(last, batch.max_timestamp, batch.timestamp_type, self._data[_HEADER_BYTES:], reason)


def _stand_in(offset: int, timestamp: int, timestamp_type: int, given: Buffer, reason: str) -> _StandIn:
    value = Unreadable(given)
    value.reason = reason
    return _StandIn(offset, timestamp, timestamp_type, value)


def unpack(codec: int, packed: bytes, limit: int) -> Buffer:
    """Unpack what a producer packed with one of Kafka's codecs; what comes out is bytes of some kind.

    Raises TooLargeError for more than `limit` bytes, which then were never all in memory, and zlib.error, ZstdError,
    DecompressionError or ValueError for what is not that codec's. What is cut short may also come out short, and what
    follows a whole member of gzip is passed over, as producers leave zeros there: the batch says how many records it has.
    """
    unpacker = _CODECS.get(codec)
    if unpacker is None:
        raise ValueError(f"its codec {codec} is not known")
    return unpacker(packed, limit)


def _gzip(packed: bytes, limit: int) -> Buffer:
    plain, data, at, members = bytearray(), memoryview(packed), 0, 0
    while at < len(data):
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            while not stream.eof and at < len(data):
                piece = data[at : at + _PIECE_BYTES]
                plain += stream.decompress(piece, limit + 1 - len(plain))
                at += len(piece) - len(stream.unconsumed_tail) - len(stream.unused_data)
                _check(len(plain), limit)
        except zlib.error:
            if not members:
                raise
            break
        members += stream.eof
    if not members:
        raise zlib.error("it ends too early")
    return plain


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
    with mmap.mmap(-1, limit) as room:  # takes memory only where something is written
        try:
            return room[: cramjam.lz4.decompress_into(packed, room)]
        except cramjam.DecompressionError as error:
            if _LZ4_FULL in str(error):
                raise _too_large(limit) from None
            raise


def _zstd(packed: bytes, limit: int) -> Buffer:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX_BYTES)
    plain = read_zstd(decompressor, packed, limit)
    if plain is None:
        raise _too_large(limit)
    return plain


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"is larger than {limit} bytes when unpacked")


_CODECS: Final[dict[int, Callable[[bytes, int], Buffer]]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
