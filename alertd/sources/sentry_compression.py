"""Compressed bodies of Sentry's SDKs: what `alertd.sources.compression` reads, and brotli.

The Python SDK uses brotli on its own accord wherever it finds the module. The bound holds for what comes out and is
checked while it comes.
"""

from __future__ import annotations

from typing import Final

import brotli

from alertd.errors import NotJsonError, TooLargeError
from alertd.sources import compression
from alertd.sources.base import UnsupportedMediaTypeError

ACCEPTED: Final = f"{compression.ACCEPTED}, br"
"""What an answer of 415 may say in `Accept-Encoding`."""

_NAME: Final = "br"


def decompress(encoding: str | None, body: bytes, limit: int) -> bytes:
    """Inflate a body by its `Content-Encoding`, up to `limit` bytes. Errors: as `alertd.sources.compression.decompress`."""
    name = (encoding or "").strip().lower()
    if name != _NAME:
        try:
            return compression.decompress(encoding, body, limit)
        except UnsupportedMediaTypeError:
            detail = f"content encoding {name[:64]!r} is not read, send one of {ACCEPTED}"
            raise UnsupportedMediaTypeError(detail) from None
    try:
        plain = _inflate(body, limit)
    except brotli.error as error:
        raise NotJsonError(f"the body is not br: {error}") from error
    if plain is None:
        raise TooLargeError(f"the body is larger than {limit} bytes when decompressed")
    return plain


def _inflate(body: bytes, limit: int) -> bytes | None:
    """Return what comes out, None when it is more than `limit`. Raises `brotli.error`, also for what is cut short."""
    stream = brotli.Decompressor()
    plain = stream.process(body, output_buffer_limit=limit + 1)
    while len(plain) <= limit and not stream.is_finished():
        more = stream.process(b"", output_buffer_limit=limit + 1 - len(plain))
        if not more and not stream.is_finished():
            raise brotli.error("it ends too early")
        plain += more
    return plain if len(plain) <= limit else None
