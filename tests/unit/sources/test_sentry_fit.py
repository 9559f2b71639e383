"""Large events of Sentry: they are cut down to the bound, what matters least first, and say so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from alertd.errors import DecodeError, TooLargeError
from alertd.model.event import Bounds
from alertd.sources.document import is_deeper
from alertd.sources.native import decode_record
from alertd.sources.sentry_fit import DEPTH_MAX
from tests.unit.sources.sentry_samples import CONTEXT, OTHER_ID, envelope, item, received

LINE = "x" * 200
FRAME = {
    "filename": "f" * 300,
    "abs_path": "/" + "p" * 300,
    "module": "m" * 200,
    "function": "g" * 200,
    "lineno": 17,
    "in_app": True,
    "context_line": LINE,
    "pre_context": [LINE] * 5,
    "post_context": [LINE] * 5,
}
EVENT: dict[str, Any] = {
    "exception": {
        "values": [{"type": f"E{n}", "value": "v" * 4000, "stacktrace": {"frames": [FRAME] * 50}} for n in range(4)]
    },
    "logentry": {"message": "t" * 8000, "formatted": "u" * 8000, "params": ["p" * 200] * 30},
    "tags": {f"tag{n}": "v" * 1000 for n in range(64)},
    "fingerprint": ["one", "two"],
    "release": "shop@1.2.3",
    "transaction": "/checkout",
    "user": {"id": "7"},
    "contexts": {"runtime": {"name": "n" * 200}},
}
BODY = envelope(item("event", EVENT))
NEEDED = {"event_id", "title", "level", "exception", "fingerprint", "release", "transaction", "user"}


def decoded(most: int, depth: int = 64) -> dict[str, Any]:
    """Decode the large event within a bound."""
    context = replace(CONTEXT, bounds=Bounds(max_event_bytes=most, max_body_bytes=1 << 21, max_depth=depth))
    (event,) = received(BODY, context=context).events
    assert len(event.payload) <= most
    assert orjson.loads(event.payload) == event.body
    assert decode_record(event.payload, context) == event
    return event.body


def test_at_every_bound_what_matters_stays() -> None:
    """However small the bound, the event keeps what groups it, and names what it lost."""
    lost: list[list[str]] = []
    for most in (1 << 20, 1 << 19, 1 << 18, 1 << 17, 1 << 16, 1 << 15, 1 << 14, 1 << 13, 1 << 12, 1 << 11, 1100):
        body = decoded(most)
        data = body["data"]
        assert data.keys() >= NEEDED, most
        assert data["exception"]["type"] == "E3"
        assert data["fingerprint"] == ["one", "two"]
        assert (data["release"], data["user"]) == ("shop@1.2.3", {"id": "7"})
        lost.append(data.get("trimmed", []))
    assert lost[0] == []
    assert lost[-1] == ["data"]
    named = [set(places) for places in lost if places != ["data"]]
    assert len(named) > 5
    assert all(less <= more for less, more in pairwise(named))


def test_the_crash_end_stays_longest() -> None:
    """Of the frames those of the raised exception stay, and of those the ones nearest to the crash."""
    data = decoded(1 << 16)["data"]
    raised = data["exception"]["values"][-1]["stacktrace"]
    assert len(raised["frames"]) + raised["omitted"] == 50
    assert "exception.values.stacktrace.frames" in data["trimmed"]
    assert not any("stacktrace" in value for value in data["exception"]["values"][:-1])


def test_one_byte_decides() -> None:
    """An event at the bound is whole, and one byte less cuts it down."""
    whole = len(orjson.dumps(decoded(1 << 20)))
    assert "trimmed" not in decoded(whole)["data"]
    assert "trimmed" in decoded(whole - 1)["data"]


def test_what_does_not_fit_at_all() -> None:
    """Below what the least needs the event is refused as too large."""
    with pytest.raises(TooLargeError, match="more than 300 bytes"):
        decoded(300)


def test_no_event_is_deeper_than_said() -> None:
    """The layout's depth is known, so it need not be looked for; a smaller bound on depth cuts down to it."""
    body = decoded(1 << 20)
    assert not is_deeper(body, DEPTH_MAX)
    assert is_deeper(body, DEPTH_MAX - 1)
    for depth in range(4, DEPTH_MAX + 1):
        cut = decoded(1 << 20, depth)
        assert not is_deeper(cut, depth)
        assert cut["data"].keys() >= NEEDED
        assert ("trimmed" in cut["data"]) is (depth < DEPTH_MAX)
    with pytest.raises(DecodeError, match="nested deeper"):
        decoded(1 << 20, 2)


def test_an_event_that_fits_is_not_touched() -> None:
    """Trimming is for the large: this one keeps its lines and labels."""
    data = decoded(1 << 20)["data"]
    assert data["event_id"] == OTHER_ID
    assert data["exception"]["values"][0]["stacktrace"]["frames"][0]["pre_context"] == [LINE] * 5
