"""What the express lane reads is what the server library reads, or it is left to it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, HttpVersion11, RawRequestMessage
from hypothesis import given
from hypothesis import strategies as st

from alertd.api.plain_request import (
    BEGUN_MAX_BYTES,
    HEAD_MAX_BYTES,
    LINES_MAX,
    PATH,
    Begun,
    Head,
    PlainReader,
    PlainRequest,
    read,
)

ENVELOPE = "/sentry/api/shop-42/envelope"
NAMES = [
    "Host", "Authorization", "content-type", "Content-Length", "Connection", "Content-Encoding", "Transfer-Encoding",
    "Expect", "Upgrade", "Trailer", "TE", "Sec-WebSocket-Key1", "ce-id", "X-Other", "Accept", "Cookie", "X_Y", "",
    "X-Sentry-Auth", "User-Agent", "Proxy-Connection", "ETag", "Server", "Content-Range", "Content-Location", "Max-Forwards",
]  # fmt: skip
VALUES = [
    "", "x", "0", "2", "3", "+2", "02", "2 ", " 2", "2,2", "keep-alive", "Keep-Alive", "close", "chunked", "gzip",
    "100-continue", "Bearer a", "application/json", "a\tb", "a: b", "\u00e9", "\x00", "\x7f", "a\r\n b",
]  # fmt: skip
STARTS = [
    f"POST {PATH} HTTP/1.1", f"POST {PATH}?a=b%20c HTTP/1.1", f"POST {PATH}?a#b HTTP/1.1", f"POST {PATH}/ HTTP/1.1",
    f"POST {PATH} HTTP/1.0", f"POST  {PATH} HTTP/1.1", f"GET {PATH} HTTP/1.1", f"POST http://x{PATH} HTTP/1.1",
    f"POST {ENVELOPE} HTTP/1.1", f"POST {ENVELOPE}/ HTTP/1.1", f"POST {ENVELOPE}?a=b HTTP/1.1", f"POST {ENVELOPE}x HTTP/1.1",
    "POST /sentry/api/a%2fb/envelope/ HTTP/1.1", "POST /sentry/api//envelope HTTP/1.1", "POST /sentry/api/4/store HTTP/1.1",
]  # fmt: skip
PLAIN = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nContent-Length: 2\r\n\r\n{{}}".encode()
PLAIN_HEAD = len(PLAIN) - len(b"{}")


def by_the_library(data: bytes) -> list[tuple[RawRequestMessage, bytes]] | None:
    """Read bytes as the server does; None when it refuses them or waits for more of a body."""

    async def parse() -> list[tuple[RawRequestMessage, bytes]] | None:
        loop = asyncio.get_running_loop()
        limits = {"max_line_size": 8190, "max_field_size": 8190, "max_headers": 128}
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False, **limits)
        try:
            messages, _, _ = parser.feed_data(data)
        except HttpProcessingError:
            return None
        if not all(payload.is_eof() for _, payload in messages):
            return None
        return [(message, await payload.read()) for message, payload in messages]

    return asyncio.run(parse())


@given(
    start=st.sampled_from(STARTS),
    headers=st.lists(
        st.one_of(
            st.just(("Host", "x")),
            st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)),
            st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES[:3])),
        ),
        max_size=8,
    ),
    framing=st.sampled_from(["Content-Length: 2", "content-length: 2", "Content-Length: 1", "Content-Length: 3", ""]),
    separator=st.sampled_from([": ", ": ", ": ", ":", " : "]),
    line=st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"]),
    body=st.sampled_from([b"{}", b"{}", b"", b"{}POST ", b"\r\n"]),
)
def test_what_is_plain_is_the_same_for_the_library(
    start: str, headers: list[tuple[str, str]], framing: str, separator: str, line: str, body: bytes
) -> None:
    """One request of HTTP/1.1, whole, alone, with these headers and this body, after which the connection stays open."""
    lines = [start, *(f"{name}{separator}{value}" for name, value in headers), *filter(None, [framing])]
    data = "".join(f"{each}{line}" for each in [*lines, ""]).encode() + body
    plain = read(data)
    if plain is None:
        return
    if isinstance(plain, Begun):
        data += b"x" * plain.missing
        plain = read(data)
    assert isinstance(plain, PlainRequest)
    found = by_the_library(data)
    assert found is not None
    ((message, read_body),) = found
    assert (message.method, message.version) == ("POST", HttpVersion11)
    project = plain.head.project
    paths = (PATH,) if project is None else (ENVELOPE, f"{ENVELOPE}/")
    assert message.path.partition("?")[0] in paths
    assert project in (None, "shop-42")
    assert project is None or "?" not in message.path
    assert not any((message.should_close, message.upgrade, message.chunked, message.compression))
    head = Head(
        message.headers.get("Authorization"),
        message.headers.get("Content-Type"),
        len(message.raw_headers),
        project,
        message.headers.get("X-Sentry-Auth"),
    )
    assert plain == PlainRequest(head, read_body)
    assert not any(name.lower().startswith("ce-") for name in message.headers)


@given(place=st.integers(0, len(PLAIN)), byte=st.binary(max_size=2), cut=st.integers(0, 2))
def test_a_byte_more_or_less(place: int, byte: bytes, cut: int) -> None:
    """Wherever a byte is changed, put in or left out: what is still plain is read alike by both."""
    data = PLAIN[:place] + byte + PLAIN[place + cut :]
    plain = read(data)
    if isinstance(plain, PlainRequest):
        found = by_the_library(data)
        assert found is not None
        ((message, body),) = found
        assert (plain.body, plain.head.headers) == (body, len(message.raw_headers))
        assert plain.head.authorization == message.headers.get("Authorization")


def head(*lines: str) -> bytes:
    """Write a request without a body."""
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: x", *lines, "Content-Length: 0", "", ""]).encode()


def test_the_bounds_of_a_head() -> None:
    """At most so many bytes, and so many headers."""
    room = HEAD_MAX_BYTES - len(head("X: "))
    assert read(head("X: " + "y" * room)) is not None
    assert read(head("X: " + "y" * (room + 1))) is None
    assert read(head(*["X: y"] * (LINES_MAX - 2))) is not None
    assert read(head(*["X: y"] * (LINES_MAX - 1))) is None


@pytest.mark.parametrize("end", range(len(PLAIN)))
def test_a_part_is_not_plain(end: int) -> None:
    """Only what is whole is read; with the whole head it is known how much is missing."""
    assert read(PLAIN[:end]) == (None if end < PLAIN_HEAD else Begun(len(PLAIN) - end))
    assert isinstance(read(PLAIN), PlainRequest)


def test_the_bound_of_a_body_that_is_waited_for() -> None:
    """A body of so many bytes, not of one more; and none that has more than it said."""
    most = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {BEGUN_MAX_BYTES}\r\n\r\n".encode()
    assert read(most) == Begun(BEGUN_MAX_BYTES)
    assert isinstance(read(most + b"x" * BEGUN_MAX_BYTES), PlainRequest)
    assert read(most + b"x" * (BEGUN_MAX_BYTES + 1)) is None
    more = most.replace(str(BEGUN_MAX_BYTES).encode(), str(BEGUN_MAX_BYTES + 1).encode())
    assert read(more) is None
    assert isinstance(read(more + b"x" * (BEGUN_MAX_BYTES + 1)), PlainRequest)


KNOWN = [
    PLAIN,
    PLAIN.replace(b"Length: 2", b"Length: 12"),
    PLAIN.replace(b"Bearer a", b"Bearer b"),
    PLAIN.replace(b" 2\r", b" 2  \r"),
]


@given(
    first=st.sampled_from(KNOWN),
    second=st.sampled_from(KNOWN),
    place=st.integers(0, len(PLAIN)),
    byte=st.sampled_from([b"", b"0", b"2", b" ", b"-", b"\r\n", b"x"]),
    cut=st.integers(0, 2),
    body=st.sampled_from([b"{}", b"", b"{}{", b"{" * 12]),
)
def test_what_came_before_changes_nothing(
    first: bytes, second: bytes, place: int, byte: bytes, cut: int, body: bytes
) -> None:
    """A connection reads each of its requests as if it were the first, whatever differs between their heads."""
    reader = PlainReader()
    reader.read(first)
    data = second[:place] + byte + second[place + cut :] + body
    for each in (data, second, data):
        assert reader.read(each) == read(each)


@pytest.mark.parametrize("spare", [0, 1])
def test_the_bounds_of_a_head_that_is_known(spare: int) -> None:
    """A length of one more digit makes it one byte longer."""
    reader = PlainReader()
    known = head("X: " + "y" * (HEAD_MAX_BYTES - len(head("X: ")) - spare))
    assert isinstance(reader.read(known), PlainRequest)
    assert (reader.read(_longer(known)) is None) == (spare == 0)
    assert isinstance(reader.read(known), PlainRequest)


def test_a_head_that_is_known_is_the_same_object() -> None:
    """So whoever remembers what its headers mean knows them again, whatever the length of the body."""
    reader = PlainReader()
    first, second, other = (reader.read(each) for each in (head(), _longer(head()), head("X: y")))
    assert isinstance(first, PlainRequest)
    assert isinstance(second, PlainRequest)
    assert isinstance(other, PlainRequest)
    assert second.body == b"x" * 10
    assert first.head is second.head
    assert first.head is not other.head


def _longer(data: bytes) -> bytes:
    """Give an empty request a body of ten bytes."""
    return data.replace(b"Length: 0", b"Length: 10") + b"x" * 10
