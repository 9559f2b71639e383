"""Properties of all decoders: good events survive, nothing else raises anything but a refusal, and work is linear."""

from __future__ import annotations

import contextlib
import copy
import gzip
import zlib
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.clock import rfc3339
from alertd.errors import DecodeError
from alertd.model.event import Bounds
from alertd.sources.base import Context
from alertd.sources.cloudevents import decode_batch, decode_structured, idempotency_key
from alertd.sources.compression import decompress
from alertd.sources.detect import Format, decode_http, decode_kafka
from alertd.sources.explain import explain
from alertd.sources.fields import FIELDS, is_name, is_plain_time, read_time
from alertd.sources.native import build, decode_json, decode_ndjson, decode_object, decode_record
from alertd.sources.problems import Problems
from tests.cost import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.model.event import Event

CONTEXT = Context(
    workspace="default",
    now_ms=1_778_112_000_000,
    workspaces=frozenset({"default", "other"}),
    bounds=Bounds(max_event_bytes=600, max_depth=5),
)
SLOW_FACTOR = 24

text = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
places = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=10)
json_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
json_values = st.recursive(
    json_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=12
)
times = st.integers(-(10**12), 10**13).map(rfc3339)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "id": names,
    "workspace": st.just("default"),
    "project": places,
    "environment": places,
    "source": text,
    "severity": st.sampled_from(["debug", "info", "warning", "error", "critical", "fatal"]),
    "time": times,
    "key": places,
    "message": text,
    "url": text,
    "labels": st.dictionaries(text.filter(bool), text, max_size=3),
    "data": st.dictionaries(text, json_scalars | st.lists(json_scalars, max_size=2), max_size=2),
}
good_events = st.fixed_dictionaries({"type": names}, optional=GOOD)
odd_values = json_values | st.sampled_from(
    [
        "",
        " ",
        "other",
        "unknown",
        "2026-02-29T00:00:00Z",
        "2026-05-07t00:00:00z",
        "\x00",
        "a" * 257,
        [[[[[]]]]],
        {"a": {"b": {"c": {"d": {}}}}},
    ]
)
strange_events = st.builds(
    lambda good, odd, dropped: {k: v for k, v in (good | odd).items() if k != dropped},
    good_events,
    st.dictionaries(st.sampled_from([*FIELDS, "typ", "foo", "specversion"]), odd_values, max_size=2),
    st.sampled_from([None, "type", "labels"]),
)
contexts = st.sampled_from(
    [CONTEXT, Context("default", 0, frozenset({"default", "other"}), CONTEXT.bounds, confined=False)]
)


@given(good_events)
def test_a_good_event_survives(value: dict[str, Any]) -> None:
    """Whatever is valid is kept, and decoding what came out changes nothing."""
    context = Context(workspace="default", now_ms=0, workspaces=frozenset({"default"}))
    event = decode_record(orjson.dumps(value), context)
    expected = dict(value)
    if expected.get("severity") == "fatal":
        expected["severity"] = "critical"
    assert {name: event.body[name] for name in expected} == expected
    assert event.payload.startswith(b'{"id":' if "id" in value else b'{"type":')
    again = decode_record(event.payload, context)
    assert again == event


@settings(max_examples=500)
@given(strange_events, contexts)
def test_the_builder_and_the_explainer_agree(value: dict[str, Any], context: Context) -> None:
    """What the fast builder refuses has a problem, what it accepts has none; nulls alone make the careful way longer."""
    before = copy.deepcopy(value)
    problems, fields = Problems(), Problems()
    event = decode_object(value, "", context, problems)
    explain(value, "", context, fields)
    assert (event is None) == bool(len(problems))
    if event is not None:
        assert not len(fields)
        plain = {name: item for name, item in value.items() if item is not None}
        assert build(plain, context) == event
    elif not len(fields):
        assert [str(problem) for problem in problems.error().problems] == ["the event has more than 600 bytes as JSON"]
    assert value == before


@given(json_values | st.lists(strange_events, max_size=3), contexts)
def test_any_json_is_decoded_or_refused(value: Any, context: Context) -> None:
    """No JSON value makes any decoder raise anything but a refusal."""
    body = orjson.dumps(value)
    everything(body, {}, context)


@settings(max_examples=300)
@given(
    st.binary(max_size=200) | st.sampled_from([b'{"type":"a"', b"[", b"\x1f\x8b", b"\xff"]), st.dictionaries(text, text)
)
def test_any_bytes_are_decoded_or_refused(body: bytes, headers: dict[str, str]) -> None:
    """No bytes make any decoder raise anything but a refusal."""
    everything(body, headers, CONTEXT)


def refusals(error: DecodeError) -> int:
    """Count what a refusal says, which must be something."""
    count = len(error.problems)
    assert count
    return count


def kafka(form: Format, body: bytes, context: Context) -> list[Event]:
    """Decode a record without headers."""
    return [decode_kafka(form, [], body, context)]


def everything(body: bytes, headers: dict[str, str], context: Context) -> None:
    """Give a body to every decoder there is."""
    types = [
        None,
        "application/json",
        "application/x-ndjson",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "text/plain",
    ]
    marks = {"ce-specversion": "1.0", "ce-type": "a", "ce-source": "b", "ce-id": "c"}
    calls: list[Callable[[], list[Event]]] = [
        lambda: decode_json(body, context),
        lambda: decode_ndjson(body, context),
        lambda: decode_batch(body, context),
        lambda: [decode_structured(body, context)],
    ]
    calls += [partial(decode_http, t, h, body, context) for t in types for h in (headers, headers | marks)]
    calls += [partial(kafka, form, body, context) for form in get_args(Format)]
    for call in calls:
        try:
            events = call()
        except DecodeError as error:
            refusals(error)
        else:
            assert all(orjson.loads(event.payload) == event.body for event in events)


@given(
    st.dictionaries(
        st.sampled_from(["ce-id", "Ce-Type", "CE-source", "ce-specversion", "ce-time", "ce-x", "ce-Å"]),
        st.text(max_size=8),
    ),
    st.binary(max_size=20),
)
def test_any_http_headers_are_decoded_or_refused(headers: dict[str, str], body: bytes) -> None:
    """No header makes any decoder raise anything but a refusal, lone surrogates included."""
    everything(body, headers, CONTEXT)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "ce_type", "ce_source", "ce_specversion", "content-type", "x"]),
            st.none() | st.binary(max_size=8),
        )
    ),
    st.none() | st.binary(max_size=20),
)
def test_any_kafka_headers_are_decoded_or_refused(headers: list[tuple[str, bytes | None]], value: bytes | None) -> None:
    """No record makes any decoder raise anything but a refusal."""
    for form in get_args(Format):
        try:
            decode_kafka(form, headers, value, CONTEXT)
        except DecodeError as error:
            refusals(error)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "source",
                "type",
                "specversion",
                "time",
                "subject",
                "data",
                "data_base64",
                "datacontenttype",
                "dataschema",
                "severity",
                "project",
                "workspace",
                "x",
                "X",
            ]
        ),
        odd_values | st.just("1.0"),
    )
)
def test_any_cloudevent_is_decoded_or_refused(value: dict[str, Any]) -> None:
    """No set of attributes makes the decoder raise anything but a refusal."""
    value = {"specversion": "1.0", "type": "a", "source": "b", "id": "c"} | value
    everything(orjson.dumps(value), {}, CONTEXT)


@given(st.tuples(text, text), st.tuples(text, text))
def test_two_cloudevents_never_share_an_idempotency_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Pairs of source and id have the same key only if they are the same, and every key is a good event id."""
    assert (idempotency_key(*one) == idempotency_key(*other)) == (one == other)
    assert is_name(idempotency_key(*one))


@given(
    st.text(max_size=30)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[tT][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([zZ]|[+-][0-9]{2}:[0-9]{2})")
)
def test_every_time_that_is_kept_can_be_read(given_time: str) -> None:
    """Whatever is kept as a time, Python reads back; the quick check accepts nothing that the careful one would not."""
    kept = read_time(given_time)
    if kept is not None:
        assert datetime.fromisoformat(kept).utcoffset() is not None
        assert read_time(kept) == kept
    if is_plain_time(given_time):
        datetime.fromisoformat(given_time)
        assert kept == given_time


@given(st.binary(max_size=300), st.integers(0, 400))
def test_compression_round_trip(plain: bytes, limit: int) -> None:
    """What fits is inflated whole, what does not is too large, in every encoding."""
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(plain),
        "deflate": zlib.compress(plain),
        "Deflate": raw.compress(plain) + raw.flush(),
        "zstd": zstandard.ZstdCompressor().compress(plain),
        "identity": plain,
    }
    for name, body in packed.items():
        if len(plain) <= limit:
            assert decompress(name, body, limit) == plain
        else:
            with pytest.raises(DecodeError):
                decompress(name, body, limit)


@settings(max_examples=300)
@given(
    st.binary(max_size=100),
    st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"\x78\x9c", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"]),
)
def test_any_bytes_are_inflated_or_refused(body: bytes, start: bytes) -> None:
    """No bytes make inflating raise anything but a refusal."""
    for name in ("gzip", "deflate", "zstd"):
        try:
            assert len(decompress(name, start + body, 1000)) <= 1000
        except DecodeError as error:
            refusals(error)


def spent(body: bytes, content_type: str) -> float:
    """Seconds of CPU that a body costs, read or refused."""
    bounds = Bounds(max_body_bytes=16 << 20, max_event_bytes=16 << 20, max_events=1 << 20)
    context = Context(workspace="default", now_ms=0, bounds=bounds)

    def decode() -> None:
        with contextlib.suppress(DecodeError):
            decode_http(content_type, {}, body, context)

    return cpu_seconds(decode)


def hostile() -> dict[str, tuple[str, bytes, bytes]]:
    """Bodies made to be slow: a content type, what is repeated, and how each copy is told from the next (`%d`)."""
    return {
        "unknown fields": ("application/json", b"{%s}", b'"f%d":1'),
        "labels": ("application/json", b'{"type":"a","labels":{%s}}', b'"l%d":1'),
        "nested objects": ("application/json", b'{"type":"a","data":{%s}}', b'"o%d":{"a":{}}'),
        "bad items": ("application/x-ndjson", b"%s", b"%d"),
        "blank lines": ("application/x-ndjson", b"%s", b"\n \n"),
        "extensions": ("application/cloudevents+json", b'{"specversion":"1.0",%s}', b'"E%d":1'),
        "wide arrays": ("application/json", b'{"type":"a","data":{"x":[%s]}}', b"[%d]"),
    }


@pytest.mark.parametrize("name", hostile())
def test_hostile_bodies_cost_linear_time(name: str) -> None:
    """Eight times the body costs about eight times as much (by squares it would be 64), and never a second."""
    content_type, frame, part = hostile()[name]
    joint = b"\n" if "ndjson" in content_type else b","

    def body(count: int) -> bytes:
        parts = (part % index if b"%d" in part else part for index in range(count))
        return frame % joint.join(parts)

    small, large = spent(body(10_000), content_type), spent(body(80_000), content_type)
    assert large <= max(SLOW_FACTOR * small, 0.02)
    assert large < 1


def test_long_names_cost_little() -> None:
    """A name of a mebibyte is refused at once, without a search for what was meant."""
    assert spent(b'{"' + b"t" * 1_000_000 + b'":1}', "application/json") < 0.1
