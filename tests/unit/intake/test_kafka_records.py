"""Records of Kafka become events, or rejected records that say why."""

from __future__ import annotations

from types import SimpleNamespace

from alertd.clock import SystemClock
from alertd.intake.kafka.options import Topic
from alertd.intake.kafka.records import read
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
