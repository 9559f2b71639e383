"""The console type."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.destinations.console import TEXT_MAX, ConsoleDestination, line_of
from alertd.model.delivery import DELIVERED, OutcomeKind
from tests.conformance.destination_suite import make_message


def test_line_tells_the_whole_story() -> None:
    """The line has time, severity, type, project and environment, message, subscription and delivery id."""
    event = {
        "type": "run:failed",
        "time": "2026-05-07T00:00:00Z",
        "severity": "error",
        "project": "shop",
        "environment": "prod",
        "message": "Run 17 failed after 3 attempts",
    }
    assert line_of(make_message(event=json.dumps(event).encode())) == (
        "2026-05-07T00:00:00Z ERROR run:failed shop/prod Run 17 failed after 3 attempts [production-runs] dlv_0001"
    )


def test_line_of_the_smallest_event() -> None:
    """What an event does not say leaves no gap."""
    assert line_of(make_message(event=b'{"type": "run:failed"}')) == "INFO run:failed [production-runs] dlv_0001"


def test_a_users_own_words_are_shown() -> None:
    """They stand where the message would, as safely, and the line says when a template failed."""
    message = replace(make_message(event=b'{"message": "ours"}'), own_title="a\x1b", own_body="b\nc")
    assert line_of(message) == r"INFO run:failed a\x1b b\nc [production-runs] dlv_0001"
    failed = replace(message, own_title=None, own_body=None, note="the template of the title failed: x")
    assert " ours (the template of the title failed: x) [production-runs]" in line_of(failed)


def test_test_delivery_is_marked() -> None:
    """A test delivery says so."""
    assert "[production-runs, test]" in line_of(make_message(test=True))


def test_terminal_is_safe_from_the_event() -> None:
    """Escape sequences, line breaks and direction marks of an event are shown, not obeyed."""
    line = line_of(make_message(event=json.dumps({"message": "\x1b[31mred\r\n\x07\u202e\u2028\x9b"}).encode()))
    assert r"\x1b[31mred\r\n\x07\u202e\u2028\x9b" in line


@given(
    st.dictionaries(st.sampled_from(["message", "severity", "project", "environment", "time"]), st.text()), st.text()
)
def test_line_is_one_printable_line(event: dict[str, str], type_: str) -> None:
    """Whatever the event says, the line is one, printable and of bounded length."""
    line = line_of(make_message(event=json.dumps(event).encode(), event_type=type_))
    assert line.isprintable()
    assert len(line) < 10 * 6 * TEXT_MAX


async def test_prints_one_line() -> None:
    """An attempt prints one line and is delivered."""
    lines: list[str] = []
    assert await ConsoleDestination(lines.append).attempt(make_message()) is DELIVERED
    assert len(lines) == 1
    assert "run:failed" in lines[0]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "Broken pipe"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ValueError("I/O operation on closed file"), "ValueError"),
    ],
)
async def test_closed_output_is_tried_again(error: Exception, why: str) -> None:
    """When nobody reads the output any more, or its disk is full, the delivery waits and says why."""

    def fail(line: str) -> None:
        raise error

    outcome = await ConsoleDestination(fail).attempt(make_message())
    assert (outcome.kind, outcome.detail) == (OutcomeKind.RETRY_LATER, f"console: cannot write: {why}")
