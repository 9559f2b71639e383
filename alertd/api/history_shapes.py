"""The shapes of the history: events that were accepted, alerts, deliveries and attempts, as JSON Schemas."""

from __future__ import annotations

from typing import Any, Final

from alertd.api.operation import Schema, page_of, ref
from alertd.api.shapes import (
    COUNT,
    FLAG,
    INTEGER_OR_NULL,
    NUMBER,
    OUTCOME,
    PLACES,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_OR_NULL,
    among,
    many,
    or_null,
    whole,
    with_more,
)
from alertd.model.selection import STATES
from alertd.store.replaying import ReplayState

STATE: Final = among(STATES)
_SEARCHED_TO: Final[Schema] = {
    **TIME,
    "description": "there when the search stopped before the page was full, since little fits among much:"
    " everything back to this time was looked at, and next_cursor goes on from there",
}


def history_page(item: Schema) -> Schema:
    """Describe a page of the history."""
    page = page_of(item)
    return {**page, "properties": {**page["properties"], "searched_to": _SEARCHED_TO}}


_EVENT: Final = whole(
    type=TEXT,
    id=TEXT,
    received_at=TIME,
    matched={**FLAG, "description": "whether a channel took it, which makes it an alert"},
    alert_id=TEXT_OR_NULL,
    violations={**PLACES, "description": "where its data is not as the schema of its type says"},
)
_RELATIVE: Final = whole(id=TEXT, type=TEXT, severity=TEXT, message=TEXT, received_at=TIME)
_ATTEMPT: Final = whole(
    number=COUNT,
    started_at=TIME,
    duration_seconds=NUMBER,
    outcome=OUTCOME,
    status=INTEGER_OR_NULL,
    error=TEXT_OR_NULL,
    answer={**TEXT, "description": "the beginning of what the receiver answered"},
)

_RECORD: Final = whole(
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
_DELIVERY: Final = whole(
    id=TEXT,
    alert_id=TEXT,
    event_id=TEXT,
    type=TEXT,
    workspace=TEXT_OR_NULL,
    destination=TEXT_OR_NULL,
    subscription={**TEXT_OR_NULL, "description": "the first of those that it was made for"},
    other_subscriptions={**many(TEXT_OR_NULL), "description": "the others, which it serves as well"},
    channel=TEXT_OR_NULL,
    state=STATE,
    reason={**TEXT_OR_NULL, "description": "why it ended undelivered"},
    created_at=TIME,
    next_at={**TIME_OR_NULL, "description": "when it is attempted next, while it waits"},
    error={**TEXT_OR_NULL, "description": "what its last attempt came to"},
    attempt_count=COUNT,
    attempts=many(ref("Attempt")),
    replay_of={**TEXT_OR_NULL, "description": "the delivery that it repeats"},
    replayed_by={**TEXT_OR_NULL, "description": "the token with which that was asked for"},
    replay_id={**TEXT_OR_NULL, "description": "the replay of many that it is part of"},
    digest_id={
        **TEXT_OR_NULL,
        "description": "the digest that it came together in with others, when too many waited",
    },
    digest_count={**INTEGER_OR_NULL, "minimum": 1, "description": "of a digest: how many deliveries it stands for"},
)

_REQUEST: Final = whole(
    filter={"type": "object"},
    destination={**TEXT_OR_NULL, "description": "where all of it goes; null: each to its own"},
    rate_per_second=NUMBER,
    again=FLAG,
)


HISTORY_SHAPES: Final[dict[str, Any]] = {
    "AcceptedEvent": {**_EVENT, "description": "an event's own fields, and what became of it"},
    "EventPage": {
        **with_more(
            _EVENT,
            verdicts=many(ref("Verdict")),
            deliveries=many(ref("DeliveryInLane")),
            progress={
                **many(ref("Progress")),
                "description": "what derived types and metric alerts saw in it, and how they stand by now",
            },
            cause={
                **or_null(_RELATIVE),
                "description": "the event that alertd made it of; null: none, or none that is kept. Of incident.resolved: the"
                " one that opened the incident; of an alert that fired by time: the one that went beyond the limit",
            },
            made={**many(_RELATIVE), "description": "the events that alertd made of it, oldest first"},
        ),
        "description": "an event with every verdict and its deliveries, where it came from and what came of it",
    },
    "Alert": whole(
        id=TEXT,
        workspace=TEXT_OR_NULL,
        type=TEXT,
        received_at=TIME,
        event={"type": "object"},
        verdicts=many(ref("Verdict")),
        deliveries=many(whole(id=TEXT, destination=TEXT_OR_NULL, subscription=TEXT_OR_NULL, state=STATE)),
        summary=whole(
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
    "WholeDelivery": with_more(_DELIVERY, event={"type": "object"}),
    "DeliveryInLane": with_more(
        _DELIVERY,
        lane={
            **or_null(
                whole(
                    state=TEXT,
                    queue_depth=COUNT,
                    breaker_state=TEXT,
                    paused_until=TIME_OR_NULL,
                    rests_until=TIME_OR_NULL,
                )
            ),
            "description": "what the destination's lane does now; null: the destination is gone",
        },
    ),
    "ReplayPreview": with_more(
        _REQUEST,
        dry_run=FLAG,
        count={**COUNT, "description": "how many would be sent again"},
        matched={**COUNT, "description": "how many deliveries the filter finds that are final"},
        states={"type": "object", "additionalProperties": COUNT, "description": "these by their states"},
        complete={**FLAG, "description": "false: there are more than a replay may be of, and none would be sent"},
    ),
    "Replay": with_more(
        _REQUEST,
        id=TEXT,
        state=among(state.word for state in ReplayState),
        reason={**TEXT_OR_NULL, "description": "why it ended before it was done"},
        matched={**COUNT, "description": "how many deliveries it is of"},
        replayed={**COUNT, "description": "how many were sent again so far"},
        left_out={
            **COUNT,
            "description": "how many were not: gone, brought there by a replay or another delivery of the event, or their "
            "destination was removed",
        },
        requested_by=TEXT,
        created_at=TIME,
        ended_at=TIME_OR_NULL,
    ),
    "RejectedRecord": _RECORD,
    "WholeRecord": with_more(
        _RECORD,
        bytes_base64={**TEXT, "description": "as they came, up to 64 KiB"},
        complete={**FLAG, "description": "whether all of them were kept, without which it cannot be tried again"},
        headers=many(whole(name=TEXT, value_base64=TEXT_OR_NULL)),
    ),
    "RecordReplay": whole(
        result={**among(("accepted", "duplicate")), "description": "duplicate: its id was known"},
        event_id=TEXT,
        origin={**ref("RejectedRecord"), "description": "the record, which is kept no longer"},
    ),
}
"""Components of the history."""
