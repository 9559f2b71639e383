"""Compressed bodies: gzip, deflate (zlib or raw) and zstd, inflated no further than the bound.

One encoding at a time; stacked ones are refused. The bound holds for what comes out and is checked while it comes, so
that a bomb never lies in memory. Concatenated gzip members and zstd frames are one body, up to `PARTS_MAX` of them.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import zstandard

from alertd.errors import NotJsonError, TooLargeError
from alertd.sources.base import UnsupportedMediaTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

ACCEPTED: Final = "gzip, deflate, zstd"
"""What an answer of 415 may say in `Accept-Encoding`."""
PARTS_MAX: Final = 64
"""Greatest number of gzip members or zstd frames in one body."""
ZSTD_WINDOW_MAX_BYTES: Final = 8 * 1024 * 1024
"""Greatest window that a zstd frame may ask for (the least that RFC 8878 wants to be supported)."""

_GZIP = 16 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_ZLIB_METHOD = 8
_ZLIB_CHECK = 31


def decompress(encoding: str | None, body: bytes, limit: int) -> bytes:
    """Inflate a body by its `Content-Encoding`, up to `limit` bytes.

    Errors: `UnsupportedMediaTypeError` for an unknown or stacked encoding, `TooLargeError` beyond the bound,
    `NotJsonError` for a body that is broken, cut short or followed by something else.
    """
    name = (encoding or "identity").strip().lower()
    inflate = _INFLATE.get(name)
    if inflate is None:
        raise UnsupportedMediaTypeError(f"content encoding {name[:64]!r} is not read, send one of {ACCEPTED}")
    try:
        plain = inflate(body, limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise NotJsonError(f"the body is not {name}: {error}") from error
    if plain is None:
        raise TooLargeError(f"the body is larger than {limit} bytes when decompressed")
    return plain


def _identity(body: bytes, limit: int) -> bytes | None:
    return body if len(body) <= limit else None


def _gzip(body: bytes, limit: int) -> bytes | None:
    plain = b""
    for _ in range(PARTS_MAX):
        part, body = _inflate(body, limit - len(plain), _GZIP)
        if part is None:
            return None
        plain += part
        if not body:
            return plain
    raise zlib.error(f"more than {PARTS_MAX} members")


def _deflate(body: bytes, limit: int) -> bytes | None:
    wrapped = len(body) > 1 and body[0] & 15 == _ZLIB_METHOD and int.from_bytes(body[:2], "big") % _ZLIB_CHECK == 0
    if wrapped:
        try:
            return _single(body, limit, zlib.MAX_WBITS)
        except zlib.error as error:
            try:
                return _single(body, limit, _RAW)
            except zlib.error:
                raise error from None
    return _single(body, limit, _RAW)


def _single(body: bytes, limit: int, window: int) -> bytes | None:
    plain, rest = _inflate(body, limit, window)
    if rest:
        raise zlib.error(f"{len(rest)} bytes follow its end")
    return plain


def _inflate(body: bytes, limit: int, window: int) -> tuple[bytes | None, bytes]:
    """Return what comes out (None: more than `limit`) and what follows the end of the stream."""
    stream = zlib.decompressobj(window)
    plain = stream.decompress(body, limit + 1)
    if len(plain) > limit:
        return None, b""
    if not stream.eof:
        raise zlib.error("it ends too early")
    return plain, stream.unused_data


def _zstd(body: bytes, limit: int) -> bytes | None:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX_BYTES)
    plain = read_zstd(decompressor, body, limit)
    if plain is not None:
        _check_frames(decompressor, body)
    return plain


def read_zstd(decompressor: zstandard.ZstdDecompressor, body: bytes, limit: int) -> bytes | None:
    """Inflate all frames of zstd up to `limit` bytes (None: they are more); one that is cut short is taken for the end."""
    reader = decompressor.stream_reader(body, read_across_frames=True)
    plain = b""
    while part := reader.read(limit + 1 - len(plain)):
        plain += part
        if len(plain) > limit:
            return None
    return plain


def _check_frames(decompressor: zstandard.ZstdDecompressor, body: bytes) -> None:
    """Raise unless every frame is whole: the reader takes a frame that is cut short for an end."""
    for _ in range(PARTS_MAX):
        frame = decompressor.decompressobj()
        frame.decompress(body)
        if not frame.eof:
            raise zstandard.ZstdError("it ends too early")
        body = frame.unused_data
        if not body:
            return
    raise zstandard.ZstdError(f"more than {PARTS_MAX} frames")


_INFLATE: dict[str, Callable[[bytes, int], bytes | None]] = {
    "identity": _identity,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
