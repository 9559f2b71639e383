"""Records of Kafka become events, or rejected records that say why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from alertd.clock import SystemClock
from alertd.intake.kafka.options import Topic
from alertd.intake.kafka.records import REJECTED_HEADERS_MAX, read
from alertd.intake.kafka.unpacking import Unreadable
from alertd.intake.rejected import headers_of
from alertd.model.event import Bounds
from alertd.model.ids import IdSource

if TYPE_CHECKING:
    from alertd.submission import Submission


def read_all(topic: Topic, *given: tuple[bytes | None, list[Any]], first: int = 0) -> Submission:
    """Read one fetch: records of these values and headers, at offsets from `first` on."""
    records = [
        SimpleNamespace(value=value, headers=headers, topic="events", partition=0, offset=offset)
        for offset, (value, headers) in enumerate(given, first)
    ]
    known, ids = frozenset({"default"}), IdSource(SystemClock())
    return read(("events", 0), records, topic, now_ms=0, workspaces=known, bounds=Bounds(), ids=ids)


async def test_a_topic_of_an_unknown_workspace_is_rejected() -> None:
    """Where a topic's workspace is no more, its records are kept as rejected and nothing of them is planned."""
    values = (b'{"type": "x"}', b'{"type": "x", "workspace": "default"}')
    submission = read_all(Topic("native", "gone"), *((value, []) for value in values))
    assert [(r.offset, "unknown workspace 'gone'" in r.reason) for r in submission.rejected] == [(0, True)]
    assert ([event.workspace for event in submission.events], submission.next_offset) == (["default"], 2)


@pytest.mark.parametrize("form", ["native", "cloudevents", "sentry", "github", "incidents", "auto"])
@pytest.mark.parametrize("packed", [b"", b'{"type": "x"}'])
async def test_what_stands_for_a_batch_is_rejected_with_its_reason(form: Any, packed: bytes) -> None:
    """It is not looked at, whatever it looks like, and the records beside it are read."""
    stand_in = Unreadable(packed)
    stand_in.reason = "a compressed batch of 7 records"
    submission = read_all(Topic(form), (b"", []), (stand_in, []), (None, []))
    (kept,) = [each for each in submission.rejected if each.reason == stand_in.reason]
    assert (kept.offset, kept.bytes, kept.size, type(kept.bytes)) == (1, packed, len(packed), bytes)
    assert (submission.events, submission.next_offset) == ([], 3)


async def test_what_becomes_no_event_is_passed_over() -> None:
    """What HTTP takes with 202 and keeps nothing of is neither an event nor a rejected record, and is counted."""
    told: list[tuple[Any, list[Any], bytes]] = [
        ("sentry", [("sentry-hook-resource", b"installation")], b'{"action": "created", "data": {"installation": {}}}'),
        ("sentry", [], b'{"action": "created", "data": {"installation": {"uuid": "x"}}}'),
        ("auto", [("sentry-hook-resource", b"seer")], b'{"action": "x", "data": {}}'),
        ("github", [("X-GitHub-Event", b"ping")], b'{"zen": "Keep it simple"}'),
        ("auto", [("X-GitHub-Event", b"ping")], b"{}"),
    ]
    for form, headers, value in told:
        submission = read_all(Topic(form), (value, headers), (value, headers), first=7)
        assert (submission.events, submission.rejected, submission.skipped, submission.next_offset) == ([], [], 2, 9)


async def test_headers_are_kept_with_what_cannot_be_read() -> None:
    """A rejected record has its headers as they were, those without a value too, up to a bound."""
    headers = [("ce_id", b"\x00\xff"), ("empty", None), ("naïve", b"")]
    many = [(f"h{n}", b"x" * 1000) for n in range(100)]
    submission = read_all(Topic(), *((b"{", given) for given in (headers, [], many)))
    whole, none, cut = submission.rejected
    assert headers_of(whole.headers) == headers
    assert (none.headers, headers_of(none.headers)) == ("", [])
    assert len(cut.headers.encode()) <= REJECTED_HEADERS_MAX
    assert headers_of(cut.headers) == many[:12]
