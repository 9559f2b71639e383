"""Which events of an issue are worth keeping whole, and what is kept of the others."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from alertd.engine.issues.sample import is_kept, thinned
from alertd.model.event import from_payload, id_in, is_simulated, time_and_simulated, with_id
from alertd.sources.native import decode_json
from tests.unit.engine.issues.errors import error, frame
from tests.unit.sources.sentry_samples import CONTEXT

FRAMES = [frame("total", module="shop.cart"), frame("price", module="shop.cart")]


def stored(data: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Thin an event that a producer sends, and read what is stored of it."""
    (event,) = decode_json(orjson.dumps([{"type": "sentry.error", "id": "e1", "data": data, **more}]), CONTEXT)
    found: dict[str, Any] = orjson.loads(thinned(event))
    return found


@pytest.mark.parametrize(
    ("count", "kept"),
    [(1, True), (100, True), (101, False), (110, True), (111, False), (990, True), (1_000, True), (1_010, False),
     (1_100, True), (10_000, True), (10_100, False), (11_000, True)],
)  # fmt: skip
def test_the_first_hundred_are_kept_and_then_ever_fewer(count: int, *, kept: bool) -> None:
    """Of every ten one from the hundredth on, of every hundred one from the thousandth."""
    assert is_kept(count) is kept


def test_a_flood_is_ninety_for_each_power_of_ten() -> None:
    """A million errors are a sample of some hundreds."""
    assert sum(map(is_kept, range(1, 1_000_001))) == 100 + 4 * 90


def test_stack_traces_are_left_out_and_named() -> None:
    """What groups and names the event stays, and `trimmed` says what went."""
    given = error(frames=FRAMES, stacktrace={"frames": FRAMES}, user={"id": "7"})
    found = stored(given, labels={"team": "shop"}, message="m")
    assert found["labels"] == {"team": "shop"}
    kept = {name: value for name, value in given.items() if name != "stacktrace"}
    kept["exception"] = {**given["exception"], "values": [{"type": "KeyError", "value": "'sku'"}]}
    assert found["data"] == {**kept, "trimmed": ["exception.values.stacktrace", "stacktrace"]}


def test_what_was_cut_before_is_still_named() -> None:
    """A list of a decoder's is added to."""
    found = stored(error(frames=FRAMES, trimmed=["contexts.os", "stacktrace"]))["data"]["trimmed"]
    assert found == ["contexts.os", "exception.values.stacktrace", "stacktrace"]


@pytest.mark.parametrize("said", [["contexts.os", 5], "contexts.os", {"a": 1}])
def test_what_a_producer_says_there_stays(said: Any) -> None:
    """Where `trimmed` is none of ours, the event stays whole."""
    data = error(frames=FRAMES, trimmed=said)
    assert stored(data)["data"] == data


@pytest.mark.parametrize(
    "exception",
    ["KeyError", None, [], {"type": "KeyError"}, {"values": 5}, {"values": [5, None, {"type": "KeyError"}]}],
)
def test_what_has_no_stack_trace_is_stored_as_it_is(exception: Any) -> None:
    """Nothing is left out of it, so nothing is said to be."""
    data = {"event_id": "0" * 32, "title": "t", "level": "error", "exception": exception}
    (event,) = decode_json(orjson.dumps([{"type": "sentry.error", "id": "e1", "data": data}]), CONTEXT)
    assert thinned(event) is event.payload


@pytest.mark.parametrize("made", [False, True])
def test_it_reads_as_an_event_does(*, made: bool) -> None:
    """The id comes first, made or brought, and the time before what anybody might have written."""
    given = {"type": "sentry.error", "time": "2026-05-07T00:00:00Z", "data": error(frames=FRAMES, note='"time":"x"')}
    (event,) = decode_json(orjson.dumps([given if made else {"id": 'e"1', **given}]), CONTEXT)
    if made:
        with_id(event, "00000000-0000-7000-8000-000000000001")
    payload = thinned(event)
    assert id_in(payload[:520]) == event.id
    assert time_and_simulated(payload) == time_and_simulated(event.payload)
    assert not is_simulated(payload)
    again = from_payload(payload)
    assert (again.id, again.type, again.key, again.time) == (event.id, event.type, event.key, event.time)
    assert len(payload) < len(event.payload)
