"""Compressed bodies: every encoding, every bound, and what a refusal says."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from alertd.errors import NotJsonError, TooLargeError
from alertd.sources.base import UnsupportedMediaTypeError
from alertd.sources.compression import PARTS_MAX, decompress

PLAIN = b'{"type":"run:failed"}' * 50
LIMIT = 1024 * 1024


def raw_deflate(plain: bytes) -> bytes:
    """Deflate without a wrapper, as some clients send it."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(plain) + stream.flush()


def unsized_zstd(plain: bytes) -> bytes:
    """Make a zstd frame that does not say how much is in it."""
    return zstandard.ZstdCompressor(write_content_size=False).compress(plain)


Pack = Callable[[bytes], bytes]
PACKERS: dict[str, tuple[str, Pack]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw": ("deflate", raw_deflate),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "unsized zstd": ("zstd", unsized_zstd),
}
each_packer = pytest.mark.parametrize(("encoding", "pack"), PACKERS.values(), ids=PACKERS)


@each_packer
def test_each_encoding(encoding: str, pack: Pack) -> None:
    """Every encoding is read, whatever the case of its name and the space about it."""
    assert decompress(encoding, pack(PLAIN), LIMIT) == PLAIN
    assert decompress(f" {encoding.upper()} ", pack(PLAIN), LIMIT) == PLAIN
    assert decompress(encoding, pack(b""), LIMIT) == b""


@pytest.mark.parametrize("encoding", [None, "", "identity", "Identity"])
def test_no_encoding(encoding: str | None) -> None:
    """A body that is not compressed is the body, under the same bound."""
    assert decompress(encoding, PLAIN, len(PLAIN)) == PLAIN
    with pytest.raises(TooLargeError):
        decompress(encoding, PLAIN, len(PLAIN) - 1)


@each_packer
def test_the_bound_is_on_what_comes_out(encoding: str, pack: Pack) -> None:
    """A body is accepted at the bound after decompression and too large one byte beyond."""
    assert decompress(encoding, pack(b"a" * LIMIT), LIMIT) == b"a" * LIMIT
    with pytest.raises(TooLargeError, match=f"larger than {LIMIT} bytes when decompressed"):
        decompress(encoding, pack(b"a" * (LIMIT + 1)), LIMIT)


@each_packer
def test_a_bomb_is_refused_without_being_held(encoding: str, pack: Pack) -> None:
    """A hundred mebibytes in a small body cost no more memory than a few times the bound."""
    bomb = pack(b"\0" * 100 * LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            decompress(encoding, bomb, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 5 * LIMIT
    finally:
        tracemalloc.stop()


@each_packer
def test_a_body_cut_short_is_refused(encoding: str, pack: Pack) -> None:
    """Wherever a body is cut, it is refused in words, never taken for a shorter one."""
    body = pack(PLAIN)
    for length in range(len(body)):
        with pytest.raises(NotJsonError, match=f"the body is not {encoding}"):
            decompress(encoding, body[:length], LIMIT)


@each_packer
def test_what_follows_is_refused(encoding: str, pack: Pack) -> None:
    """Bytes after the end are an error, not ignored."""
    with pytest.raises(NotJsonError):
        decompress(encoding, pack(PLAIN) + b"garbage", LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"type":"a"}', b"\x1f\x8b", b"\x78\x9c\xff\xff", b"\x28\xb5\x2f\xfd"])
def test_what_is_not_compressed(encoding: str, body: bytes) -> None:
    """A body that is not what its encoding says is refused as unreadable."""
    with pytest.raises(NotJsonError):
        decompress(encoding, body, LIMIT)


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "gzip,zstd", "identity, gzip", "x" * 10_000])
def test_other_encodings(encoding: str) -> None:
    """An unknown or stacked encoding is refused with those that are read."""
    with pytest.raises(UnsupportedMediaTypeError, match="gzip, deflate, zstd") as caught:
        decompress(encoding, PLAIN, LIMIT)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_concatenated_parts(encoding: str) -> None:
    """Members and frames that follow each other are one body, up to their bound in number and in bytes."""
    pack = PACKERS[encoding][1]
    assert decompress(encoding, pack(b"ab") * PARTS_MAX, 2 * PARTS_MAX) == b"ab" * PARTS_MAX
    with pytest.raises(NotJsonError, match=f"more than {PARTS_MAX}"):
        decompress(encoding, pack(b"ab") * (PARTS_MAX + 1), LIMIT)
    with pytest.raises(TooLargeError):
        decompress(encoding, pack(b"ab") * PARTS_MAX, 2 * PARTS_MAX - 1)


def test_a_zstd_window_is_bounded() -> None:
    """A frame that asks for a window of 128 MiB is refused, however little is in it."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(PLAIN) + stream.flush()
    with pytest.raises(NotJsonError, match="zstd"):
        decompress("zstd", body, LIMIT)


def test_a_checksum_is_checked() -> None:
    """A gzip body whose checksum is wrong is refused."""
    body = bytearray(gzip.compress(PLAIN))
    body[-5] ^= 1
    with pytest.raises(NotJsonError):
        decompress("gzip", bytes(body), LIMIT)
