"""The shapes of the history: events that were accepted, alerts, deliveries and attempts, as JSON Schemas."""

from __future__ import annotations

from typing import Any, Final

from alertd.api.operation import Schema, page_of, ref
from alertd.api.shapes import COUNT, FLAG, NUMBER, PLACES, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL
from alertd.model.delivery import OutcomeKind
from alertd.model.selection import STATES
from alertd.store.replaying import ReplayState

STATE: Final[Schema] = {"type": "string", "enum": list(STATES)}
_SEARCHED_TO: Final[Schema] = {
    **TIME,
    "description": "there when the search stopped before the page was full, since little fits among much:"
    " everything back to this time was looked at, and next_cursor goes on from there",
}


def history_page(item: Schema) -> Schema:
    """Describe a page of the history."""
    page = page_of(item)
    return {**page, "properties": {**page["properties"], "searched_to": _SEARCHED_TO}}


def _object(optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _number_or_null() -> Schema:
    return {"type": ["integer", "null"]}


_EVENT: Final = _object(
    type=TEXT,
    id=TEXT,
    received_at=TIME,
    matched={**FLAG, "description": "whether a channel took it, which makes it an alert"},
    alert_id=TEXT_OR_NULL,
    violations={**PLACES, "description": "where its data is not as the schema of its type says"},
)
_ATTEMPT: Final = _object(
    number=COUNT,
    started_at=TIME,
    duration_seconds=NUMBER,
    outcome={"type": "string", "enum": [kind.word for kind in OutcomeKind]},
    status=_number_or_null(),
    error=TEXT_OR_NULL,
    answer={**TEXT, "description": "the beginning of what the receiver answered"},
)

_RECORD: Final = _object(
    id=TEXT,
    workspace=TEXT_OR_NULL,
    topic=TEXT,
    partition=COUNT,
    offset=COUNT,
    reason={**TEXT, "description": "why it could not be read"},
    bytes={**TEXT, "description": "as text; what is not UTF-8 is replaced"},
    size_bytes={**COUNT, "description": "how long it is; more than is kept when it was cut"},
    rejected_at=TIME,
)
_WHOLE: Final[dict[str, Schema]] = {
    "bytes_base64": {**TEXT, "description": "as they came, up to 64 KiB"},
    "complete": {**FLAG, "description": "whether all of them were kept, without which it cannot be tried again"},
    "headers": _many(_object(name=TEXT, value_base64=TEXT_OR_NULL)),
}
_DELIVERY: Final = _object(
    id=TEXT,
    alert_id=TEXT,
    event_id=TEXT,
    type=TEXT,
    workspace=TEXT_OR_NULL,
    destination=TEXT_OR_NULL,
    subscription={**TEXT_OR_NULL, "description": "the first of those that it was made for"},
    other_subscriptions={**_many(TEXT_OR_NULL), "description": "the others, which it serves as well"},
    channel=TEXT_OR_NULL,
    state=STATE,
    reason={**TEXT_OR_NULL, "description": "why it ended undelivered"},
    created_at=TIME,
    next_at={**TIME_OR_NULL, "description": "when it is attempted next, while it waits"},
    error={**TEXT_OR_NULL, "description": "what its last attempt came to"},
    attempt_count=COUNT,
    attempts=_many(ref("Attempt")),
    replay_of={**TEXT_OR_NULL, "description": "the delivery that it repeats"},
    replayed_by={**TEXT_OR_NULL, "description": "the token with which that was asked for"},
    replay_id={**TEXT_OR_NULL, "description": "the replay of many that it is part of"},
    digest_id={
        **TEXT_OR_NULL,
        "description": "the digest that it came together in with others, when too many waited",
    },
    digest_count={
        "type": ["integer", "null"],
        "minimum": 1,
        "description": "of a digest: how many deliveries it stands for",
    },
)

_REQUEST: Final[dict[str, Schema]] = {
    "filter": {"type": "object"},
    "destination": {**TEXT_OR_NULL, "description": "where all of it goes; null: each to its own"},
    "rate_per_second": NUMBER,
    "again": FLAG,
}


def _of_request(**own: Schema) -> Schema:
    """Describe what shows a request for a replay, and more."""
    properties = {**own, **_REQUEST}
    return {"type": "object", "required": list(properties), "properties": properties}


HISTORY_SHAPES: Final[dict[str, Any]] = {
    "AcceptedEvent": {**_EVENT, "description": "an event's own fields, and what became of it"},
    "EventPage": {
        **_EVENT,
        "properties": {
            **_EVENT["properties"],
            "verdicts": _many(ref("Verdict")),
            "deliveries": _many(ref("DeliveryInLane")),
        },
        "description": "an event with every verdict and its deliveries",
    },
    "Alert": _object(
        id=TEXT,
        workspace=TEXT_OR_NULL,
        type=TEXT,
        received_at=TIME,
        event={"type": "object"},
        verdicts=_many(ref("Verdict")),
        deliveries=_many(_object(id=TEXT, destination=TEXT_OR_NULL, subscription=TEXT_OR_NULL, state=STATE)),
        summary=_object(
            sent={**COUNT, "description": "deliveries that arrived"},
            pending={
                **COUNT,
                "description": "deliveries that wait, for their first attempt or another, or are in flight",
            },
            failed={**COUNT, "description": "deliveries that are dead"},
            cancelled={**COUNT, "description": "deliveries that were cancelled"},
            suppressed={**COUNT, "description": "subscriptions, or destinations of theirs, that were held back"},
            destinations={
                "type": "object",
                "additionalProperties": {"type": "object", "additionalProperties": COUNT},
                "description": "how many deliveries by destination and state",
            },
        ),
        acknowledged_at=TIME_OR_NULL,
        acknowledged_by={
            **TEXT_OR_NULL,
            "description": "the token that took note first; link: who had a message's link",
        },
    ),
    "Attempt": _ATTEMPT,
    "Delivery": _DELIVERY,
    "WholeDelivery": {
        **_DELIVERY,
        "required": [*_DELIVERY["required"], "event"],
        "properties": {**_DELIVERY["properties"], "event": {"type": "object"}},
    },
    "DeliveryInLane": {
        **_DELIVERY,
        "required": [*_DELIVERY["required"], "lane"],
        "properties": {
            **_DELIVERY["properties"],
            "lane": {
                **_object(state=TEXT, queue_depth=COUNT, breaker_state=TEXT, paused_until=TIME_OR_NULL),
                "type": ["object", "null"],
                "description": "what the destination's lane does now; null: the destination is gone",
            },
        },
    },
    "ReplayPreview": _of_request(
        dry_run=FLAG,
        count={**COUNT, "description": "how many would be sent again"},
        matched={**COUNT, "description": "how many deliveries the filter finds that are final"},
        states={"type": "object", "additionalProperties": COUNT, "description": "these by their states"},
        complete={**FLAG, "description": "false: there are more than a replay may be of, and none would be sent"},
    ),
    "Replay": _of_request(
        id=TEXT,
        state={"type": "string", "enum": [state.word for state in ReplayState]},
        reason={**TEXT_OR_NULL, "description": "why it ended before it was done"},
        matched={**COUNT, "description": "how many deliveries it is of"},
        replayed={**COUNT, "description": "how many were sent again so far"},
        left_out={
            **COUNT,
            "description": "how many were not: gone, or brought there by a replay or another delivery of the event",
        },
        requested_by=TEXT,
        created_at=TIME,
        ended_at=TIME_OR_NULL,
    ),
    "RejectedRecord": _RECORD,
    "WholeRecord": {
        **_RECORD,
        "required": [*_RECORD["required"], *_WHOLE],
        "properties": {**_RECORD["properties"], **_WHOLE},
    },
    "RecordReplay": _object(
        result={"type": "string", "enum": ["accepted", "duplicate"], "description": "duplicate: its id was known"},
        event_id=TEXT,
        origin={**ref("RejectedRecord"), "description": "the record, which is kept no longer"},
    ),
}
"""Components of the history."""
