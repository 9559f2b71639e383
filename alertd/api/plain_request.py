"""The one form of request that the express lane reads: whole, plain, to the intake. Pure.

It is narrower than HTTP: what is read here every reader of HTTP reads the same way, and whatever else there is in a
head (another version, a coding, an expectation, a name twice, a byte that is not ASCII) makes it somebody else's.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PATH: Final = "/api/v1/events"
HEAD_MAX_BYTES: Final = 4096
"""A longer head is not read."""
LINES_MAX: Final = 64
"""Nor one of more lines."""

_START: Final = f"POST {PATH}".encode()
_HEAD: Final = re.compile(
    re.escape(_START) + rb"(?:\?[A-Za-z0-9_.~=&%+-]*)? HTTP/1\.1\r\n(?:[A-Za-z0-9-]+: [!-~][ -~]*\r\n)+\r\n"
)
_NAMED: Final = re.compile(
    rb"\n(host|authorization|user-agent|connection|content-[^:]*|transfer-encoding|te|trailer|expect|upgrade"
    rb"|http2-settings|etag|server|max-forwards|sec-websocket-[^:]*|ce-[^:]*): ([^\r]*)",
    re.IGNORECASE,
)
_ONCE: Final = frozenset({b"authorization", b"content-type", b"content-length", b"host", b"user-agent"})
"""Headers that may be there once; all others that are named above, but for the connection to be kept, must not be."""
_KEEP_ALIVE: Final = b"keep-alive"


class PlainRequest(NamedTuple):
    """What matters of a request: two headers (None: absent), the body, and how many headers there are."""

    authorization: str | None
    content_type: str | None
    body: bytes
    headers: int


def read(data: bytes) -> PlainRequest | None:
    """Read bytes that are exactly one plain request; None for all others."""
    if not data.startswith(_START):
        return None
    head = _HEAD.match(data, 0, HEAD_MAX_BYTES)
    if head is None:
        return None
    end = head.end()
    lines = data.count(b"\r\n", 0, end) - 2
    named = _named(data, end)
    if named is None or lines > LINES_MAX:
        return None
    length = named.get(b"content-length", b"")
    if not length.isdigit() or int(length) != len(data) - end:
        return None
    return PlainRequest(_text(named.get(b"authorization")), _text(named.get(b"content-type")), data[end:], lines)


def _named(data: bytes, end: int) -> dict[bytes, bytes] | None:
    """Return the headers that matter by their names in small letters; None when one of them makes it less than plain."""
    found: dict[bytes, bytes] = {}
    for name, value in _NAMED.findall(data, 0, end):
        kind = name.lower()
        if kind in found or (kind not in _ONCE and (kind != b"connection" or value.lower() != _KEEP_ALIVE)):
            return None
        found[kind] = value.rstrip()
    return found if b"host" in found else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("ascii")
