"""Good bodies of every format, damaged: every decoder makes events of them or refuses, and issues take what comes."""

from __future__ import annotations

import contextlib
import copy
import tracemalloc
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertd.engine.issues.batch import Loaded
from alertd.engine.issues.fingerprint import fingerprint_of
from alertd.engine.issues.news import concerns, take
from alertd.engine.issues.working_set import WorkingSet
from alertd.errors import DecodeError
from alertd.model.event import Bounds
from alertd.sources.base import Context
from alertd.sources.native import decode_record
from tests.cost import cpu_seconds
from tests.unit.sources.samples import BODIES, CONTEXT, DECODERS, OBJECTS
from tests.unit.sources.sentry_samples import hold_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.model.event import Event

WIDE = Context("default", CONTEXT.now_ms, CONTEXT.workspaces, Bounds(max_body_bytes=32 << 20))
MEMORY_FACTOR = 60
TEXT_FACTOR = 16
SLOW_FACTOR = 24
ODD: list[Any] = [
    None, True, 0, -1, 2**63, 2**64 - 1, 1e308, -0.0, "", " ", "x" * 5000, "\x00", "\ud7ff\U0010ffff", "9" * 400,
    "2026-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "NaN", "../../x", "{{ default }}",
    [], {}, [None], {"": None}, [[[[]]]], {"a": {"b": {"c": {}}}}, {"values": [None, {}, []]}, ["x"] * 300,
    {str(number): number for number in range(300)}, {"login": []}, {"id": {"id": "x"}}, [{"frames": "x"}], 17.5,
]  # fmt: skip


def weighed(events: list[Event]) -> None:
    """Let issues take what was decoded; they take anything."""
    batch = WorkingSet().begin(Loaded())
    for number, event in enumerate(events, 1000):
        if concerns(event.body):
            take(batch, event, 1, number, CONTEXT.now_ms)
        batch.weigh(event, 1, number, CONTEXT.now_ms)
        if event.type in {"sentry.error", "sentry.message"}:
            assert fingerprint_of(event.body["data"], event.body.get("labels"))


def by_every_decoder(body: bytes, context: Context = CONTEXT) -> None:
    """Give a body to every decoder: refusals say something, and what comes out is an event by every rule of native ones."""
    for decode in DECODERS.values():
        try:
            events = decode(body, context)
        except DecodeError as error:
            hold_refusal(error)
            continue
        for event in events:
            assert len(event.payload) <= context.bounds.max_event_bytes
            again = decode_record(event.payload, context)
            assert (again.type, again.key, again.body["data"] if "data" in event.body else {}) == (
                event.type, event.key, event.body.get("data", {}),
            )  # fmt: skip
        weighed(events)


def test_good_bodies_are_decoded() -> None:
    """Every body is good for at least one decoder, so that damage is done to something."""
    for body in BODIES:
        found = []
        for name, decode in DECODERS.items():
            try:
                if decode(body, CONTEXT):
                    found.append(name)
            except DecodeError:
                continue
        assert found, body
    for body in BODIES:
        by_every_decoder(body)


@settings(max_examples=200)
@given(st.data())
def test_damaged_bytes(data: st.DataObject) -> None:
    """Bytes changed, lost, doubled, cut off, or taken from another body."""
    body = data.draw(st.sampled_from(BODIES))
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, max(0, len(body) - 1)))
        end = begin + data.draw(st.sampled_from([0, 1, 2, 7, 40]))
        other = data.draw(st.sampled_from(BODIES))
        put = data.draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from(
                    [b"", b"\n", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"[", b"}", b"\\ud800", b"1e999"]
                ),
                st.just(body[begin:end] * 2),
                st.just(other[begin:end]),
            )
        )
        body = body[:begin] + put + (b"" if data.draw(st.booleans()) and end > len(body) - 5 else body[end:])
    by_every_decoder(body)


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the way to every value within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield (*path, step)
        yield from paths_of(each, (*path, step))


PATHS = {name: sorted(paths_of(value), key=str) for name, value in OBJECTS.items()}


@settings(max_examples=120)
@given(st.data())
def test_damaged_members(data: st.DataObject) -> None:
    """Members of another kind, gone, renamed or doubled, anywhere."""
    name = data.draw(st.sampled_from(sorted(OBJECTS)))
    value = copy.deepcopy(OBJECTS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damage(value, data.draw(st.sampled_from(PATHS[name])), data)
    by_every_decoder(orjson.dumps(value))


def damage(value: Any, path: tuple[str | int, ...], data: st.DataObject) -> None:
    """Change one member of a value, if it is still there."""
    place = value
    try:
        for step in path[:-1]:
            place = place[step]
        before = place[path[-1]]
    except (KeyError, IndexError, TypeError):
        return
    if isinstance(place, str):
        return
    what = data.draw(st.sampled_from(["odd", "gone", "listed", "doubled", "renamed"]))
    if what == "odd":
        place[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    elif what == "gone":
        del place[path[-1]]
    elif what == "listed":
        place[path[-1]] = [before, before]
    elif what == "doubled" and isinstance(place, list):
        place.append(before)
    elif what == "renamed" and isinstance(place, dict):
        place[str(path[-1]) + "_"] = place.pop(path[-1])


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_ten_thousand_levels_anywhere(name: str, opened: bytes, closed: bytes) -> None:
    """A deep nest in the place of any top-level member, or of its members, is refused or left out by every decoder."""
    nest = opened * 10_000 + b"1" + closed * 10_000
    for path in PATHS[name]:
        if len(path) > 2:
            continue
        value = copy.deepcopy(OBJECTS[name])
        place = value
        for step in path[:-1]:
            place = place[step]  # type: ignore[index]  # JSON of any form
        place[path[-1]] = "NEST"  # type: ignore[index]  # JSON of any form
        by_every_decoder(orjson.dumps(value).replace(b'"NEST"', nest))


LONG = {
    "one string": b'{"type":"%s"}',
    "one name": b'{"%s":1}',
    "one line": b"%s",
    "a message": b'{"message":"%s"}',
    "a label": b'{"alerts":[{"labels":{"alertname":"%s"}}]}',
    "a commit": b'{"ref":"x","commits":[{"id":"a","message":"%s"}]}',
    "a title": b'{"data":{"issue":{"id":1,"title":"%s"}},"action":"created"}',
}


@pytest.mark.parametrize("name", LONG)
def test_a_giant_line(name: str) -> None:
    """Eight mebibytes in one text cost a second and a few times their size at most, in every decoder."""
    body = LONG[name] % (b"x" * (8 << 20))
    for decoder, decode in DECODERS.items():
        peak, took = spent(decode, body)
        assert peak <= TEXT_FACTOR * len(body), decoder
        assert took < 2, decoder


ALERT = b'{"status":"firing","labels":{"alertname":"a"}}'
MANY: dict[str, tuple[bytes, bytes]] = {
    "alerts": (
        b'{"alerts":[%s]}',
        b'{"status":"firing","labels":{"alertname":"a%d"},"startsAt":"2026-05-07T00:00:00Z"}',
    ),
    "labels": (b'{"alerts":[{"status":"firing","labels":{%s}}]}', b'"l%d":"v"'),
    "annotations": (b'{"alerts":[{"status":"firing","labels":{"a":"b"},"annotations":{%s}}]}', b'"l%d":"v"'),
    "labels of the group": (b'{"groupLabels":{%s},"alerts":[' + b",".join([ALERT] * 100) + b"]}", b'"l%d":"v"'),
    "common labels": (b'{"commonLabels":{%s},"alerts":[{"status":"firing","labels":{"a":"b"}}]}', b'"l%d":"v"'),
    "commits": (b'{"ref":"refs/heads/main","commits":[%s]}', b'{"id":"%d","message":"m","added":["a"]}'),
    "files": (b'{"ref":"refs/heads/main","commits":[{"id":"a","message":"m","modified":[%s]}]}', b'"f%d"'),
    "frames of a report": (b'{"source":"s","service":"a","message":"m","stacktrace":[%s]}', b'{"file":"f%d"}'),
    "tags of a report": (b'{"source":"s","service":"a","message":"m","tags":{%s}}', b'"t%d":"v"'),
    "window": (
        b'{"source":"s","service":"a","message":"m","change_window":{"commits":[%s]}}',
        b'{"id":"c%d","files":["a"]}',
    ),
    "unknown members": (b"{%s}", b'"m%d":{}'),
    "problems": (b"[%s]", b'{"typ":%d}'),
}


@pytest.mark.parametrize("name", MANY)
def test_many_parts_cost_linear_time_and_memory(name: str) -> None:
    """Eight times the parts cost about eight times as much in every decoder, and never two seconds."""
    frame, part = MANY[name]

    def body(count: int) -> bytes:
        return frame % b",".join(part % number for number in range(count))

    few, many = body(1000), body(8000)
    for decoder, decode in DECODERS.items():
        peak, took = spent(decode, many)
        assert took <= 0.1 or took <= SLOW_FACTOR * seconds(decode, few), decoder
        assert took < 2, decoder
        assert peak <= MEMORY_FACTOR * len(many), decoder


def spent(decode: Any, body: bytes) -> tuple[int, float]:
    """Peak of memory in bytes, and seconds of CPU, of decoding a body once each."""
    tracemalloc.start()
    once(decode, body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak, seconds(decode, body)


def seconds(decode: Any, body: bytes) -> float:
    """Seconds of CPU of decoding a body once."""
    return cpu_seconds(lambda: once(decode, body), rounds=1)


def once(decode: Any, body: bytes) -> None:
    """Decode a body, or have it refused."""
    with contextlib.suppress(DecodeError):
        decode(body, WIDE)
