"""The framing of envelopes: every length, newline and end."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest

from alertd.errors import DecodeError, NotJsonError, TooLargeError
from alertd.sources.sentry_envelope import HEADER_MAX_BYTES, ITEMS_MAX, Envelope
from tests.unit.sources.sentry_samples import CONTEXT, OTHER_ID, refused

HEADER = b'{"event_id":"%s"}' % OTHER_ID.encode()
DSN = "https://e12d836b15bb49d7bbf99e64295d995b:@sentry.example/42"
TEXT = b"\xef\xbb\xbfHello\r\n"
EVENT = b'{"message":"hello world","level":"error"}'
TWO = (
    b'{"event_id":"%s","dsn":"%s"}\n' % (OTHER_ID.encode(), DSN.encode())
    + b'{"type":"attachment","length":10,"content_type":"text/plain","filename":"hello.txt"}\n'
    + TEXT
    + b'\n{"type":"event","length":41,"content_type":"application/json","filename":"application.log"}\n'
    + EVENT
)


def items(body: bytes) -> list[tuple[str, bytes]]:
    """Read all items of an envelope."""
    return [(item.type, bytes(item.payload)) for item in Envelope(body, CONTEXT).items()]


def wrong(body: bytes) -> dict[str, str]:
    """Read an envelope whose framing is broken and return the problems."""
    return refused(lambda: items(body), NotJsonError)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_two_items(end: bytes) -> None:
    """Items with a length are read to the byte, a carriage return inside belongs to them; the last newline is optional."""
    assert items(TWO + end) == [("attachment", TEXT), ("event", EVENT)]
    envelope = Envelope(TWO, CONTEXT)
    assert (envelope.event_id, envelope.dsn) == (OTHER_ID, DSN)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_empty_payloads(end: bytes) -> None:
    """A payload of no bytes is there, also at the end."""
    empty = b'{"type":"attachment","length":0}\n'
    assert items(HEADER + b"\n" + empty + b"\n" + empty + end) == [("attachment", b"")] * 2


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_implicit_lengths(end: bytes) -> None:
    """Without a length a payload goes to the next newline or to the end, a carriage return included."""
    assert items(HEADER + b'\n{"type":"attachment"}\nhelloworld' + end) == [("attachment", b"helloworld")]
    assert items(b'{}\n{"type":"session"}\n{"started": 1}\r' + end) == [("session", b'{"started": 1}\r')]
    assert items(b'{}\n{"type":"a"}\nx\n{"type":"b","length":1}\ny\n{"type":"c"}\nz' + end) == [
        ("a", b"x"),
        ("b", b"y"),
        ("c", b"z"),
    ]
    assert items(b'{}\n{"type":"a"}\n' + end) == [("a", b"")]


def test_no_items() -> None:
    """An envelope may be only its header, which may be empty."""
    for body in (HEADER, HEADER + b"\n", b"{}", b"{}\n"):
        assert items(body) == []
    assert Envelope(b"{}", CONTEXT).event_id is None
    assert Envelope(b"{}", CONTEXT).dsn is None


def test_a_payload_with_newlines() -> None:
    """With a length a payload may look like items."""
    inner = b'\n{"type":"event"}\n\n'
    assert items(b'{}\n{"type":"attachment","length":%d}\n%s\n{"type":"x"}\ny' % (len(inner), inner)) == [
        ("attachment", inner),
        ("x", b"y"),
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (b"", "/header", "not JSON"),
        (b"\n", "/header", "not JSON"),
        (b"[]", "/header", "expected an object, found an array"),
        (b"\xff", "/header", "not JSON"),
        (b"{}\n\n", "/items/0", "not JSON"),
        (b"{}\n ", "/items/0", "not JSON"),
        (b"{}\n[]", "/items/0", "expected an object, found an array"),
        (b'{}\n{"type":"a"}', "/items/0/payload", "ends before it"),
        (b'{}\n{"type":"a","length":0}', "/items/0/payload", "ends before it"),
        (b'{}\n{"length":1}\na', "/items/0/type", "is required"),
        (b'{}\n{"type":5}\na', "/items/0/type", "expected a text, found a number"),
        (b'{}\n{"type":"a","length":2}\na', "/items/0/payload", "2 bytes are announced, 1 are there"),
        (b'{}\n{"type":"a","length":1}\nab', "/items/0/payload", "expected a newline after its 1 bytes"),
        (b'{}\n{"type":"a","length":1}\na \n', "/items/0/payload", "expected a newline after its 1 bytes"),
        (b'{}\n{"type":"a","length":1}\na\r\n', "/items/0/payload", "expected a newline after its 1 bytes"),
        (b'{}\n{"type":"a","length":-1}\na', "/items/0/length", "expected a number of bytes"),
        (b'{}\n{"type":"a","length":1.0}\na', "/items/0/length", "expected a number of bytes"),
        (b'{}\n{"type":"a","length":true}\na', "/items/0/length", "expected a number of bytes"),
        (b'{}\n{"type":"a","length":"1"}\na', "/items/0/length", "expected a number of bytes"),
        (b'{}\n{"type":"a"}\nx\n{"type":"b","length":9}\ny', "/items/1/payload", "9 bytes are announced"),
        (b'{}\n{"type":"a"}\nx\n\n', "/items/1", "not JSON"),
    ],
)
def test_broken_framing(body: bytes, pointer: str, detail: str) -> None:
    """What is broken is named by the item and the reason."""
    problems = wrong(body)
    assert set(problems) == {pointer}
    assert detail in problems[pointer]


@pytest.mark.parametrize("length", [100 * 1024 * 1024, 2**63 - 1, 10**30])
def test_an_announced_length_costs_nothing(length: int) -> None:
    """A hundred megabytes that are only announced are refused, and no memory is taken for them."""
    body = b'{}\n{"type":"event","length":%d}\n{}' % length
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            items(body)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_what_is_skipped_is_not_copied() -> None:
    """A large attachment is walked over, not copied."""
    body = b'{}\n{"type":"attachment","length":%d}\n%s\n{"type":"x"}\ny' % (1 << 24, b"\n" * (1 << 24))
    tracemalloc.start()
    try:
        assert [item.type for item in Envelope(body, CONTEXT).items()] == ["attachment", "x"]
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_bound_of_a_header() -> None:
    """A line of headers is read at its bound and refused beyond, wherever it stands."""

    def padded(value: dict[str, Any], size: int) -> bytes:
        raw = orjson.dumps(value)
        return raw + b" " * (size - len(raw))

    assert items(padded({}, HEADER_MAX_BYTES) + b"\n" + padded({"type": "a"}, HEADER_MAX_BYTES) + b"\nx") == [
        ("a", b"x")
    ]
    for body in (padded({}, HEADER_MAX_BYTES + 1), b"{}\n" + padded({"type": "a"}, HEADER_MAX_BYTES + 1) + b"\nx"):
        with pytest.raises(TooLargeError, match=f"more than {HEADER_MAX_BYTES} bytes"):
            items(body)


def test_the_bound_on_items() -> None:
    """So many items are read and no more."""
    one = b'\n{"type":"session"}\n{}'
    assert len(items(b"{}" + one * ITEMS_MAX)) == ITEMS_MAX
    with pytest.raises(TooLargeError, match=f"more than {ITEMS_MAX} items"):
        items(b"{}" + one * (ITEMS_MAX + 1))


@pytest.mark.parametrize(
    "event_id", ["", "x", 5, {}, "9ec79c33ec9942ab8353589fcb2e04d", "9ec79c33-ec9942ab-8353-589fcb2e04dc"]
)
def test_a_bad_event_id(event_id: Any) -> None:
    """An event id in the header that is no UUID is named."""
    envelope = Envelope(orjson.dumps({"event_id": event_id}), CONTEXT)
    assert set(refused(lambda: envelope.event_id)) == {"/header/event_id"}


def test_every_form_of_an_event_id() -> None:
    """Dashes and capitals are tolerated."""
    for given in (OTHER_ID, OTHER_ID.upper(), "9ec79c33-ec99-42ab-8353-589fcb2e04dc"):
        assert Envelope(orjson.dumps({"event_id": given}), CONTEXT).event_id == OTHER_ID


def test_a_dsn_that_is_no_text() -> None:
    """A DSN of another kind is named."""
    assert set(refused(lambda: Envelope(b'{"dsn":5}', CONTEXT).dsn)) == {"/header/dsn"}
