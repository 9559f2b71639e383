"""Stack traces that came lately are read once; what comes of an error is what reading all of it would make of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.engine.issues.fingerprint import fingerprint_of
from alertd.engine.matcher import parse_matcher
from alertd.engine.schema import Schema
from alertd.errors import DecodeError
from alertd.model.frames import Crash, Frames
from alertd.sources.sentry_defaults import SentryDefaults
from alertd.sources.sentry_error import Origin, decode_error
from alertd.sources.sentry_json import load_object
from alertd.sources.sentry_traces import (
    CRASHES_MAX,
    ENTRY_BYTES,
    MET_MAX,
    PATIENCE,
    SHARE,
    TRACE_BYTES,
    TRACES_MAX,
    Traces,
    load_error,
)
from tests.unit.sources.sentry_samples import CONTEXT, ERROR, EVENT_ID
from tests.unit.sources.test_sentry_properties import errors, frames, loose

if TYPE_CHECKING:
    from alertd.model.event import Event

DEFAULTS = SentryDefaults(project="shop", issue_key=lambda _project, data, labels: fingerprint_of(data, labels))
SMALL: list[dict[str, Any]] = [{"function": "a"}, {"function": "b", "in_app": True}]
TRICKS = ['"frames":[{', "}]}", "[{", '"', "\\", '\\"', ":", ",", "{", "}", "[", "]", "null", "\ud83d", '"vars"', "x"]

tricky = st.lists(st.sampled_from([*TRICKS[:-3], "x"]), max_size=3).map("".join)
traces = loose(frames=st.lists(frames | loose(filename=tricky, function=tricky, context_line=tricky), min_size=1))
tricked = loose(
    exception=loose(values=st.lists(loose(type=tricky, value=tricky, stacktrace=traces), min_size=1, max_size=3)),
    threads=loose(values=st.lists(loose(stacktrace=traces), max_size=2)),
    stacktrace=traces,
    extra=traces | tricky,
    frames=st.just(SMALL),
)


def outcome(text: bytes, recent: Traces | None = None) -> object:
    """Say what comes of the text of an error: all that is stored and known of the event, or the refusal."""
    where = ("/items/0/payload", CONTEXT)
    try:
        given = load_object(text, *where) if recent is None else load_error(text, *where, recent)
        event = decode_error(given, EVENT_ID, Origin("sentry-sdk"), CONTEXT, DEFAULTS)
    except DecodeError as error:
        return type(error), error.problems
    return event, event.payload, event.facts


def outcome_of(text: bytes) -> Event:
    """Make the event of a text that is read whole."""
    return decode_error(orjson.loads(text), EVENT_ID, Origin("sentry-sdk"), CONTEXT, DEFAULTS)


def same(text: bytes) -> None:
    """Hold what comes of a text, when it is new, when it comes again and when it is known, to what parsing all makes."""
    whole, recent = outcome(text), Traces()
    for _ in range(6):  # a second stack trace is looked at when the first is known, the exceptions when all are
        assert outcome(text, recent) == whole


def error_of(*stacktraces: Any, **more: Any) -> bytes:
    """Write an error whose exceptions have these stack traces."""
    return orjson.dumps({"exception": {"values": [{"type": "E", "stacktrace": each} for each in stacktraces]}, **more})


def loaded(text: bytes, recent: Traces, times: int = 1) -> dict[str, Any]:
    """Load an error so often."""
    for _ in range(times):
        given = load_error(text, "", CONTEXT, recent)
    return given


def crash(text: bytes, recent: Traces, times: int = 1) -> Crash | None:
    """Load an error so often; return its exceptions if they were known at last."""
    found = loaded(text, recent, times).get("exception")
    return found if type(found) is Crash else None


def known(text: bytes, recent: Traces, times: int = 1) -> list[bool]:
    """Load an error so often; tell of each exception's frames whether they were known at last."""
    values = loaded(text, recent, times)["exception"]["values"]
    return [type(value["stacktrace"]["frames"]) is Frames for value in values]


@settings(max_examples=300)
@given(errors | tricked)
def test_an_error_is_the_same_by_either_way(value: dict[str, Any]) -> None:
    """Whatever an error holds, its event is the same, byte for byte."""
    same(orjson.dumps(value))


@settings(max_examples=300)
@given(tricked, st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(TRICKS), st.booleans()), max_size=3))
def test_a_text_is_the_same_by_either_way(value: dict[str, Any], changes: list[tuple[int, str, bool]]) -> None:
    """However the text of an error is damaged, the event, or the refusal, is the same."""
    text = orjson.dumps(value)
    for place, trick, over in changes:
        at = place % (len(text) + 1)
        text = text[:at] + trick.encode("utf-8", "surrogatepass") + text[at + (len(trick) if over else 0) :]
    same(text)


ONE = error_of({"frames": SMALL})
AGAIN = b'"frames":[{"function":"z"}],'
TURNS: dict[str, bytes] = {
    "two": error_of({"frames": SMALL}, {"frames": SMALL}),
    "more in the stack trace": error_of({"frames": SMALL, "registers": {}}),
    "too many frames": error_of({"frames": SMALL * 40}),
    "a text that is too long": error_of({"frames": [{"function": "f" * 300}]}),
    "frames that say nothing": error_of({"frames": [{}]}),
    "a frame that is none": error_of({"frames": [{"function": "a"}, None, 5, {"function": "b"}]}),
    "an end in a text": error_of({"frames": [{"function": "}]}"}]}),
    "a stack trace in a text": error_of({"frames": [{"function": '"frames":[{"function":"b"}]}'}]}),
    "variables": error_of({"frames": [{"vars": {"a": [{"b": [1]}]}, "function": "a"}]}),
    "elsewhere too": error_of({"frames": SMALL}, extra={"frames": SMALL}),
    "a name that ends so": error_of({"frames": SMALL}, **{'my"frames': SMALL}),
    "half a character": ONE.replace(b'"b"', rb'"\ud83d"'),
    "half a character outside": ONE.replace(b'"E"', rb'"\ud83d"'),
    "bytes that are no text": ONE.replace(b'"b"', b'"\xff"'),
    "a stack trace twice": ONE.replace(b'"stacktrace":', b'"stacktrace":{' + AGAIN[:-1] + b'},"stacktrace":'),
    "frames twice": ONE.replace(b'"frames":', AGAIN + b'"frames":'),
    "exceptions twice": ONE[:-1] + b"," + ONE[1:],
    "spaces": orjson.dumps(orjson.loads(ONE), option=orjson.OPT_INDENT_2),
    "an escaped name": ONE.replace(b'"frames"', rb'"fr\u0061mes"'),
    "an end that is missing": ONE[:-1],
    "a comma too many": ONE + b",",
    "no object": b"[" + ONE + b"]",
    "a list of exceptions": orjson.dumps({"exception": [{"type": "E", "stacktrace": {"frames": SMALL}}]}),
    "one exception": orjson.dumps({"exception": {"type": "E", "stacktrace": {"frames": SMALL}}}),
    "of the event": orjson.dumps({"message": "m", "stacktrace": {"frames": SMALL}}),
    "of a thread": orjson.dumps({"message": "m", "threads": {"values": [{"stacktrace": {"frames": SMALL}}]}}),
    "of one of the threads": orjson.dumps({"message": "m", "threads": [{"stacktrace": {"frames": SMALL}}, {}]}),
    "very many": error_of(*[{"frames": [{"function": str(number)}]} for number in range(TRACES_MAX * 2)]),
    "deep within": error_of({"frames": [{"function": "a", "x": 0}]}).replace(b'"x":0', b'"x":' + b"[" * 1018 + b"]" * 1018),
    "deep without": b'{"a":' * 1015 + b'{"frames":[{"a":[[[[[[[[[[[[]]]]]]]]]]]]}]}' + b"}" * 1015,
    "a whole error": orjson.dumps(ERROR),
}  # fmt: skip


@pytest.mark.parametrize("text", TURNS.values(), ids=TURNS.keys())
def test_a_turn_of_the_format_is_the_same_by_either_way(text: bytes) -> None:
    """What a stack trace may look like, where it may stand and what may look like one."""
    same(text)


def test_what_came_before_is_the_same() -> None:
    """Events of the same failure share their frames from the second on, whichever exception, thread or event has them."""
    recent, text = Traces(), error_of({"frames": SMALL})
    assert type(frames_of(loaded(text, recent))) is list
    shared = frames_of(loaded(text, recent))
    assert type(shared) is Frames
    assert frames_of(loaded(text, recent)) is shared
    thread = orjson.dumps({"stacktrace": {"frames": SMALL}, "threads": {"values": [{"stacktrace": {"frames": SMALL}}]}})
    given = loaded(thread, recent)
    assert given["stacktrace"]["frames"] is given["threads"]["values"][0]["stacktrace"]["frames"] is shared


def test_looking_ends_where_something_is_new() -> None:
    """Behind a stack trace that is not known all are read in their place; each is known when it came again."""
    recent = Traces()
    text = error_of({"frames": SMALL}, {"frames": [*SMALL, {"function": "c"}]})
    assert [known(text, recent) for _ in range(3)] == [[False, False], [True, False], [True, True]]


def test_exceptions_that_came_before_are_one() -> None:
    """Whatever else two events say, exceptions that are the same word for word are read once, all frames shared."""
    recent = Traces()
    stacktraces: Any = ({"frames": SMALL}, {"frames": [*SMALL, {"function": "c"}]})
    texts = [error_of(*stacktraces, user={"id": str(number)}, extra={"é": "}]}"}) for number in range(8)]
    shared = next(found for text in texts if (found := crash(text, recent)) is not None)
    assert crash(texts[0], recent) is shared
    assert all(type(value["stacktrace"]["frames"]) is Frames for value in shared["values"])
    event = decode_error(loaded(texts[0], recent), EVENT_ID, Origin("sentry-sdk"), CONTEXT, DEFAULTS)
    assert event.body["data"]["exception"] is shared
    assert orjson.dumps(event.body) == event.payload == outcome_of(texts[0]).payload


def test_an_exception_that_says_something_else_is_read() -> None:
    """Values that never come again are not kept; frames are, and so is each of some that do."""
    recent = Traces()
    texts = [ONE.replace(b'"E"', b'"E%d"' % number) for number in range(CRASHES_MAX + 1)]
    assert all(crash(text, recent) is None for text in texts)
    assert known(texts[0], recent) == [True]
    last = texts.pop()
    assert [crash(text, recent, 2) is not None for text in texts] == [True] * CRASHES_MAX
    assert crash(last, recent, SHARE - CRASHES_MAX - 1) is None
    assert all(crash(text, recent) for text in texts), "it took nobody's place yet"
    assert crash(last, recent, 2) is not None
    assert [crash(text, recent) is not None for text in texts] == [False] + [True] * (CRASHES_MAX - 1)


def test_exceptions_that_are_too_long_are_not_kept() -> None:
    """The longest that are kept, and those that are a byte longer."""
    short_by = TRACE_BYTES - len(ONE) + len(b'{"exception":}') - len(b'"value":"",')
    for more, is_known in ((0, True), (1, False)):
        text = ONE.replace(b'"type"', b'"value":"' + b"y" * (short_by + more) + b'","type"')
        assert (crash(text, Traces(), 4) is not None) is is_known
        same(text)


OUTSIDE = (b'"exception":{},', b'"exception":{"values":[{"type":"E","value":"x"}]},')


@pytest.mark.parametrize("exception", OUTSIDE)
def test_frames_behind_the_exceptions_are_not_theirs(exception: bytes) -> None:
    """What stands before the frames of a thread, or of the event, is not taken for the beginning of a crash."""
    text = b"{" + exception + b'"stacktrace":{"frames":[{"function":"a"}]}}'
    recent = Traces()
    assert crash(text, recent, 4) is None
    assert outcome(text[:-1], recent) == outcome(text[:-1])
    assert outcome(b'{"message":"m",' + exception + b'"frames":[{"function":"a"}]}', recent) == outcome(
        b'{"message":"m",' + exception + b'"frames":[{"function":"a"}]}'
    )


def test_what_others_hold_is_not_told_of_an_event() -> None:
    """An exception within another member, whose frames stand behind it, teaches nothing."""
    recent = Traces()
    frames = b'"frames":[{"function":"a"}]'
    other = b'{"exception":{"values":[{"type":"Secret"}]},"stacktrace":{"exception":{},' + frames + b"}}"
    for _ in range(4):
        assert outcome(other, recent) == outcome(other)
    text = b'{"message":"hello","exception":{},' + frames + b"}"
    assert outcome(text, recent) == outcome(text)


@pytest.mark.parametrize("text", [
    error_of({"frames": SMALL}).replace(b'"type":"E",', b""),
    b'{"exception":{},"stacktrace":{"frames":[{"function":"a"}]}}',
    ONE.replace(b'"E"', b'"' + b"e" * TRACE_BYTES + b'"'),
], ids=["nameless", "outside", "too long"])  # fmt: skip
def test_what_cannot_be_learnt_is_seldom_tried(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """After as many tries as crashes are kept, one of some: looking where exceptions end costs more than reading them."""
    tries: list[str] = []

    class Counting(json.JSONDecoder):
        def raw_decode(self, text: str, at: int = 0) -> tuple[Any, int]:
            tries.append(text)
            return super().raw_decode(text, at)

    monkeypatch.setattr("alertd.sources.sentry_traces._DECODER", Counting())
    recent = Traces()
    for _ in range(3 + SHARE * 4):
        loaded(text, recent)
    assert len(tries) <= CRASHES_MAX + 4


@pytest.mark.parametrize("depth", range(4, 10))
def test_what_is_shared_keeps_to_a_bound_on_depth(depth: int) -> None:
    """An event that is nested too deeply is cut where the bound says so, known or not."""
    recent = Traces()
    text = error_of({"frames": SMALL})
    assert crash(text, recent, 4) is not None
    context = replace(CONTEXT, bounds=replace(CONTEXT.bounds, max_depth=depth))
    wanted = decode_error(orjson.loads(text), EVENT_ID, Origin("sentry-sdk"), context, DEFAULTS)
    event = decode_error(loaded(text, recent), EVENT_ID, Origin("sentry-sdk"), context, DEFAULTS)
    assert event.payload == wanted.payload


def test_what_is_shared_is_not_cut() -> None:
    """An event that is too large is made to fit, and the next with the same exceptions has all of them."""
    recent = Traces()
    text = error_of({"frames": [{"function": "f", "in_app": True, "pre_context": ["x" * 150]} for _ in range(9)]})
    shared = crash(text, recent, 4)
    assert shared is not None
    before = orjson.dumps(shared)
    for most in range(400, 3000, 100):
        context = replace(CONTEXT, bounds=replace(CONTEXT.bounds, max_event_bytes=most))
        wanted = decode_error(orjson.loads(text), EVENT_ID, Origin("sentry-sdk"), context, DEFAULTS)
        event = decode_error(loaded(text, recent), EVENT_ID, Origin("sentry-sdk"), context, DEFAULTS)
        assert event.payload == wanted.payload
        assert orjson.dumps(shared) == before


def test_a_stack_trace_that_is_too_long_is_not_kept() -> None:
    """The longest that is kept, and one that is a byte longer."""
    short_by = TRACE_BYTES - len(orjson.dumps([{"function": "a", "x": ""}]))
    for more, is_known in ((0, True), (1, False)):
        assert known(error_of({"frames": [{"function": "a", "x": "y" * (short_by + more)}]}), Traces(), 3) == [is_known]


def test_where_nothing_comes_again_little_is_looked_at() -> None:
    """After many errors that are all different one of some is looked at, until one of them is known: then all are."""
    recent = Traces()
    for number in range(PATIENCE - 2):
        loaded(error_of({"frames": [{"function": f"f{number}"}]}), recent)
    one, other = error_of({"frames": SMALL}), error_of({"frames": SMALL[:1]})
    assert known(one, recent, 2) == [True], "the last that is looked at in any case"
    for number in range(PATIENCE):
        loaded(error_of({"frames": [{"function": f"g{number}"}]}), recent)
    assert [known(one, recent)[0] for _ in range(SHARE + 2)] == [False] * (SHARE - 1) + [True] * 3
    assert known(other, recent, 2) == [True]


def test_frames_that_are_shared_are_a_list_to_all() -> None:
    """Matchers, schemas and the writer of JSON see frames that came before as those that are new."""
    given = loaded(error_of({"frames": SMALL}, {"frames": SMALL}), Traces(), 2)
    event = decode_error(given, EVENT_ID, Origin("sentry-sdk"), CONTEXT, DEFAULTS)
    assert type(frames_of(event.body["data"])) is Frames
    assert orjson.dumps(event.body) == event.payload
    assert parse_matcher("data.exception.values.0.stacktrace.frames.1.function=b").matches(event.body)
    place: dict[str, Any] = {"frames": {"type": "array", "maxItems": 1, "items": {"required": ["lineno"]}}}
    for name in ("stacktrace", "values", "exception"):
        inner: dict[str, Any] = {"properties": place}
        place = {name: {"type": "array", "items": inner} if name == "values" else inner}
    assert len(Schema({"properties": place}).violations(event.body["data"])) == 2 * 3


def test_so_many_stack_traces_are_looked_for() -> None:
    """Of an event with more, those behind the bound are read in their place."""
    text = error_of(*[{"frames": [{"function": str(number)}]} for number in range(TRACES_MAX + 1)])
    assert known(text, Traces(), TRACES_MAX + 2) == [True] * TRACES_MAX + [False]


def test_what_is_kept_is_bounded() -> None:
    """What was asked for lately is at hand, what was not for long is forgotten, and the bound is never exceeded."""
    texts = [orjson.dumps([{"function": f"f{number:02}"}]) for number in range(40)]
    size = ENTRY_BYTES + len(texts[0]) + len(orjson.dumps([{"function": "f00", "in_app": False}]))
    kept = Traces(20 * size)
    assert [kept.find(text) for text in texts] == [None] * 40
    first = [kept.find(text) for text in texts[:10]]
    assert all(kept.find(text) is frames for text, frames in zip(texts[:10], first, strict=True))
    assert kept.held_bytes == 10 * size
    for number, text in enumerate(texts):
        kept.find(text)
        assert kept.held_bytes <= 20 * size
        assert kept.find(texts[0]) is first[0], f"asked for all the time, and forgotten behind {number} others"
    assert kept.find(texts[1]) is not first[1]


def test_exceptions_count_as_what_is_kept() -> None:
    """Exceptions that come again stay within the same bound as the frames that they hang on."""
    recent, most = Traces(32_768), 0
    texts = [ONE.replace(b'"a"', b'"a%d"' % (n % 9)).replace(b'"E"', b'"E%d"' % n) for n in range(36)]
    for text in texts:
        for _ in range(4):
            loaded(text, recent)
            assert recent.held_bytes <= 32_768
            most = max(most, recent.held_bytes)
    assert most > 16_384


def test_a_stack_trace_that_cannot_be_kept_is_none() -> None:
    """What is no list by itself is left where it is."""
    kept = Traces()
    for text in (b'[{"a":1}', b'[{"function":"\xff"}]', b"[" * 1001 + b"]" * 1001, b'[{"function":"\\ud83d"}]'):
        assert [kept.find(text) for _ in range(3)] == [None] * 3
    assert kept.held_bytes == 0


def test_what_came_once_is_remembered_within_a_bound() -> None:
    """So many others may come before a text that comes again is known; one more, and it is new."""
    for others, is_known in ((MET_MAX - 1, True), (MET_MAX, False)):
        kept = Traces()
        kept.find(b'[{"function":"a"}]')
        for number in range(others):
            kept.find(b"%d" % number)
        assert (kept.find(b'[{"function":"a"}]') is not None) is is_known


def frames_of(given: dict[str, Any]) -> object:
    """Give the frames of the first exception."""
    return given["exception"]["values"][0]["stacktrace"]["frames"]
