"""Compressed bodies of SDKs: brotli, beside what is read everywhere."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from alertd.errors import NotJsonError, TooLargeError
from alertd.sources.base import UnsupportedMediaTypeError
from alertd.sources.sentry_compression import decompress

PLAIN = b'{"type":"event"}' * 100
LIMIT = 1024 * 1024


def raw_deflate(plain: bytes) -> bytes:
    """Deflate without a wrapper."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(plain) + stream.flush()


def test_every_encoding_of_an_sdk() -> None:
    """Brotli, gzip, deflate in both forms, zstd and none are read."""
    for encoding, body in (
        ("br", brotli.compress(PLAIN)),
        (" BR ", brotli.compress(PLAIN)),
        ("gzip", gzip.compress(PLAIN)),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", raw_deflate(PLAIN)),
        ("zstd", zstandard.compress(PLAIN)),
        ("identity", PLAIN),
        ("", PLAIN),
        (None, PLAIN),
    ):
        assert decompress(encoding, body, LIMIT) == PLAIN


def test_the_bound_is_on_what_comes_out() -> None:
    """Brotli is read at the bound and refused one byte beyond, whatever the bound."""
    for size in (0, 1, 1000, LIMIT):
        body = brotli.compress(b"a" * size)
        assert decompress("br", body, size) == b"a" * size
        if size:
            with pytest.raises(TooLargeError, match=f"larger than {size - 1} bytes"):
                decompress("br", body, size - 1)


def test_a_bomb_is_refused_without_being_held() -> None:
    """A hundred mebibytes in a small body cost no more memory than a few times the bound."""
    bomb = brotli.compress(b"\0" * 100 * LIMIT, quality=5)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            decompress("br", bomb, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 5 * LIMIT
    finally:
        tracemalloc.stop()


def test_broken_bodies() -> None:
    """Whatever is cut short, followed by more or no brotli at all is refused in words."""
    body = brotli.compress(PLAIN)
    broken = [body[:length] for length in range(len(body))]
    broken += [body + b"x", b"\xff" * 20, PLAIN, gzip.compress(PLAIN)]
    for each in broken:
        with pytest.raises(NotJsonError, match="the body is not br"):
            decompress("br", each, LIMIT)


@pytest.mark.parametrize("encoding", ["br, gzip", "gzip,br", "compress", "x" * 1000])
def test_other_encodings(encoding: str) -> None:
    """Unknown and stacked encodings are refused, with all that are read."""
    with pytest.raises(UnsupportedMediaTypeError, match=r"send one of gzip, deflate, zstd, br$"):
        decompress(encoding, PLAIN, LIMIT)
