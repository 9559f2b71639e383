"""Properties of Sentry's decoders: nothing raises anything but a refusal, what comes out is an event, work is linear."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import brotli
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.errors import DecodeError
from alertd.model.event import Bounds
from alertd.sources.base import Context
from alertd.sources.document import is_deeper
from alertd.sources.native import decode_record
from alertd.sources.sentry_auth import SdkKeyError, key_of
from alertd.sources.sentry_compression import decompress
from alertd.sources.sentry_envelope import Envelope
from alertd.sources.sentry_fit import DEPTH_MAX
from alertd.sources.sentry_sdk import SKIPPED, decode_envelope, decode_store
from alertd.sources.sentry_signature import is_signed, sign
from alertd.sources.sentry_webhook import RESOURCES, decode_value, decode_webhook
from tests.cost import cpu_seconds
from tests.unit.sources.sentry_samples import (
    COMMENT,
    CONTEXT,
    ERROR,
    ISSUE,
    METRIC_ALERT,
    envelope,
    hold_refusal,
    item,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.model.event import Event

SLOW_FACTOR = 24
SMALL = Context(workspace="default", now_ms=0, bounds=Bounds(max_event_bytes=2000, max_depth=5))

text = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | st.sampled_from(
        ["prod", "error", "2026-05-07T00:00:00Z", "a" * 300, "9ec79c33ec9942ab8353589fcb2e04dc", "\x00", "%s {}"]
    )
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)


def loose(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Make objects with these members, each of which may be missing or anything at all."""
    return st.fixed_dictionaries({}, optional={name: value | json_values for name, value in members.items()})


frames = loose(
    filename=text,
    abs_path=text,
    module=text,
    function=text,
    lineno=st.integers(-(2**63), 2**63),
    in_app=st.booleans(),
    context_line=text,
    pre_context=st.lists(text | st.none(), max_size=7),
)
stacktraces = loose(frames=st.lists(frames | json_values, max_size=4))
exceptions = loose(
    type=text,
    value=text,
    module=text,
    mechanism=loose(type=text, handled=st.booleans(), exception_id=st.integers(-(2**63), 2**63)),
    stacktrace=stacktraces,
)
errors = loose(
    event_id=st.sampled_from(["9ec79c33ec9942ab8353589fcb2e04dc", "x", ""]),
    timestamp=st.floats(allow_nan=False, allow_infinity=False) | st.just("2026-05-07T00:00:00Z"),
    level=st.sampled_from(["fatal", "error", "log", "LOUD"]),
    message=text,
    logentry=loose(message=text, formatted=text, params=st.lists(scalars, max_size=3)),
    exception=loose(values=st.lists(exceptions | json_values, max_size=13)) | st.lists(exceptions, max_size=2),
    threads=loose(values=st.lists(loose(crashed=st.booleans(), stacktrace=stacktraces), max_size=3)),
    stacktrace=stacktraces,
    tags=st.dictionaries(text, scalars, max_size=3) | st.lists(st.lists(text, max_size=3), max_size=3),
    fingerprint=st.lists(scalars, max_size=3),
    user=loose(id=text, ip_address=text),
    request=loose(url=text, method=text),
    contexts=loose(trace=loose(trace_id=text), feedback=loose(message=text, url=text)),
    sdk=loose(name=text),
    release=text,
    environment=text,
    transaction=text,
    title=text,
    culprit=text,
    url=text | st.just("https://x/projects/a/b/events/"),
    web_url=text,
    project=st.integers(-(2**63), 2**63),
    issue_id=text,
    type=st.sampled_from(["error", "transaction"]),
)
check_ins = loose(
    check_in_id=st.just("83a7c03ed0a04e1b97e2e3b18d38f244"),
    monitor_slug=text,
    status=st.sampled_from(["ok", "error"]),
    duration=st.floats(allow_nan=False, allow_infinity=False),
    monitor_config=loose(schedule=loose(type=text, value=scalars), timezone=text),
)
hooks = loose(
    action=st.sampled_from(["created", "resolved", "test", "ignored"]),
    actor=loose(type=text, id=scalars, name=text),
    data=loose(
        event=errors,
        error=errors,
        issue=loose(**{name: st.just(value) for name, value in ISSUE.items()}),
        metric_alert=loose(**{name: st.just(value) for name, value in METRIC_ALERT.items()}),
        description_text=text,
        **{name: st.just(value) for name, value in COMMENT.items()},
    ),
    event=errors,
    project_slug=text,
)
items = st.lists(
    st.tuples(
        st.sampled_from(["event", "feedback", "user_report", "check_in", "session", "x"]),
        errors | check_ins | json_values,
    ),
    max_size=3,
)
contexts = st.sampled_from([CONTEXT, SMALL])


def checked(call: Callable[[], list[Event]], context: Context) -> None:
    """Decode: refusals say something, and what comes out is an event by every rule of native ones."""
    try:
        events = call()
    except DecodeError as error:
        hold_refusal(error)
        return
    for event in events:
        assert len(event.payload) <= context.bounds.max_event_bytes
        assert not is_deeper(event.body, min(DEPTH_MAX, context.bounds.max_depth))
        assert decode_record(event.payload, context) == event


def events_of(body: bytes) -> list[Event]:
    """Decode an envelope into its events."""
    return decode_envelope(Envelope(body, CONTEXT), CONTEXT).events


def by_every_decoder(body: bytes, context: Context) -> None:
    """Give a body to every decoder of Sentry's formats."""
    for resource in (None, *sorted(RESOURCES), "other"):
        checked(partial(decode_webhook, body, resource, context), context)
    checked(lambda: decode_value(body, context), context)
    checked(lambda: decode_store(body, context).events, context)
    checked(lambda: decode_envelope(Envelope(body, context), context).events, context)


@settings(max_examples=150)
@given(errors, contexts)
def test_any_error_is_an_event(value: dict[str, Any], context: Context) -> None:
    """An error with anything in any of its members is decoded; only a bad id is ever held against it."""
    body = orjson.dumps(value)
    checked(lambda: decode_store(body, context).events, context)
    wrapped = orjson.dumps({"action": "triggered", "data": {"event": value}})
    if value and context is CONTEXT:
        assert len(decode_webhook(wrapped, "event_alert", context)) == 1
    checked(lambda: decode_webhook(wrapped, "event_alert", context), context)


@settings(max_examples=150)
@given(hooks | json_values, contexts)
def test_any_webhook_is_decoded_or_refused(value: Any, context: Context) -> None:
    """No JSON makes any decoder raise anything but a refusal."""
    by_every_decoder(orjson.dumps(value), context)


@settings(max_examples=150)
@given(items, loose(event_id=st.just("9ec79c33ec9942ab8353589fcb2e04dc"), dsn=text), contexts)
def test_any_envelope_is_decoded_or_refused(given_items: list[tuple[str, Any]], header: Any, context: Context) -> None:
    """No items in an envelope raise anything but a refusal."""
    parts = [item(kind, orjson.dumps(payload)) for kind, payload in given_items]
    body = b"\n".join([orjson.dumps(header), *parts])
    checked(lambda: decode_envelope(Envelope(body, context), context).events, context)


@settings(max_examples=500)
@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                b"{}",
                b"\n",
                b'{"type":"event"}',
                b'{"type":"event","length":2}',
                b'{"type":"x","length":100000000}',
                b'{"length":0}',
                b'"\\ud83d"',
                b"\xff",
                b" ",
            ]
        ),
        max_size=8,
    ).map(b"".join)
)
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    """No bytes raise anything but a refusal."""
    by_every_decoder(body, CONTEXT)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(sorted(SKIPPED)), st.binary(max_size=20)), max_size=5), st.booleans())
def test_framing_round_trip(parts: list[tuple[str, bytes]], end: bool) -> None:
    """Whatever payloads an envelope holds, the same ones are read, with a newline at the end or without."""
    body = envelope(*(item(kind, payload) for kind, payload in parts)) + b"\n" * end
    assert [(each.type, bytes(each.payload)) for each in Envelope(body, CONTEXT).items()] == parts


@settings(max_examples=200)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=3))
def test_a_damaged_envelope_is_decoded_or_refused(place: int, damage: bytes) -> None:
    """A good envelope with damage at any place raises nothing but a refusal."""
    whole = envelope(item("event", ERROR), item("session", {}))
    place %= len(whole)
    for body in (
        whole[:place] + damage + whole[place + len(damage) :],
        whole[:place],
        whole[:place] + whole[place + 1 :],
    ):
        checked(partial(events_of, body), CONTEXT)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_brotli_round_trip(plain: bytes, limit: int) -> None:
    """What fits is inflated whole, what does not is refused."""
    packed = brotli.compress(plain)
    if len(plain) <= limit:
        assert decompress("br", packed, limit) == plain
    else:
        with pytest.raises(DecodeError):
            decompress("br", packed, limit)


@settings(max_examples=150)
@given(st.binary(max_size=100))
def test_any_bytes_are_inflated_or_refused(body: bytes) -> None:
    """No bytes make inflating raise anything but a refusal."""
    try:
        assert len(decompress("br", body, 1000)) <= 1000
    except DecodeError as error:
        hold_refusal(error)


@given(*(st.none() | st.text(max_size=30) | st.just("Sentry sentry_key=a") for _ in range(4)))
def test_any_key_is_read_or_refused(header: str | None, other: str | None, query: str | None, dsn: str | None) -> None:
    """No text makes reading a key raise anything but its refusal."""
    with contextlib.suppress(SdkKeyError):
        assert key_of(header, other, query, dsn) != ""


@given(
    st.binary(max_size=50),
    st.binary(max_size=50),
    st.text(max_size=70),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_only_its_own_signature_is_right(body: bytes, other: bytes, signature: str, secret: str) -> None:
    """A body is signed by its own signature and by nothing else."""
    assert is_signed(secret, body, sign(secret, body))
    assert is_signed(secret, body, sign(secret, other)) == (body == other)
    assert is_signed(secret, body, signature) == (signature.strip() == sign(secret, body))


def spent(decode: Callable[[bytes], object], body: bytes) -> float:
    """Seconds of CPU that a body costs, read or refused."""

    def attempt() -> None:
        with contextlib.suppress(DecodeError):
            decode(body)

    return cpu_seconds(attempt)


WIDE = Context("default", 0, bounds=Bounds(max_body_bytes=16 << 20))


def by_envelope(body: bytes) -> object:
    """Decode as an event item of an envelope."""
    return decode_envelope(Envelope(envelope(item("event", body)), WIDE), WIDE)


def by_framing(body: bytes) -> object:
    """Walk an envelope."""
    return list(Envelope(body, WIDE).items())


def by_webhook(body: bytes) -> object:
    """Decode as a webhook."""
    return decode_webhook(body, "event_alert", WIDE)


def by_issue(body: bytes) -> object:
    """Decode as a webhook about an issue."""
    return decode_webhook(body, "issue", WIDE)


HOSTILE: dict[str, tuple[Callable[[bytes], object], bytes, bytes]] = {
    "frames": (by_envelope, b'{"exception":[{"type":"E","stacktrace":{"frames":[%s]}}]}', b'{"function":"f%d"}'),
    "empty frames": (by_envelope, b'{"exception":[{"type":"E","stacktrace":{"frames":[%s]}}]}', b"{}"),
    "exceptions": (by_envelope, b'{"exception":[%s]}', b'{"type":"E%d"}'),
    "threads": (by_envelope, b'{"threads":[%s]}', b'{"stacktrace":{"frames":[]}}'),
    "tags": (by_envelope, b'{"tags":{%s}}', b'"t%d":"v"'),
    "pairs": (by_envelope, b'{"tags":[%s]}', b'["t%d","v"]'),
    "fingerprint": (by_envelope, b'{"fingerprint":[%s]}', b'"part%d"'),
    "parameters": (by_envelope, b'{"logentry":{"message":"%%s","params":[%s]}}', b"%d"),
    "places": (by_envelope, b'{"logentry":{"message":"%s","params":[1]}}', b"%%-0+ #12.3"),
    "braces": (by_envelope, b'{"logentry":{"message":"%s","params":[1]}}', b"{x{"),
    "halves": (by_envelope, b'{"message":"%s"}', rb"\ud83d\\"),
    "lines": (by_envelope, b'{"message":"%s"}', rb"\n\t"),
    "unknown members": (by_webhook, b'{"data":{"event":{%s}}}', b'"m%d":{}'),
    "assignees": (by_issue, b'{"action":"created","data":{"issue":{"id":1,%s}}}', b'"x%d":1'),
    "newlines": (by_framing, b"{}%s", b"\n"),
    "items": (by_framing, b"{}\n%s", b'{"type":"a"}\nx\n'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_cost_linear_time(name: str) -> None:
    """Eight times the body costs about eight times as much (by squares it would be 64), and never a second."""
    decode, frame, part = HOSTILE[name]
    joint = b"" if name in {"places", "braces", "halves", "lines", "newlines", "items"} else b","

    def body(count: int) -> bytes:
        parts = (part % index if b"%d" in part else part.replace(b"%%", b"%") for index in range(count))
        return (
            frame.replace(b"%%", b"%").replace(b"%s", joint.join(parts), 1)
            if name != "parameters"
            else (b'{"logentry":{"message":"%s","params":[' + joint.join(parts) + b"]}}")
        )

    small, large = spent(decode, body(4_000)), spent(decode, body(32_000))
    assert large <= max(SLOW_FACTOR * small, 0.05)
    assert large < 1


@pytest.mark.parametrize("shape", [b"[%s]", b'{"data":{"event":%s}}', b'{"exception":%s}', b'{"extra":%s}'])
@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_ten_thousand_levels_are_refused(shape: bytes, opened: bytes, closed: bytes) -> None:
    """A deep nest anywhere is refused by every decoder, in no time."""
    body = shape % (opened * 10_000 + b"1" + closed * 10_000)

    def decode() -> None:
        by_every_decoder(body, CONTEXT)
        for kind in ("event", "feedback", "user_report", "check_in"):
            with pytest.raises(DecodeError):
                by_item(kind, body)

    assert cpu_seconds(decode) < 1


def by_item(kind: str, payload: bytes) -> object:
    """Decode as an item of an envelope."""
    return decode_envelope(Envelope(envelope(item(kind, payload)), CONTEXT), CONTEXT)


def test_hundreds_of_levels_that_are_not_kept() -> None:
    """What the parser still reads and nobody keeps refuses nothing."""
    nest = b'{"a":[' * 400 + b"1" + b"]}" * 400
    body = b'{"extra":%s,"contexts":{"trace":%s},"user":{"id":%s},"message":"x"}' % (nest, nest, nest)
    (event,) = decode_store(body, CONTEXT).events
    assert b'"a"' not in event.payload
