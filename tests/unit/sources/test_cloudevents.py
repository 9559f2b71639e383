"""CloudEvents 1.0: the rules of the specification, and what each part becomes."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from alertd.errors import DecodeError, NotJsonError, TooLargeError
from alertd.sources.base import Context, ForbiddenWorkspaceError
from alertd.sources.cloudevents import decode_batch, decode_binary, decode_structured, idempotency_key

CONTEXT = Context(workspace="default", now_ms=1_778_112_000_000, workspaces=frozenset({"default", "other"}))
NOW = "2026-05-07T00:00:00.000Z"
MINIMAL: dict[str, Any] = {"specversion": "1.0", "type": "com.example.error", "source": "/svc/checkout", "id": "A-1"}
EXAMPLE = MINIMAL | {
    "time": "2026-11-20T22:00:00Z",
    "datacontenttype": "application/json",
    "data": {"message": "KeyError"},
}


def structured(value: Any, context: Context = CONTEXT) -> dict[str, Any]:
    """Decode one CloudEvent in JSON and return the event's body."""
    event = decode_structured(orjson.dumps(value), context)
    assert orjson.loads(event.payload) == event.body
    return event.body


def refused(value: Any, context: Context = CONTEXT) -> dict[str, str]:
    """Decode what must be refused and return its problems by pointer."""
    with pytest.raises(DecodeError) as caught:
        decode_structured(orjson.dumps(value), context)
    return {problem.pointer: problem.detail for problem in caught.value.problems}


def binary(
    body: bytes | None, content_type: str | None = "application/json", **attributes: str | None
) -> dict[str, Any]:
    """Decode one CloudEvent from headers and a body and return the event's body."""
    return decode_binary(list((MINIMAL | attributes).items()), content_type, body, CONTEXT).body


def test_the_wire_sheets_example() -> None:
    """The minimal structured example becomes the event that the contract says."""
    assert structured(EXAMPLE) == {
        "id": "/svc/checkout#A-1",
        "type": "com.example.error",
        "workspace": "default",
        "source": "/svc/checkout",
        "severity": "info",
        "time": "2026-11-20T22:00:00Z",
        "key": "com.example.error",
        "data": {"message": "KeyError"},
    }


def test_binary_and_structured_are_the_same_event() -> None:
    """How a CloudEvent travels does not change what it is."""
    data = orjson.dumps(EXAMPLE["data"])
    assert binary(data, time=EXAMPLE["time"]) == structured(EXAMPLE)


def test_required_attributes_are_enough() -> None:
    """Four attributes make an event; the time is that of arrival and there is no data."""
    body = structured(MINIMAL)
    assert body["time"] == NOW
    assert "data" not in body
    assert "labels" not in body


@pytest.mark.parametrize("name", ["specversion", "type", "source", "id"])
def test_each_required_attribute_is_required(name: str) -> None:
    """A required attribute that is missing or null is named."""
    without = {key: value for key, value in MINIMAL.items() if key != name}
    assert set(refused(without)) == {f"/{name}"}
    assert set(refused(MINIMAL | {name: None})) == {f"/{name}"}


@pytest.mark.parametrize("value", ["", 5, True, [], {}, "a\x00b"])
@pytest.mark.parametrize("name", ["specversion", "type", "source", "id", "subject", "dataschema", "datacontenttype"])
def test_attributes_are_strings_and_not_empty(name: str, value: Any) -> None:
    """An attribute that is empty, no string, or holds control characters is named."""
    assert set(refused(MINIMAL | {name: value})) == {f"/{name}"}


@pytest.mark.parametrize("version", ["0.3", "1.0.1", "1", "2.0", 1.0])
def test_other_versions_are_refused(version: Any) -> None:
    """A specversion other than 1.0 is refused with what was expected."""
    assert 'expected "1.0"' in refused(MINIMAL | {"specversion": version})["/specversion"]


def test_all_problems_are_listed_once() -> None:
    """Problems of attributes, extensions and data come together, each by the name that the sender knows."""
    bad = {"type": "a b", "source": "", "subject": 5, "time": "x", "Bad": 1, "list": [], "data": 1, "data_base64": ""}
    assert set(refused(bad)) == {
        *("/specversion", "/type", "/source", "/id", "/subject", "/time", "/Bad", "/list", "/data_base64"),
    }
    with pytest.raises(DecodeError) as caught:
        decode_structured(orjson.dumps(bad), CONTEXT)
    assert len(caught.value.problems) == 9


def test_subject_is_the_key() -> None:
    """`subject` becomes `key`; one beyond a key's bound is shortened, told apart from others, and kept whole as a label."""
    assert structured(MINIMAL | {"subject": "run-17"})["key"] == "run-17"
    at_bound = "s" * 256
    assert structured(MINIMAL | {"subject": at_bound})["key"] == at_bound
    one, other = (structured(MINIMAL | {"subject": at_bound + end}) for end in "ab")
    assert len(one["key"]) == 256
    assert one["key"] != other["key"]
    assert one["labels"] == {"subject": at_bound + "a"}
    assert set(refused(MINIMAL | {"subject": "s" * 1025})) == {"/subject"}


def test_extensions_are_labels() -> None:
    """Extensions become labels of the same name, booleans and integers as text."""
    body = structured(MINIMAL | {"team": "pay ments", "n": -5, "yes": True, "no": False, "gone": None, "empty": ""})
    assert body["labels"] == {"team": "pay ments", "n": "-5", "yes": "true", "no": "false", "empty": ""}


@pytest.mark.parametrize("value", [1.5, [], {}, "a\nb", "a\x85b"])
def test_other_extension_values_are_refused(value: Any) -> None:
    """An extension has no fraction, no list, no object and no control characters."""
    assert set(refused(MINIMAL | {"ext": value})) == {"/ext"}


@pytest.mark.parametrize(("name", "pointer"), [("my_ext", "/my_ext"), ("MyExt", "/MyExt"), ("", "/"), ("a/b", "/a~1b")])
def test_other_extension_names_are_refused(name: str, pointer: str) -> None:
    """An extension's name is of small letters and digits."""
    assert set(refused(MINIMAL | {name: "x"})) == {pointer}


def test_labels_at_their_bounds() -> None:
    """Extensions keep to the bounds of labels and are named when they do not."""
    assert structured(MINIMAL | {"team": "v" * 1024, "n" * 128: "x"})
    assert set(refused(MINIMAL | {"team": "v" * 1025})) == {"/team"}
    assert set(refused(MINIMAL | {"n" * 129: "x"})) == {"/" + "n" * 128 + "…"}
    assert structured(MINIMAL | {f"x{i}": "" for i in range(64)})
    assert set(refused(MINIMAL | {f"x{i}": "" for i in range(65)})) == {""}


def test_extensions_that_are_fields() -> None:
    """Severity, project, environment and workspace as extensions are labels and fill the field of that name."""
    names = {"severity": "Fatal", "project": "shop", "environment": "prod", "workspace": "default"}
    body = structured(MINIMAL | names)
    assert body["labels"] == names
    assert {name: body[name] for name in names} == names | {"severity": "critical"}


@pytest.mark.parametrize("severity", ["", "loud", 3, True])
def test_a_foreign_severity_is_a_label_only(severity: Any) -> None:
    """A severity in others' words refuses nothing."""
    assert structured(MINIMAL | {"severity": severity})["severity"] == "info"


def test_an_empty_field_is_a_label_only() -> None:
    """An empty project or environment is none."""
    body = structured(MINIMAL | {"project": "", "environment": ""})
    assert "project" not in body
    assert "environment" not in body


def test_workspaces_of_cloudevents() -> None:
    """The rules for workspaces are those of native events."""
    assert set(refused(MINIMAL | {"workspace": "unknown"})) == {"/workspace"}
    with pytest.raises(ForbiddenWorkspaceError):
        decode_structured(orjson.dumps(MINIMAL | {"workspace": "other"}), CONTEXT)


def test_what_describes_the_data_is_kept() -> None:
    """`dataschema` is a label, and so is a `datacontenttype` that is not JSON."""
    body = structured(
        MINIMAL | {"dataschema": "https://x/y", "datacontenttype": "text/plain; charset=utf-8", "data": "hi"}
    )
    assert body["labels"] == {"dataschema": "https://x/y", "datacontenttype": "text/plain; charset=utf-8"}
    assert body["data"] == {"value": "hi"}
    assert "labels" not in structured(MINIMAL | {"datacontenttype": "application/problem+json", "data": {}})


@pytest.mark.parametrize("data", ["text", '{"not":"parsed"}', 5, True, None, [1, {"a": 2}], 1.5])
def test_data_that_is_no_object_is_a_value(data: Any) -> None:
    """JSON data other than an object is kept below `value`: a string is never parsed again, null is not absent."""
    assert structured(MINIMAL | {"data": data})["data"] == {"value": data}
    assert binary(orjson.dumps(data))["data"] == {"value": data}


def test_bytes_are_base64() -> None:
    """`data_base64` is kept as it is below `base64`, an absent one by null too."""
    assert structured(MINIMAL | {"data_base64": "AAEC"})["data"] == {"base64": "AAEC"}
    assert structured(MINIMAL | {"data_base64": ""})["data"] == {"base64": ""}
    assert structured(MINIMAL | {"data_base64": None, "data": 1})["data"] == {"value": 1}


@pytest.mark.parametrize("encoded", ["A", "AA=", "A-_A", "äöü", 5, [], {}, True])
def test_what_is_no_base64(encoded: Any) -> None:
    """Base64 is checked strictly."""
    assert set(refused(MINIMAL | {"data_base64": encoded})) == {"/data_base64"}


def test_data_and_data_base64_exclude_each_other() -> None:
    """Both at once are an error, also with null data."""
    extras: list[dict[str, Any]] = [{"data": {}}, {"data": None}]
    for extra in extras:
        assert set(refused(MINIMAL | extra | {"data_base64": "AAEC"})) == {"/data_base64"}


def test_depth_and_size_of_cloudevents() -> None:
    """The bounds on depth and size are those of native events, named as the sender knows them."""
    deep = b'{"specversion":"1.0","type":"a","source":"b","id":"c","data":{"x":%s}}'
    assert decode_structured(deep % (b"[" * 62 + b"]" * 62), CONTEXT).body["data"]
    with pytest.raises(DecodeError, match="/data: nested deeper than 64 levels"):
        decode_structured(deep % (b"[" * 63 + b"]" * 63), CONTEXT)
    with pytest.raises(TooLargeError):
        structured(MINIMAL | {"data": "x" * 262_144})
    room = CONTEXT.bounds.max_event_bytes - len(orjson.dumps(MINIMAL | {"data": ""}))
    assert structured(MINIMAL | {"data": "x" * room})


def test_batches() -> None:
    """A batch is an array, which may be empty; a bad item refuses all of it, named by its index."""
    assert decode_batch(b"[]", CONTEXT) == []
    events = decode_batch(orjson.dumps([EXAMPLE, MINIMAL | {"id": "A-2"}]), CONTEXT)
    assert [event.id for event in events] == ["/svc/checkout#A-1", "/svc/checkout#A-2"]
    with pytest.raises(DecodeError) as caught:
        decode_batch(orjson.dumps([EXAMPLE, MINIMAL | {"subject": 5, "team": 1.5}, 7]), CONTEXT)
    assert [problem.pointer for problem in caught.value.problems] == ["/1/subject", "/1/team", "/2"]
    with pytest.raises(DecodeError, match="expected an array of CloudEvents, found an object"):
        decode_batch(orjson.dumps(EXAMPLE), CONTEXT)
    with pytest.raises(NotJsonError):
        decode_batch(b"[", CONTEXT)


def test_batches_at_their_bound() -> None:
    """A thousand CloudEvents are accepted and one more is too many."""
    one = orjson.dumps(MINIMAL)
    assert len(decode_batch(b"[" + b",".join([one] * 1000) + b"]", CONTEXT)) == 1000
    with pytest.raises(TooLargeError):
        decode_batch(b"[" + b",".join([one] * 1001) + b"]", CONTEXT)


@pytest.mark.parametrize("body", [None, b""])
def test_binary_without_data(body: bytes | None) -> None:
    """No body is no data."""
    assert "data" not in binary(body)


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/json; charset=utf-8", b'{"a":1}', {"a": 1}),
        ("Application/Vnd.X+JSON", b'{"a":1}', {"a": 1}),
        ("text/plain", "hé".encode(), {"value": "hé"}),
        ("application/xml", b"<a/>", {"value": "<a/>"}),
        ("text/plain", b"\xff", {"base64": "/w=="}),
        ("text/plain; charset=latin-1", b"\xe9", {"base64": "6Q=="}),
        ("application/octet-stream", b'{"a":1}', {"base64": base64.b64encode(b'{"a":1}').decode()}),
        (None, b'{"a":1}', {"a": 1}),
        (None, b"plain", {"value": "plain"}),
        (None, b"\xff", {"base64": "/w=="}),
    ],
)
def test_binary_data_by_its_type(content_type: str | None, body: bytes, data: Any) -> None:
    """JSON is parsed, text is text, all else is bytes; without a type the first of these that fits."""
    assert binary(body, content_type)["data"] == data


def test_binary_json_that_is_none() -> None:
    """Data that says it is JSON and is not is an error of its own kind, at `/data`."""
    with pytest.raises(NotJsonError, match="/data: not JSON"):
        binary(b"{")


@pytest.mark.parametrize("name", ["datacontenttype", "data", "data_base64"])
def test_what_must_not_be_a_header(name: str) -> None:
    """Data and its type travel as body and Content-Type, never as attribute headers."""
    with pytest.raises(DecodeError) as caught:
        binary(b"{}", **{name: "x"})
    assert [problem.pointer for problem in caught.value.problems] == [f"/{name}"]


def test_binary_headers_that_cannot_be_read() -> None:
    """A header that is not UTF-8, or there twice, is named."""
    with pytest.raises(DecodeError, match="/team: the header's value is not valid UTF-8"):
        binary(b"{}", team=None)
    with pytest.raises(DecodeError, match="/id: the header is there more than once"):
        decode_binary([*MINIMAL.items(), ("id", "A-2")], None, None, CONTEXT)


def test_idempotency_keys() -> None:
    """`source#id` as it is where it fits; else encoded, at most 256 characters, ending in a digest."""
    assert idempotency_key("/svc/checkout", "A-1") == "/svc/checkout#A-1"
    assert idempotency_key("https://x/y#frag", "1%20") == "https://x/y#frag#1%20"
    assert idempotency_key("s" * 128, "i" * 127) == "s" * 128 + "#" + "i" * 127
    for pair in (("s" * 128, "i" * 128), ("s" * 1024, "i"), ("a b", "ü"), ("a", "b#c"), ("ü" * 300, "x")):
        key = idempotency_key(*pair)
        assert len(key) <= 256
        assert key[-33] == "#"
        assert structured(MINIMAL | {"source": pair[0], "id": pair[1]})["id"] == key
    assert idempotency_key("a#b", "c") != idempotency_key("a", "b#c")
    assert idempotency_key("a b", "c") != idempotency_key("a%20b", "c")


def test_source_at_its_bound() -> None:
    """A source is accepted at its bound and refused, by name, one beyond it."""
    assert structured(MINIMAL | {"source": "s" * 1024})["source"] == "s" * 1024
    assert set(refused(MINIMAL | {"source": "s" * 1025})) == {"/source"}


def test_a_content_type_of_bytes_that_are_no_text() -> None:
    """HTTP hands such bytes over as lone surrogates, which no JSON can hold: they are refused at their attribute."""
    content_type = b"application/octet-stream; name=\xff".decode("utf-8", "surrogateescape")
    with pytest.raises(DecodeError) as caught:
        binary(b"1", content_type)
    assert [problem.pointer for problem in caught.value.problems] == ["/datacontenttype"]
    caught.value.problems[0].detail.encode()
