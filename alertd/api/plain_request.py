"""The one form of request that the express lane reads: whole, plain, to the intake of events or of envelopes. Pure.

Its body may still be on its way, as with clients that write head and body apart.

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
BEGUN_MAX_BYTES: Final = 65_536
"""A longer body is not waited for: it comes in more pieces than two."""

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
_LENGTH: Final = re.compile(rb"(?<=\ncontent-length: )[0-9]+(?= *\r)", re.IGNORECASE)
_ONCE: Final = frozenset(
    {b"authorization", b"x-sentry-auth", b"content-type", b"content-length", b"host", b"user-agent"}
)
"""Headers that may be there once; all others that are named above, but for the connection to be kept, must not be."""
_KEEP_ALIVE: Final = b"keep-alive"
_END: Final = b"\r\n\r\n"


class Head(NamedTuple):
    """What matters of a head but for the length of its body: headers (None: absent), and how many there are.

    `project` is the one in the path of an envelope, None for what goes to the intake of events.
    """

    authorization: str | None
    content_type: str | None
    headers: int
    project: str | None = None
    sentry_auth: str | None = None


class PlainRequest(NamedTuple):
    """A plain request that is there as a whole."""

    head: Head
    body: bytes


class Begun(NamedTuple):
    """A plain request with its whole head, of whose body so many bytes are missing."""

    missing: int


class PlainReader:
    """Reads the requests of one connection. A head is not read again when it differs from the last one in its length alone."""

    __slots__ = ("_after", "_before", "_head")

    def __init__(self) -> None:
        self._before = self._after = b""  # what stands before the digits of the length, and what behind them
        self._head: Head | None = None

    def read(self, data: bytes) -> PlainRequest | Begun | None:
        """Read bytes that are exactly one plain request, or the beginning of one; None for all others."""
        if not data.startswith(_STARTS):
            return None
        end = data.find(_END, 0, HEAD_MAX_BYTES) + len(_END)
        if end < len(_END):
            return None
        head, length = self._head, self._length(data, end)
        if head is None or length is None:
            fresh = _read_head(data[:end])
            if fresh is None:
                return None
            head, digits = fresh
            length = int(digits.group())
            self._head, self._before, self._after = head, data[: digits.start()], data[digits.end() : end]
        missing = length - (len(data) - end)
        if missing:
            return Begun(missing) if missing > 0 and length <= BEGUN_MAX_BYTES else None
        return PlainRequest(head, data[end:])

    def _length(self, data: bytes, end: int) -> int | None:
        """Read the length out of a head that is the last one in all else; None for another head."""
        start, stop = len(self._before), end - len(self._after)
        if not data.startswith(self._before) or not data.startswith(self._after, stop):
            return None
        digits = data[start:stop]
        return int(digits) if digits.isdigit() else None


def read(data: bytes) -> PlainRequest | Begun | None:
    """Read what comes first on a connection."""
    return PlainReader().read(data)


def _read_head(data: bytes) -> tuple[Head, re.Match[bytes]] | None:
    """Read a head, which ends with the first empty line; where its length stands comes with it."""
    head = _HEAD.fullmatch(data)
    named = None if head is None else _named(data)
    lines = data.count(b"\r\n") - 2
    length = _LENGTH.search(data)
    if head is None or named is None or length is None or lines > LINES_MAX:
        return None
    authorization, kind, auth = (named.get(name) for name in (b"authorization", b"content-type", b"x-sentry-auth"))
    return Head(_text(authorization), _text(kind), lines, _text(head[1]), _text(auth)), length


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
