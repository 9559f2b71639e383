"""Frames are shared by the events that have them; nothing that one event is or becomes shows in another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from alertd.engine.issues.facts import facts_of
from alertd.errors import DecodeError
from alertd.model.event import Bounds, from_payload
from alertd.sources.sentry_defaults import SentryDefaults
from tests.unit.sources.sentry_samples import CONTEXT, ERROR, envelope, item, received

if TYPE_CHECKING:
    from alertd.model.event import Event

FRAME: dict[str, Any] = {"filename": "shop/cart.py", "function": "total", "lineno": 1, "in_app": True}
FULL: dict[str, Any] = {**FRAME, "context_line": "x" * 150, "pre_context": ["y" * 150] * 5}


def decoded(*frames: dict[str, Any], most: int = 1 << 18) -> Event:
    """Decode an error with these frames within a bound."""
    exception = {"values": [{"type": "KeyError", "stacktrace": {"frames": [*frames]}}]}
    context = replace(CONTEXT, bounds=Bounds(max_event_bytes=most))
    (event,) = received(envelope(item("event", {"exception": exception})), context=context).events
    return event


def frames_of(event: Event) -> list[dict[str, Any]]:
    """Give its frames."""
    found: list[dict[str, Any]] = event.body["data"]["exception"]["values"][0]["stacktrace"]["frames"]
    return found


def test_a_frame_that_came_before_is_the_same() -> None:
    """A second event of the same place in the code takes no memory for it."""
    one, other = decoded(FRAME, FULL), decoded(FRAME, {**FULL, "vars": {"password": "hunter2"}})
    assert all(frame is known for frame, known in zip(frames_of(other), frames_of(one), strict=True))


@pytest.mark.parametrize("number", [True, 1.0, "1", None, [1], -1])
def test_what_equals_a_number_is_none(number: Any) -> None:
    """A line that is no number is left out, also right after a frame that is the same but for that."""
    assert frames_of(decoded(FRAME)) == [FRAME]
    assert "lineno" not in frames_of(decoded({**FRAME, "lineno": number}))[0]
    assert frames_of(decoded({**FRAME, "in_app": number, "colno": 0}))[0] == {
        **FRAME,
        "colno": 0,
        "in_app": number is True,
    }


@pytest.mark.parametrize("nothing", [None, "", 0, False, [], {}])
def test_a_name_that_is_nothing_is_absent(nothing: Any) -> None:
    """Each of the names of a frame may be empty in any way, all of them at once leave no frame."""
    for name in ("filename", "module", "function", "abs_path"):
        given = {**FRAME, "module": "shop.cart", "abs_path": "/srv/shop/cart.py", name: nothing}
        kept = frames_of(decoded(given))[0]
        assert ("abs_path" if name == "filename" else name) not in kept
        assert kept["function" if name != "function" else "module"]
    bare = dict.fromkeys(("filename", "module", "function", "abs_path"), nothing)
    assert "stacktrace" not in decoded(bare).body["data"]["exception"]["values"][0]


def test_what_one_event_loses_the_others_keep() -> None:
    """An event that is cut to its bound takes nothing from those that have the same frames, before it or after it."""
    before = decoded(*[FULL] * 20)
    cut = decoded(*[FULL] * 20, most=8_000)
    assert "pre_context" not in frames_of(cut)[0]
    after = decoded(*[FULL] * 20)
    assert frames_of(before) == frames_of(after) == [FULL] * 20
    assert from_payload(before.payload).body == before.body == after.body


def test_the_decoder_reads_what_the_engine_would() -> None:
    """The facts that come with an error are those of its stored payload; what is no error has none."""
    (event,) = received(envelope(item("event", ERROR)), defaults=SentryDefaults(project="shop")).events
    assert event.facts is not None
    assert event.facts == facts_of(from_payload(event.payload), CONTEXT.now_ms)
    assert facts_of(event, CONTEXT.now_ms) is event.facts
    (check_in,) = received(envelope(item("check_in", {"monitor_slug": "a", "status": "ok"}))).events
    assert check_in.facts is None


@pytest.mark.parametrize(
    ("defaults", "pointer"),
    [
        (SentryDefaults(types={"sentry.error": "a b"}), "/type"),
        (SentryDefaults(severities={"error": "terrible"}), "/severity"),
        (SentryDefaults(project="a\x00b"), "/project"),
        (SentryDefaults(environment="\x00"), "/environment"),
    ],
)
def test_defaults_that_no_event_may_have_are_named(defaults: SentryDefaults, pointer: str) -> None:
    """What an endpoint says of its events is held to the rules of events, though the decoder writes them itself."""
    error = {name: value for name, value in ERROR.items() if name != "tags"}
    with pytest.raises(DecodeError) as refused:
        received(envelope(item("event", error)), defaults)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]


def test_a_severity_that_reads_as_another_is_kept_as_that() -> None:
    """`fatal` is `critical`, whoever says so."""
    (event,) = received(envelope(item("event", ERROR)), SentryDefaults(severities={"error": "fatal"})).events
    assert (event.severity.word, event.body["severity"]) == ("critical", "critical")
