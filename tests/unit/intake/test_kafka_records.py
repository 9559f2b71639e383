"""Records of Kafka become events, or rejected records that say why."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from alertd.clock import SystemClock
from alertd.intake.kafka.options import Topic
from alertd.intake.kafka.records import REJECTED_HEADERS_MAX, read
from alertd.intake.kafka.unpacking import UnreadableBatch
from alertd.intake.rejected import headers_of
from alertd.model.event import Bounds
from alertd.model.ids import IdSource


async def test_a_topic_of_an_unknown_workspace_is_rejected() -> None:
    """Where a topic's workspace is no more, its records are kept as rejected and nothing of them is planned."""
    records = [
        SimpleNamespace(value=value, headers=[], topic="events", partition=0, offset=offset)
        for offset, value in enumerate((b'{"type": "x"}', b'{"type": "x", "workspace": "default"}'))
    ]
    submission = read(
        ("events", 0),
        records,
        Topic("native", "gone"),
        now_ms=0,
        workspaces=frozenset({"default"}),
        bounds=Bounds(),
        ids=IdSource(SystemClock()),
    )
    assert [(r.offset, "unknown workspace 'gone'" in r.reason) for r in submission.rejected] == [(0, True)]
    assert ([event.workspace for event in submission.events], submission.next_offset) == (["default"], 2)


@pytest.mark.parametrize("form", ["native", "cloudevents", "sentry", "github", "incidents", "auto"])
@pytest.mark.parametrize("packed", [b"", b'{"type": "x"}'])
async def test_what_stands_for_a_batch_is_rejected_with_its_reason(form: str, packed: bytes) -> None:
    """It is not looked at, whatever it looks like, and the records beside it are read."""
    stand_in = UnreadableBatch(packed)
    stand_in.reason = "a compressed batch of 7 records"
    values = (b"", stand_in, None)
    records = [
        SimpleNamespace(value=value, headers=[], topic="events", partition=0, offset=offset)
        for offset, value in enumerate(values)
    ]
    submission = read(
        ("events", 0),
        records,
        Topic(form),  # type: ignore[arg-type]
        now_ms=0,
        workspaces=frozenset({"default"}),
        bounds=Bounds(),
        ids=IdSource(SystemClock()),
    )
    (kept,) = [each for each in submission.rejected if each.reason == stand_in.reason]
    assert (kept.offset, kept.bytes, kept.size, type(kept.bytes)) == (1, packed, len(packed), bytes)
    assert (submission.events, submission.next_offset) == ([], 3)


async def test_what_becomes_no_event_is_passed_over() -> None:
    """What HTTP takes with 202 and keeps nothing of is neither an event nor a rejected record, and is counted."""
    told = [
        ("sentry", [("sentry-hook-resource", b"installation")], b'{"action": "created", "data": {"installation": {}}}'),
        ("sentry", [], b'{"action": "created", "data": {"installation": {"uuid": "x"}}}'),
        ("auto", [("sentry-hook-resource", b"seer")], b'{"action": "x", "data": {}}'),
        ("github", [("X-GitHub-Event", b"ping")], b'{"zen": "Keep it simple"}'),
        ("auto", [("X-GitHub-Event", b"ping")], b"{}"),
    ]
    for form, headers, value in told:
        records = [SimpleNamespace(value=value, headers=headers, topic="hooks", partition=0, offset=n) for n in (7, 8)]
        submission = read(
            ("hooks", 0),
            records,
            Topic(form),  # type: ignore[arg-type]
            now_ms=0,
            workspaces=frozenset({"default"}),
            bounds=Bounds(),
            ids=IdSource(SystemClock()),
        )
        assert (submission.events, submission.rejected, submission.skipped, submission.next_offset) == ([], [], 2, 9)


async def test_headers_are_kept_with_what_cannot_be_read() -> None:
    """A rejected record has its headers as they were, those without a value too, up to a bound."""
    headers = [("ce_id", b"\x00\xff"), ("empty", None), ("naïve", b"")]
    many = [(f"h{n}", b"x" * 1000) for n in range(100)]
    records = [
        SimpleNamespace(value=b"{", headers=given, topic="events", partition=0, offset=offset)
        for offset, given in enumerate((headers, [], many))
    ]
    submission = read(
        ("events", 0),
        records,
        Topic(),
        now_ms=0,
        workspaces=frozenset({"default"}),
        bounds=Bounds(),
        ids=IdSource(SystemClock()),
    )
    whole, none, cut = submission.rejected
    assert headers_of(whole.headers) == headers
    assert (none.headers, headers_of(none.headers)) == ("", [])
    assert len(cut.headers.encode()) <= REJECTED_HEADERS_MAX
    assert headers_of(cut.headers) == many[:12]
