"""Rows of the history as the API gets them: what is selected, and the dicts made of it (alertd.store.base.HistoryStore)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.model.digest import DIGEST_TYPE
from alertd.model.event import id_in
from alertd.store.sqlite.shared import SHARED, further

if TYPE_CHECKING:
    from alertd.store.sqlite.reader import Row

EVENT: Final = "e.id, e.workspace_id, e.type, e.matched, e.payload, e.verdicts, e.revision"
DELIVERY: Final = (
    "d.id, d.event_id, e.type, e.workspace_id, d.destination_id, d.subscription_id, d.channel_id, d.state,"  # noqa: S608 - constants
    " d.attempts, d.next_at, d.started_at, d.duration, d.outcome, d.status, d.detail, d.answer, nullif(d.replay_of, d.id),"
    " CASE WHEN d.replay_of IS NOT NULL THEN (SELECT g.alerts FROM digest g WHERE g.id = d.id) END,"
    " CASE WHEN d.state = 4 THEN (SELECT n.digest_id FROM digested n WHERE n.delivery_id = d.id) END,"
    " CASE WHEN d.replay_of IS NOT NULL THEN (SELECT r.actor FROM repeat r WHERE r.delivery_id = d.id) END,"
    " CASE WHEN d.replay_of IS NOT NULL THEN (SELECT r.replay_id FROM repeat r WHERE r.delivery_id = d.id) END,"
    f" {SHARED.format(delivery='d.id')}"
)
ATTEMPTS: Final = """
SELECT * FROM (
    SELECT a.delivery_id, a.number, a.started_at, a.duration, a.outcome, a.status, a.detail, a.answer
    FROM json_each(:ids) n CROSS JOIN attempt a ON a.delivery_id = n.value
    UNION ALL
    SELECT d.id, d.attempts, d.started_at, d.duration, d.outcome, d.status, d.detail, d.answer
    FROM json_each(:ids) n CROSS JOIN delivery d ON d.id = n.value WHERE d.outcome IS NOT NULL)
ORDER BY 1, 2
"""
REJECTED: Final = "SELECT id, workspace, topic, partition, record_offset, reason, bytes, size, headers FROM rejected"

_NAMES: Final = (
    "id", "event_number", "event_type", "workspace_id", "destination_id", "subscription_id", "channel_id",
    "state", "attempts", "next_at_ms", "started_at_ms", "duration_us", "outcome", "status", "detail", "answer",
    "replay_of", "digest_count", "digest_id", "replayed_by", "replay_id", "also",
)  # fmt: skip


def event_row(row: Row) -> dict[str, Any]:
    """Make an event of what EVENT selects."""
    return {
        "number": row[0],
        "workspace_id": row[1],
        "type": row[2],
        "matched": bool(row[3]),
        "payload": row[4],
        "verdicts": b"[]" if row[5] is None else row[5],
        "revision": row[6],
    }


def delivery_row(row: Row, event_id: str) -> dict[str, Any]:
    """Make a delivery of what DELIVERY selects, and of its event's id."""
    view = dict(zip(_NAMES, row, strict=True))
    view["event_id"] = event_id
    view["also"] = further(view["also"])
    view["state"] = DeliveryState(view["state"])
    if view["digest_count"] is not None:
        view["event_type"] = DIGEST_TYPE
    view["outcome"] = None if view["outcome"] is None else OutcomeKind(view["outcome"])
    view["detail"] = view["detail"] or ""
    view["answer"] = view["answer"] or b""
    return view


def whole_delivery_row(row: Row) -> dict[str, Any]:
    """Make a delivery of what DELIVERY selects and its event's payload behind it."""
    return {**delivery_row(row[:-1], id_in(row[-1])), "payload": row[-1]}


def attempt_row(row: Row) -> dict[str, Any]:
    """Make an attempt of what ATTEMPTS selects, but for the delivery's id."""
    return {
        "number": row[1],
        "started_at_ms": row[2],
        "duration_us": row[3],
        "outcome": OutcomeKind(row[4]),
        "status": row[5],
        "detail": row[6] or "",
        "answer": row[7] or b"",
    }


def rejected_row(row: Row, workspace_id: int | None) -> dict[str, Any]:
    """Make a rejected record of what REJECTED selects, with its workspace's number, if it has one."""
    return {
        "id": row[0],
        "workspace_id": workspace_id,
        "workspace": row[1],
        "topic": row[2],
        "partition": row[3],
        "offset": row[4],
        "reason": row[5],
        "bytes": row[6],
        "size": row[7],
        "headers": row[8],
    }
