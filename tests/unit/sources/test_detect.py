"""Which decoder reads a request or a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from multidict import CIMultiDict

from alertd.errors import DecodeError, NotJsonError, TooLargeError
from alertd.sources.base import Context, UnsupportedMediaTypeError
from alertd.sources.detect import decode_http, decode_kafka
from alertd.sources.headers import decode_http_value
from alertd.sources.media_type import media_type

if TYPE_CHECKING:
    from alertd.sources.detect import Format

CONTEXT = Context(workspace="default", now_ms=1_778_112_000_000)
NATIVE = b'{"type":"run:failed"}'
CLOUD = b'{"specversion":"1.0","type":"com.example.error","source":"/svc/checkout","id":"A-1","data":{"message":"KeyError"}}'
HEADERS = {
    "ce-specversion": "1.0",
    "ce-type": "com.example.error",
    "ce-source": "/svc/checkout",
    "ce-id": "A-1",
}
KAFKA = [(name.replace("-", "_"), text.encode()) for name, text in HEADERS.items()]
ID = "/svc/checkout#A-1"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "text/json",
        "application/json;",
    ],
)
def test_json(content_type: str | None) -> None:
    """JSON by its content types, in any case and with a charset, and also without one: an object or an array."""
    assert [event.type for event in decode_http(content_type, {}, NATIVE, CONTEXT)] == ["run:failed"]
    assert len(decode_http(content_type, {}, b"[" + NATIVE + b"," + NATIVE + b"]", CONTEXT)) == 2


@pytest.mark.parametrize(
    "content_type", ["application/x-ndjson", "application/ndjson; charset=utf-8", "application/jsonl"]
)
def test_ndjson(content_type: str) -> None:
    """NDJSON by its content types."""
    assert len(decode_http(content_type, {}, NATIVE + b"\n" + NATIVE + b"\n", CONTEXT)) == 2


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents+json; charset=UTF-8", "Application/CloudEvents+JSON", "application/cloudevents"],
)
def test_structured(content_type: str) -> None:
    """A structured CloudEvent by its content type, whatever other headers say."""
    assert decode_http(content_type, HEADERS | {"ce-id": "other"}, CLOUD, CONTEXT)[0].id == ID


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents-batch+json", "application/cloudevents-batch; charset=utf-8"]
)
def test_batch(content_type: str) -> None:
    """A batch by its content type, which begins like that of a structured one; it may be empty."""
    assert [event.id for event in decode_http(content_type, {}, b"[" + CLOUD + b"]", CONTEXT)] == [ID]
    assert decode_http(content_type, {}, b"[]", CONTEXT) == []


@pytest.mark.parametrize(
    "content_type", ["application/json", None, "", "text/plain", "application/x-ndjson", "image/png"]
)
def test_binary(content_type: str | None) -> None:
    """A binary CloudEvent by its headers, whatever the type of its data."""
    (event,) = decode_http(content_type, HEADERS, b'{"message":"KeyError"}', CONTEXT)
    assert (event.id, event.type) == (ID, "com.example.error")


def test_the_wire_sheets_binary_example() -> None:
    """The binary example of the wire sheet gives the same event as the structured one."""
    (event,) = decode_http("application/json", CIMultiDict(HEADERS), b'{"message":"KeyError"}', CONTEXT)
    assert event == decode_http("application/cloudevents+json", {}, CLOUD, CONTEXT)[0]


def test_header_names_have_no_case() -> None:
    """HTTP header names are read in any case, other headers are not looked at."""
    headers = CIMultiDict({name.title(): text for name, text in HEADERS.items()} | {"CE-Team": "x", "Host": "y"})
    assert decode_http(None, headers, b"", CONTEXT)[0].body["labels"] == {"team": "x"}


def test_a_header_that_is_there_twice() -> None:
    """Two values for one attribute are an error, not a choice."""
    headers = CIMultiDict([*HEADERS.items(), ("Ce-Id", "A-2")])
    with pytest.raises(DecodeError, match="/id: the header is there more than once"):
        decode_http(None, headers, b"", CONTEXT)


def test_one_required_header_is_enough_to_mean_binary() -> None:
    """Who sends any of the four required headers is told of the missing ones; other `ce-` headers mean nothing."""
    with pytest.raises(DecodeError) as caught:
        decode_http("application/json", {"ce-type": "a"}, NATIVE, CONTEXT)
    assert {problem.pointer for problem in caught.value.problems} == {"/specversion", "/id", "/source"}
    assert decode_http("application/json", {"ce-team": "a"}, NATIVE, CONTEXT)[0].type == "run:failed"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%41", "A"),
        ("%2541", "%41"),
        ('"a b"', "a b"),
        (r'"a \"b\" \\c"', r'a "b" \c'),
        ('"a%20b"', "a b"),
        ('a "b c" d', "a b c d"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("", ""),
        ("é", "é"),
        ("%C0%AF", None),
        ("%E2%82", None),
        ("%ED%A0%80", None),
        ("%FF", None),
        ("\udcff", None),
    ],
)
def test_values_of_http_headers(text: str, value: str | None) -> None:
    """Quotes are taken away, then percent-encoding once; what is not valid UTF-8 then, over-long forms too, is none."""
    assert decode_http_value(text) == value


def test_a_header_that_is_not_utf_8_is_named() -> None:
    """A bad header value is a problem with the attribute's name."""
    with pytest.raises(DecodeError, match="/team: the header's value is not valid UTF-8"):
        decode_http(None, HEADERS | {"ce-team": "%C0%AF"}, b"", CONTEXT)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/cloudevents+avro",
        "application/cloudevents-batch+protobuf",
        "application/cloudevents+xml",
        "application/json; charset=utf-16",
        "application/cloudevents+json; charset=latin-1",
        "application/x-ndjson; charset=utf-16",
        "nonsense",
        "x" * 10000,
    ],
)
def test_other_content_types(content_type: str) -> None:
    """Any other content type or charset is an error of its own kind."""
    with pytest.raises(UnsupportedMediaTypeError) as caught:
        decode_http(content_type, {}, NATIVE, CONTEXT)
    assert len(str(caught.value)) < 300


def test_media_types() -> None:
    """A content type is read in any case, with parameters in any order, and never fails."""
    assert media_type(" Text/Plain ; a=b ; Charset = 'x'").name == "text/plain"
    assert media_type("application/json; boundary=x; charset=UTF-8").is_utf8
    assert not media_type("application/json; charset=ISO-8859-1").is_utf8
    assert media_type(";;;=;").name == ""


def test_binary_json_in_another_charset() -> None:
    """JSON data in a charset other than UTF-8 is of no type that is read."""
    with pytest.raises(UnsupportedMediaTypeError):
        decode_http("application/json; charset=utf-16", HEADERS, b"{}", CONTEXT)


@pytest.mark.parametrize("form", ["native", "cloudevents", "auto"])
def test_body_size_at_its_bound(form: Format) -> None:
    """Every way into the decoders holds to the bound on the body."""
    most = CONTEXT.bounds.max_body_bytes
    with pytest.raises(TooLargeError):
        decode_http("text/plain", HEADERS, b" " * (most + 1), CONTEXT)
    with pytest.raises(TooLargeError):
        decode_kafka(form, KAFKA, b" " * (most + 1), CONTEXT)


def test_native_records() -> None:
    """The format `native` reads native JSON and looks at no header."""
    assert decode_kafka("native", [], NATIVE, CONTEXT).type == "run:failed"
    assert decode_kafka("native", KAFKA, NATIVE, CONTEXT).type == "run:failed"
    with pytest.raises(DecodeError, match="/specversion: unknown field: send CloudEvents"):
        decode_kafka("native", [], CLOUD, CONTEXT)


@pytest.mark.parametrize("form", ["cloudevents", "auto"])
def test_cloudevents_in_records(form: Format) -> None:
    """Structured by content type or by what is in it, binary by `ce_` headers; both give the same event."""
    expected = decode_http("application/cloudevents+json", {}, CLOUD, CONTEXT)[0]
    assert decode_kafka(form, [], CLOUD, CONTEXT) == expected
    typed = [("Content-Type", b"application/cloudevents+json; charset=UTF-8")]
    assert decode_kafka(form, typed, CLOUD, CONTEXT) == expected
    binary = [*KAFKA, ("content-type", b"application/json")]
    assert decode_kafka(form, binary, b'{"message":"KeyError"}', CONTEXT) == expected


@pytest.mark.parametrize("form", ["cloudevents", "auto"])
def test_binary_records(form: Format) -> None:
    """Kafka's header values are UTF-8 as they are; a null value is no data; a header without a value is absent."""
    headers = [*KAFKA, ("ce_team", "é %41".encode()), ("ce_none", None), ("other", b"\xff")]
    event = decode_kafka(form, headers, None, CONTEXT)
    assert event.body["labels"] == {"team": "é %41"}
    assert "data" not in event.body
    assert decode_kafka(form, KAFKA, b"", CONTEXT).id == ID
    with pytest.raises(DecodeError, match="/team: the header's value is not valid UTF-8"):
        decode_kafka(form, [*KAFKA, ("ce_team", b"\xff")], None, CONTEXT)


def test_native_records_in_auto() -> None:
    """`auto` reads what shows no sign of CloudEvents as native, and explains it as such."""
    assert (
        decode_kafka("auto", [("content-type", b"application/json"), ("trace", b"x")], NATIVE, CONTEXT).type
        == "run:failed"
    )
    with pytest.raises(DecodeError, match="/typ: unknown field, did you mean 'type'"):
        decode_kafka("auto", [], b'{"typ":"x"}', CONTEXT)
    with pytest.raises(DecodeError, match="/id: is required"):
        decode_kafka("auto", [], b'{"specversion":"1.0","type":"x","source":"y"}', CONTEXT)


@pytest.mark.parametrize("form", ["native", "cloudevents", "auto"])
def test_records_without_a_value(form: Format) -> None:
    """A null value that no header explains is refused."""
    with pytest.raises(NotJsonError, match="the record has no value"):
        decode_kafka(form, [], None, CONTEXT)


@pytest.mark.parametrize("form", ["cloudevents", "auto"])
@pytest.mark.parametrize("content_type", [b"application/cloudevents-batch+json", b"application/cloudevents+avro"])
def test_records_that_are_not_read(form: Format, content_type: bytes) -> None:
    """Kafka has no batches, and of CloudEvents only JSON is read."""
    with pytest.raises(UnsupportedMediaTypeError):
        decode_kafka(form, [("content-type", content_type)], CLOUD, CONTEXT)


def test_native_and_cloudevents_meet_in_one_id() -> None:
    """A CloudEvent's id is an event id like any other, so that a repeat is recognised however it comes."""
    native = orjson.dumps({"type": "x", "id": ID})
    assert decode_http(None, {}, native, CONTEXT)[0].id == decode_kafka("auto", KAFKA, None, CONTEXT).id
