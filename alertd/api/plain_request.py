"""The one form of request that the express lane reads: whole, plain, to the intake of events or of envelopes. Pure.

Its body may still be on its way, as with clients that write head and body apart.

It is narrower than HTTP: what is read here every reader of HTTP reads the same way, and whatever else there is in a
head (another version, a coding, an expectation, a name twice, a byte that is not ASCII) makes it somebody else's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

PATH: Final = "/api/v1/events"
HEAD_MAX_BYTES: Final = 4096
"""A longer head is not read."""
LINES_MAX: Final = 64
"""Nor one of more lines."""
BEGUN_MAX_BYTES: Final = 65_536
"""A longer body is not waited for: it comes in more pieces than two."""
HEADS_KEPT: Final = 256
"""So many different heads are known again when they come again."""

_STARTS: Final = (f"POST {PATH}".encode(), b"POST /sentry/api/")
_HEAD: Final = re.compile(
    rb"POST (?:/api/v1/events(?:\?[A-Za-z0-9_.~=&%+-]*)?|/sentry/api/([A-Za-z0-9_-]{1,64})/envelope/?)"
    rb" HTTP/1\.1\r\n(?:[A-Za-z0-9-]+: [!-~][ -~]*\r\n)+\r\n"
)
_NAMED: Final = re.compile(
    rb"\n(host|authorization|x-sentry-auth|user-agent|connection|proxy-connection|content-[^:]*|transfer-encoding|te|trailer|expect|upgrade"
    rb"|http2-settings|etag|server|max-forwards|sec-websocket-[^:]*|ce-[^:]*): ([^\r]*)",
    re.IGNORECASE,
)
_ONCE: Final = frozenset(
    {b"authorization", b"x-sentry-auth", b"content-type", b"content-length", b"host", b"user-agent"}
)
"""Headers that may be there once; all others that are named above, but for the connection to be kept, must not be."""
_KEEP_ALIVE: Final = b"keep-alive"
_END: Final = b"\r\n\r\n"


class Head(NamedTuple):
    """What matters of a head: headers (None: absent), how many there are, and the length of the body that follows.

    `project` is the one in the path of an envelope, None for what goes to the intake of events.
    """

    authorization: str | None
    content_type: str | None
    headers: int
    length: int
    project: str | None = None
    sentry_auth: str | None = None


class PlainRequest(NamedTuple):
    """A plain request that is there as a whole."""

    head: Head
    body: bytes


class Begun(NamedTuple):
    """A plain request with its whole head, of whose body so many bytes are missing."""

    missing: int


def read(data: bytes) -> PlainRequest | Begun | None:
    """Read bytes that are exactly one plain request, or the beginning of one; None for all others."""
    if not data.startswith(_STARTS):
        return None
    end = data.find(_END, 0, HEAD_MAX_BYTES) + len(_END)
    head = _read_head(data[:end]) if end >= len(_END) else None
    if head is None:
        return None
    missing = head.length - (len(data) - end)
    if missing:
        return Begun(missing) if missing > 0 and head.length <= BEGUN_MAX_BYTES else None
    return PlainRequest(head, data[end:])


@lru_cache(HEADS_KEPT)
def _read_head(data: bytes) -> Head | None:
    """Read a head, which ends with the first empty line; a client whose connection stays open sends the same ones again."""
    head = _HEAD.fullmatch(data)
    named = None if head is None else _named(data)
    lines = data.count(b"\r\n") - 2
    if head is None or named is None or lines > LINES_MAX:
        return None
    length = named.get(b"content-length", b"")
    if not length.isdigit():
        return None
    authorization, kind, auth = (named.get(name) for name in (b"authorization", b"content-type", b"x-sentry-auth"))
    return Head(_text(authorization), _text(kind), lines, int(length), _text(head[1]), _text(auth))


def _named(data: bytes) -> dict[bytes, bytes] | None:
    """Return the headers that matter by their names in small letters; None when one of them makes it less than plain."""
    found: dict[bytes, bytes] = {}
    for name, value in _NAMED.findall(data):
        kind = name.lower()
        if kind in found or (kind not in _ONCE and (kind != b"connection" or value.lower() != _KEEP_ALIVE)):
            return None
        found[kind] = value.rstrip()
    return found if b"host" in found else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("ascii")
