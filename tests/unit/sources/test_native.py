"""Native JSON: what is an event, what it becomes, and what a refusal says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.errors import TOLD_MAX, DecodeError, NotJsonError, TooLargeError
from alertd.model.event import Bounds, with_id
from alertd.model.severity import Severity
from alertd.sources.base import Context, ForbiddenWorkspaceError
from alertd.sources.native import decode_json, decode_ndjson, decode_record
from alertd.sources.problems import LISTED_MAX

NOW_MS = 1_778_112_000_000
NOW = "2026-05-07T00:00:00.000Z"
CONTEXT = Context(workspace="default", now_ms=NOW_MS, workspaces=frozenset({"default", "other"}))
WHOLE = {
    "type": "run:failed",
    "id": "run-17-failed",
    "workspace": "default",
    "project": "shop",
    "environment": "prod",
    "source": "scheduler",
    "severity": "error",
    "time": "2026-05-07T00:00:00Z",
    "key": "run-17",
    "message": "Run 17 failed after 3 attempts",
    "url": "https://shop.example/runs/17",
    "labels": {"team": "payments"},
    "data": {"run_id": 17},
}
ORDER = ["id", "type", *list(WHOLE)[2:5], "source", *list(WHOLE)[6:]]


def refused(body: Any, context: Context = CONTEXT) -> dict[str, str]:
    """Decode what must be refused, and return its problems by pointer."""
    with pytest.raises(DecodeError) as caught:
        decode_json(body if isinstance(body, bytes) else orjson.dumps(body), context)
    return {problem.pointer: problem.detail for problem in caught.value.problems}


def accepted(value: Any, context: Context = CONTEXT) -> dict[str, Any]:
    """Decode one event and return its body."""
    (event,) = decode_json(orjson.dumps(value), context)
    assert orjson.loads(event.payload) == event.body
    return event.body


def test_the_contracts_example_is_kept_whole() -> None:
    """The event of interface.md §1 loses nothing, gains nothing, and is written in the documented order."""
    event = decode_record(orjson.dumps(WHOLE), CONTEXT)
    assert event.body == WHOLE
    assert list(event.body) == ORDER
    assert event.payload == orjson.dumps({name: WHOLE[name] for name in ORDER})
    assert (event.type, event.id, event.workspace) == ("run:failed", "run-17-failed", "default")
    assert (event.project, event.environment, event.key) == ("shop", "prod", "run-17")
    assert (event.severity, event.time, event.trigger) == (Severity.ERROR, "2026-05-07T00:00:00Z", None)


def test_a_type_is_enough() -> None:
    """An event of nothing but a type gets the documented defaults, and no id."""
    event = decode_record(b'{"type":"run:failed"}', CONTEXT)
    expected = {"type": "run:failed", "workspace": "default", "severity": "info", "time": NOW, "key": "run:failed"}
    assert event.body == expected
    assert event.payload == orjson.dumps(expected)
    assert (event.id, event.project, event.environment, event.severity) == ("", "", "", Severity.INFO)


def test_an_id_can_be_spliced_into_an_event_without_one() -> None:
    """An id made later stands where a given one stands, in payload and body alike."""
    made = decode_record(b'{"type":"run:failed","data":{"a":[{}]}}', CONTEXT)
    with_id(made, "x-1")
    given = decode_record(b'{"type":"run:failed","data":{"a":[{}]},"id":"x-1"}', CONTEXT)
    assert (made.payload, made.body, made.id) == (given.payload, given.body, given.id)


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "type"])
def test_null_is_absent(name: str) -> None:
    """An optional field that is null is as if it were not there."""
    without = {key: value for key, value in WHOLE.items() if key != name}
    assert accepted(WHOLE | {name: None}) == accepted(without)


def test_a_null_type_is_missing() -> None:
    """The one required field cannot be null."""
    assert refused({"type": None}) == {"/type": "is required: 1 to 256 printable ASCII characters without spaces"}


@pytest.mark.parametrize(
    ("word", "kept"),
    [(w, w) for w in ("debug", "info", "warning", "error", "critical")] + [("fatal", "critical")],
)
def test_every_severity_word(word: str, kept: str) -> None:
    """The five words are kept and `fatal` reads as critical."""
    assert accepted({"type": "a", "severity": word})["severity"] == kept


@pytest.mark.parametrize("word", ["", "Error", "warn", 3, True, ["error"], {}])
def test_no_other_severity(word: Any) -> None:
    """Any other severity is refused with the words that are expected."""
    detail = refused({"type": "a", "severity": word})["/severity"]
    assert "one of debug, info, warning, error, critical" in detail


GOOD_TIMES = [
    "2026-05-07T00:00:00Z",
    "2026-05-07T00:00:00.123Z",
    "2026-05-07T00:00:00.123456789012Z",
    "2024-02-29T23:59:59+14:00",
    "2026-12-31T23:59:59-00:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
]


@pytest.mark.parametrize("time", GOOD_TIMES)
def test_a_time_is_kept_as_given(time: str) -> None:
    """The text of a time by RFC 3339 is not touched."""
    assert accepted({"type": "a", "time": time})["time"] == time


@pytest.mark.parametrize(
    ("time", "kept"),
    [
        ("2026-05-07t00:00:00z", "2026-05-07T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2026-05-31t00:00:00.5z", "2026-05-31T00:00:00.5Z"),
    ],
)
def test_a_time_that_python_would_not_read_again_is_mended(time: str, kept: str) -> None:
    """Small letters become capitals and a leap second the second before it."""
    assert accepted({"type": "a", "time": time})["time"] == kept


@pytest.mark.parametrize(
    "time",
    [
        "",
        "2026-05-07",
        "2026-05-07 00:00:00Z",
        "2026-05-07T00:00:00",
        "2026-05-07T00:00Z",
        "2026-05-07T24:00:00Z",
        "2026-05-07T00:60:00Z",
        "2026-05-07T00:00:61Z",
        "2026-05-07T00:00:00+24:00",
        "2026-05-07T00:00:00+0100",
        "2026-05-07T00:00:00.Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "2026-W19-4T00:00:00Z",
        "٢٠٢٦-05-07T00:00:00Z",
        "2026-05-07T00:00:00Z\n",
        "2026-05-07T00:00:00." + "1" * 60 + "Z",
        1_778_112_000,
        None.__class__.__name__,
    ],
)
def test_what_is_no_time(time: Any) -> None:
    """Anything but a real date and time by RFC 3339 is refused at `/time`."""
    assert set(refused({"type": "a", "time": time})) == {"/time"}


def at_and_beyond() -> list[tuple[str, Any, Any]]:
    """Pairs of a value at its bound and the next one beyond it."""
    return [
        ("type", "a" * 256, "a" * 257),
        ("id", "!" * 256, "~" * 257),
        ("key", "ü" * 256, "ü" * 257),
        ("project", "p" * 128, "p" * 129),
        ("environment", "e" * 128, "e" * 129),
        ("source", "s" * 1024, "s" * 1025),
        ("url", "u" * 2048, "u" * 2049),
        ("time", "2026-05-07T00:00:00." + "1" * 43 + "Z", "2026-05-07T00:00:00." + "1" * 44 + "Z"),
        ("labels", {f"l{i}": "" for i in range(64)}, {f"l{i}": "" for i in range(65)}),
    ]


@pytest.mark.parametrize(("name", "good", "bad"), at_and_beyond(), ids=[case[0] for case in at_and_beyond()])
def test_each_field_at_its_bound(name: str, good: Any, bad: Any) -> None:
    """A field is accepted at its bound and refused, by name, one beyond it."""
    assert accepted({"type": "a", name: good})[name] == good
    assert set(refused({"type": "a", name: bad})) == {f"/{name}"}


def test_each_label_at_its_bound() -> None:
    """A label's name and value are accepted at their bounds and refused, by name, one beyond."""
    good = {"n" * 128: "v" * 1024}
    assert accepted({"type": "a", "labels": good})["labels"] == good
    assert set(refused({"type": "a", "labels": {"team": "v" * 1025}})) == {"/labels/team"}
    assert set(refused({"type": "a", "labels": {"n" * 129: "v"}})) == {"/labels/" + "n" * 128 + "…"}
    assert set(refused({"type": "a", "labels": {"": "v"}})) == {"/labels/"}


@pytest.mark.parametrize("value", ["", "a b", "a\n", "ü", "a\u00a0", "\x7f", 5, True, [], {}])
@pytest.mark.parametrize("name", ["type", "id"])
def test_alphabet_of_type_and_id(name: str, value: Any) -> None:
    """A type and an id are printable ASCII without spaces, and never empty."""
    assert set(refused({"type": "a"} | {name: value})) == {f"/{name}"}


def test_every_printable_character_is_good_in_a_type_and_an_id() -> None:
    """The alphabet is all of 0x21 to 0x7e."""
    alphabet = "".join(map(chr, range(0x21, 0x7F)))
    assert accepted({"type": alphabet, "id": alphabet})["id"] == alphabet


@pytest.mark.parametrize("value", ["", "a\nb", "\x00", "\x7f", 5, False, [], {}])
@pytest.mark.parametrize("name", ["project", "environment", "key"])
def test_names_of_places(name: str, value: Any) -> None:
    """A project, an environment and a key are strings that are not empty and hold no control characters."""
    assert set(refused({"type": "a", name: value})) == {f"/{name}"}
    assert accepted({"type": "a", name: "Ünïcode and spaces"})[name] == "Ünïcode and spaces"


@pytest.mark.parametrize("value", [5, 0, False, [], {}])
@pytest.mark.parametrize("name", ["source", "message", "url"])
def test_texts(name: str, value: Any) -> None:
    """Source, message and url are strings, empty ones too."""
    assert set(refused({"type": "a", name: value})) == {f"/{name}"}
    assert accepted({"type": "a", name: ""})[name] == ""


@pytest.mark.parametrize("value", ["x", 5, False, [], [["a", "b"]]])
@pytest.mark.parametrize("name", ["labels", "data"])
def test_objects(name: str, value: Any) -> None:
    """Labels and data are objects, empty ones too."""
    assert set(refused({"type": "a", name: value})) == {f"/{name}"}
    assert accepted({"type": "a", name: {}})[name] == {}


@pytest.mark.parametrize("value", [5, None, True, [], {}])
def test_label_values_are_strings(value: Any) -> None:
    """A label that is no string is refused by its own name."""
    assert set(refused({"type": "a", "labels": {"team": value, "good": "x"}})) == {"/labels/team"}


def test_pointers_are_escaped() -> None:
    """Slashes and tildes in names are escaped as in RFC 6901."""
    assert set(refused({"type": "a", "labels": {"a/b~c": 1}})) == {"/labels/a~1b~0c"}


def test_an_unknown_field_is_named_with_a_suggestion() -> None:
    """An unknown field is an error, and a near miss says what was probably meant."""
    problems = refused({"type": "a", "sevrity": "error", "foo": 1, "specversion": "1.0"})
    assert problems["/sevrity"] == "unknown field, did you mean 'severity'?"
    assert problems["/foo"] == "unknown field: put fields of your own below `data` or `labels`"
    assert "application/cloudevents+json" in problems["/specversion"]


def test_a_null_field_must_be_known_too() -> None:
    """Null does not hide an unknown field."""
    assert set(refused({"type": "a", "foo": None})) == {"/foo"}


def test_all_problems_of_all_events_are_listed() -> None:
    """Everything that is wrong in a body is listed at once, each by its pointer."""
    body = [{"type": "a"}, {"severity": "bad", "x": 1}, 5, {"type": "a", "labels": {"team": 1}}, None]
    assert set(refused(body)) == {"/1/type", "/1/severity", "/1/x", "/2", "/3/labels/team", "/4"}


def test_listed_problems_are_bounded() -> None:
    """One for each event that a body may have is listed in full; of more there is a count. The text tells fewer of them."""
    assert Bounds().max_events == LISTED_MAX
    with pytest.raises(DecodeError) as caught:
        decode_json(orjson.dumps([5] * LISTED_MAX), CONTEXT)
    assert len(caught.value.problems) == LISTED_MAX
    unknown = {"type": "a"} | {f"x{i}": 1 for i in range(LISTED_MAX)}
    with pytest.raises(DecodeError) as caught:
        decode_json(orjson.dumps([5] * 30 + [unknown] + [5] * 7), CONTEXT)
    assert len(caught.value.problems) == LISTED_MAX + 1
    assert caught.value.problems[-1].detail == "37 more problems are not listed"
    assert str(caught.value).count("; ") == TOLD_MAX
    assert str(caught.value).endswith("; and more problems")


def test_an_errors_text_tells_a_hundred_problems() -> None:
    """At the bound nothing is added."""
    with pytest.raises(DecodeError) as caught:
        decode_json(orjson.dumps([5] * TOLD_MAX), CONTEXT)
    assert str(caught.value) == "; ".join(map(str, caught.value.problems))


@pytest.mark.parametrize("body", [b"5", b'"a"', b"null", b"true", b"1.5"])
def test_a_scalar_is_no_event(body: bytes) -> None:
    """A JSON value that is neither object nor array is refused as a whole."""
    assert set(refused(body)) == {""}


def test_an_empty_array_is_no_event_and_no_error() -> None:
    """A body without events is accepted and holds none."""
    assert decode_json(b"[]", CONTEXT) == []
    assert decode_ndjson(b"", CONTEXT) == []
    assert decode_ndjson(b"\n \r\n\n", CONTEXT) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"type":"a"',
        b'{"type":"a"} x',
        b'{"type":"a"}{"type":"b"}',
        b"{'type':'a'}",
        b'{"type":"a",}',
        b'{"type":"a","data":{"x":NaN}}',
        b'{"type":"a","data":{"x":Infinity}}',
        b'{"type":"a","data":{"x":-Infinity}}',
        b'{"type":"a","data":{"x":1e999}}',
        b'{"type":"a\xff"}',
        b'{"type":"\xc0\xaf"}',
        b'{"message":"\\ud800","type":"a"}',
        b'{"message":"\xed\xa0\x80","type":"a"}',
        b'\xef\xbb\xbf{"type":"a"}',
        '{"type":"a"}'.encode("utf-16"),
        b'{"type":"\x00"}',
    ],
)
def test_what_is_not_json(body: bytes) -> None:
    """What RFC 8259 does not allow is an error of its own kind, which says where."""
    with pytest.raises(NotJsonError, match="not JSON: "):
        decode_json(body, CONTEXT)
    with pytest.raises(NotJsonError):
        decode_record(body, CONTEXT)


def test_of_duplicate_members_the_last_counts() -> None:
    """A name that is there twice has its last value."""
    assert decode_record(b'{"type":"a","type":"b"}', CONTEXT).type == "b"


def test_integers_beyond_64_bits_are_doubles() -> None:
    """64-bit integers are exact; greater ones are read as doubles, and no number is an error."""
    data = b'{"a":18446744073709551615,"b":-9223372036854775808,"c":123456789012345678901234567890}'
    event = decode_record(b'{"type":"a","data":' + data + b"}", CONTEXT)
    assert event.body["data"] == {"a": 2**64 - 1, "b": -(2**63), "c": 123456789012345678901234567890.0}


def nested(levels: int, *, arrays: bool) -> bytes:
    """Write an event nested to a depth; the event itself is the first level and its data the second."""
    inner = levels - 2
    opening, closing = (b"[", b"]") if arrays else (b'{"a":', b"}")
    middle = b"1" if arrays else b"{}"
    inner -= 0 if arrays else 1
    return b'{"type":"a","data":{"x":' + opening * inner + middle + closing * inner + b"}}"


@pytest.mark.parametrize("arrays", [True, False])
@pytest.mark.parametrize("most", [3, 64, 200, 254])
def test_depth_at_its_bound(arrays: bool, most: int) -> None:
    """An event is accepted at the depth bound and refused at `/data` one level beyond."""
    context = Context(workspace="default", now_ms=NOW_MS, bounds=Bounds(max_depth=most))
    assert decode_json(nested(most, arrays=arrays), context)
    assert refused(nested(most + 1, arrays=arrays), context) == {"/data": f"nested deeper than {most} levels"}
    assert decode_json(b"[" + nested(most, arrays=arrays) + b"]", context)


def test_depth_is_bounded_by_the_writer_too() -> None:
    """A greater bound than the JSON writer's 254 levels counts as that, and no event is lost at the writer."""
    context = Context(workspace="default", now_ms=NOW_MS, bounds=Bounds(max_depth=1000))
    assert decode_json(nested(254, arrays=True), context)
    assert refused(nested(255, arrays=False), context) == {"/data": "nested deeper than 254 levels"}


def test_the_shallowest_bounds() -> None:
    """With a depth of 2 data is flat, with a depth of 1 there is none."""
    for most, good, bad in ((2, {"x": 1}, {"x": {}}), (1, None, {})):
        context = Context(workspace="default", now_ms=NOW_MS, bounds=Bounds(max_depth=most))
        assert accepted({"type": "a", "data": good}, context)
        assert set(refused({"type": "a", "data": bad}, context)) == {"/data"}


@pytest.mark.parametrize("levels", [250, 255, 256, 257, 900, 1020, 1024, 1025, 2000, 100_000])
def test_any_depth_is_refused_in_words(levels: int) -> None:
    """Depths at which the parser or the writer gives up are problems like others."""
    problems = refused(nested(levels, arrays=True))
    assert list(problems.values()) == ["nested deeper than 64 levels"]


def test_many_open_brackets_are_not_depth() -> None:
    """Width does not count as depth."""
    value = {"type": "a", "message": "[" * 500, "data": {"x": [[], {}] * 500, "y": {}}}
    assert accepted(value)["data"] == value["data"]


@pytest.mark.parametrize("head", [b'{"type":"a","message":"', b'{"type": "a", "message": "'])
def test_event_size_at_its_bound(head: bytes) -> None:
    """An event is accepted at its bound as it was sent, whatever is filled in, and too large one byte beyond."""
    room = CONTEXT.bounds.max_event_bytes - len(head) - 2
    fits, beyond = (head + b"m" * size + b'"}' for size in (room, room + 1))
    (in_body,) = decode_json(b" \n" + fits + b"\r\n ", CONTEXT)
    for event in (in_body, decode_record(fits, CONTEXT), *decode_ndjson(fits + b"\r\n" + fits, CONTEXT)):
        assert (len(event.body["message"]), event.body["key"]) == (room, "a")
        assert orjson.loads(event.payload) == event.body
    for decode in (decode_json, decode_record, decode_ndjson):
        with pytest.raises(TooLargeError, match="262144"):
            decode(beyond, CONTEXT)


def test_event_size_in_an_array_at_its_bound() -> None:
    """There it is what the event takes without spaces."""
    head = '{"type":"a","message":"'
    room = CONTEXT.bounds.max_event_bytes - len(head) - 2
    (event,) = decode_json(f'[{head}{"m" * room}"}}]'.encode(), CONTEXT)
    assert len(event.body["message"]) == room
    with pytest.raises(TooLargeError, match="262144"):
        decode_json(f'[{head}{"m" * (room + 1)}"}}]'.encode(), CONTEXT)


def test_event_size_in_its_normal_form() -> None:
    """Spaces make no event too large, and numbers that grow when they are written out do not slip by."""
    spaced = b'{"type":"a",' + b" " * CONTEXT.bounds.max_event_bytes + b'"message":"m"}'
    assert decode_record(spaced, CONTEXT).body["message"] == "m"
    growing = b'{"type":"a","data":{"n":[' + b",".join([b"1e15"] * 50_000) + b"]}}"
    assert len(growing) < CONTEXT.bounds.max_event_bytes
    with pytest.raises(TooLargeError, match="262144"):
        decode_record(growing, CONTEXT)


def test_a_large_event_among_bad_ones_is_a_problem_like_others() -> None:
    """Only when size is all that is wrong does the error speak of size alone."""
    large = {"type": "a", "message": "m" * 300_000}
    with pytest.raises(TooLargeError) as caught:
        decode_json(orjson.dumps([{"type": "a"}, large]), CONTEXT)
    assert [problem.pointer for problem in caught.value.problems] == ["/1"]
    with pytest.raises(DecodeError) as mixed:
        decode_json(orjson.dumps([{"typ": "a"}, large]), CONTEXT)
    assert not isinstance(mixed.value, TooLargeError)
    assert {problem.pointer for problem in mixed.value.problems} == {"/0/typ", "/0/type", "/1"}


def test_body_size_at_its_bound() -> None:
    """A body is accepted at its bound and too large one byte beyond, whatever it holds."""
    most = CONTEXT.bounds.max_body_bytes
    for decode in (decode_json, decode_ndjson):
        assert len(decode(b'{"type":"a"}'.ljust(most), CONTEXT)) == 1
        with pytest.raises(TooLargeError, match=str(most)):
            decode(b'{"type":"a"}'.ljust(most + 1), CONTEXT)
    with pytest.raises(TooLargeError):
        decode_record(b" " * (most + 1), CONTEXT)


def test_number_of_events_at_its_bound() -> None:
    """A thousand events are accepted and one more is too many."""
    one = b'{"type":"a"}'
    assert len(decode_json(b"[" + b",".join([one] * 1000) + b"]", CONTEXT)) == 1000
    assert len(decode_ndjson(b"\n".join([one] * 1000), CONTEXT)) == 1000
    with pytest.raises(TooLargeError, match="1001 events"):
        decode_json(b"[" + b",".join([one] * 1001) + b"]", CONTEXT)
    with pytest.raises(TooLargeError, match="1001 events"):
        decode_ndjson(b"\n".join([one] * 1001), CONTEXT)


def test_ndjson_lines_end_in_any_way() -> None:
    """Lines end in LF or CRLF, the last one need not, and blank ones are skipped."""
    body = b'{"type":"a"}\r\n\n  \n {"type":"b"}\t\n{"type":"c"}'
    assert [event.type for event in decode_ndjson(body, CONTEXT)] == ["a", "b", "c"]


def test_ndjson_names_its_lines() -> None:
    """A pointer begins with the index of the line, blank ones counted; a broken line is named, 400 for the whole body."""
    with pytest.raises(DecodeError) as caught:
        decode_ndjson(b'{"type":"a"}\n\n{"typ":"b"}\n[]', CONTEXT)
    assert type(caught.value) is DecodeError
    assert [problem.pointer for problem in caught.value.problems] == ["/2/typ", "/2/type", "/3"]
    with pytest.raises(NotJsonError) as broken:
        decode_ndjson(b'{"type":"a"}\n{"type":\n{}\nx', CONTEXT)
    assert [problem.pointer for problem in broken.value.problems] == ["/1", "/2/type", "/3"]
    assert broken.value.problems[0].detail.startswith("line 2: not JSON: ")


def test_a_record_holds_one_event() -> None:
    """A Kafka value is one object; an array and a missing value are refused."""
    with pytest.raises(DecodeError, match="found an array"):
        decode_record(b'[{"type":"a"}]', CONTEXT)
    with pytest.raises(NotJsonError, match="no value"):
        decode_record(None, CONTEXT)


def test_the_senders_own_workspace() -> None:
    """An event that names no workspace gets the sender's, one that names it keeps it."""
    context = Context(workspace="mine", now_ms=NOW_MS)
    assert accepted({"type": "a"}, context)["workspace"] == "mine"
    assert accepted({"type": "a", "workspace": "mine"}, context)["workspace"] == "mine"


@pytest.mark.parametrize("workspace", ["unknown", "", "Default"])
def test_an_unknown_workspace_is_refused(workspace: str) -> None:
    """A workspace that does not exist is a problem at `/workspace`, for every sender."""
    for confined in (True, False):
        context = Context("default", NOW_MS, frozenset({"default", "other"}), confined=confined)
        assert refused({"type": "a", "workspace": workspace}, context) == {
            "/workspace": f"unknown workspace {workspace!r}"
        }


def test_another_known_workspace_is_forbidden_to_a_confined_sender() -> None:
    """A known workspace that is not the sender's is an error of its own kind; an unconfined sender may write there."""
    body = orjson.dumps([{"type": "a", "workspace": "other"}, {"type": 5}])
    with pytest.raises(ForbiddenWorkspaceError) as caught:
        decode_json(body, CONTEXT)
    assert [problem.pointer for problem in caught.value.problems] == ["/0/workspace", "/1/type"]
    context = Context("default", NOW_MS, frozenset({"default", "other"}), confined=False)
    assert decode_json(b'{"type":"a","workspace":"other"}', context)[0].workspace == "other"


@pytest.mark.parametrize("workspace", [5, [], {}, True])
def test_a_workspace_is_a_string(workspace: Any) -> None:
    """A workspace that is no string is a problem, never another exception."""
    context = Context("default", NOW_MS, frozenset({"default"}), confined=False)
    assert set(refused({"type": "a", "workspace": workspace}, context)) == {"/workspace"}


def test_long_names_are_cut_in_a_refusal() -> None:
    """A refusal is short, however long what it speaks of."""
    with pytest.raises(DecodeError) as caught:
        decode_json(orjson.dumps({"type": "a" * 100_000, "x" * 100_000: 1, "severity": "s" * 100_000}), CONTEXT)
    assert len(str(caught.value)) < 1000
