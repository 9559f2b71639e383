"""The shapes of what is no resource: events, alerts, deliveries, tokens and the rest, as JSON Schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.event import LABEL_NAME_MAX, LABEL_VALUE_MAX, LABELS_MAX, NAME_MAX
from alertd.model.severity import WORDS
from alertd.model.token import ROLES

if TYPE_CHECKING:
    from alertd.api.operation import Schema


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
TEXT_OR_NULL: Final = _or_null(TEXT)
TIME_OR_NULL: Final = _or_null(TIME)
_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": "^[!-~]+$"}

EVENT: Final[Schema] = {
    **_object(
        ("type",),
        type={**_NAME, "description": "what happened, such as run:failed"},
        id={**_NAME, "description": "the idempotency key; absent: one is made"},
        workspace={**TEXT, "description": "absent: the token's"},
        project=TEXT,
        environment=TEXT,
        source=TEXT,
        severity={"type": "string", "enum": [*WORDS, "fatal"], "default": "info"},
        time={**TIME, "description": "when; absent: now"},
        key={**TEXT, "description": "what cooldowns and counts are kept for; absent: the type"},
        message=TEXT,
        url=TEXT,
        labels={
            "type": "object",
            "maxProperties": LABELS_MAX,
            "propertyNames": {"maxLength": LABEL_NAME_MAX},
            "additionalProperties": {"type": "string", "maxLength": LABEL_VALUE_MAX},
        },
        data={"type": "object"},
    ),
    "additionalProperties": False,
}

VERDICT: Final = _object(
    ("subscription", "channel", "verdict", "reason", "detail", "data", "destinations"),
    subscription=TEXT_OR_NULL,
    channel=TEXT_OR_NULL,
    verdict={**TEXT, "description": "sent, or what decided against it"},
    reason={**TEXT_OR_NULL, "description": "the field that decided; null: sent"},
    detail={**TEXT, "description": "the same in words"},
    data=_object(
        (),
        remaining_seconds={**NUMBER, "description": "cooldown: how long it still rested"},
        matcher={**COUNT, "description": "matcher: the position, from 0, of the one that does not hold"},
        occurrence={**COUNT, "description": "with a ladder: which occurrence this was"},
        next_occurrence={
            "type": ["integer", "null"],
            "description": "which is sent next; null: none until a quiet period",
        },
    ),
    destinations={"type": "array", "items": {"type": "object"}},
)
PLACES: Final[Schema] = {"type": "array", "items": _object(("pointer", "detail"), pointer=TEXT, detail=TEXT)}
_PART: Final[dict[str, Schema]] = {
    "event": {"type": "object"},
    "matched": FLAG,
    "violations": PLACES,
    "verdicts": {"type": "array", "items": {"$ref": "#/components/schemas/Verdict"}},
    "deliveries": {"type": "array", "items": {"type": "object"}},
    "progress": {"type": "array", "items": {"type": "object"}},
}

_TOKEN: Final[dict[str, Schema]] = {
    "id": TEXT,
    "name": TEXT,
    "role": {"type": "string", "enum": list(ROLES)},
    "workspace": TEXT_OR_NULL,
    "created_at": TIME_OR_NULL,
    "expires_at": TIME_OR_NULL,
    "last_used_at": TIME_OR_NULL,
    "provisioned": FLAG,
}
_TOKEN_NEEDS: Final = ("id", "name", "role", "workspace", "created_at", "provisioned")

SHAPES: Final[dict[str, Schema]] = {
    "Problem": {
        **_object(
            ("type", "title", "status", "detail"),
            type=TEXT,
            title=TEXT,
            status={"type": "integer"},
            detail=TEXT,
            errors={
                "type": "array",
                "description": "every bad place",
                "items": _object(("pointer", "detail"), pointer=TEXT, detail=TEXT),
            },
        ),
        "description": "RFC 9457",
    },
    "Event": EVENT,
    "Accepted": _object(
        ("accepted", "duplicates", "ids"), accepted=COUNT, duplicates=COUNT, ids={"type": "array", "items": TEXT}
    ),
    "Verdict": VERDICT,
    "Explanation": _object(
        (*_PART, "makes"), **_PART, makes={"type": "array", "items": _object(tuple(_PART), **_PART)}
    ),
    "AuditEntry": _object(
        ("id", "at", "actor", "action", "kind", "name", "before", "after"),
        id=TEXT,
        at=TIME,
        actor=TEXT,
        action=TEXT,
        kind=TEXT,
        name=TEXT,
        before={"type": ["object", "null"]},
        after={"type": ["object", "null"]},
    ),
    "Difference": _object(
        ("changes",),
        changes={
            "type": "array",
            "items": _object(
                ("change", "kind", "name", "fields", "before", "after"),
                change={"type": "string", "enum": ["created", "updated", "deleted"]},
                kind=TEXT,
                name=TEXT,
                fields={"type": "array", "items": TEXT},
                before={"type": ["object", "null"]},
                after={"type": ["object", "null"]},
            ),
        },
    ),
    "SubscriptionTest": _object(
        ("subscription", "results"),
        subscription=TEXT,
        results={"type": "array", "items": {"$ref": "#/components/schemas/TestResult"}},
    ),
    "SdkKey": _object(
        ("public_key", "title", "project", "dsn", "created_at"),
        public_key=TEXT,
        title=TEXT,
        project=TEXT,
        dsn={**TEXT, "description": "what the SDK is given"},
        created_at=TIME_OR_NULL,
    ),
    "Issue": _object(
        ("id", "short_id", "title", "level", "state", "project", "event_count", "first_seen", "last_seen", "url"),
        id=TEXT,
        short_id={**TEXT, "description": "its name for people, as SHOP-42"},
        title=TEXT,
        level=TEXT,
        state={"type": "string", "enum": ["new", "ongoing", "regressed", "escalating", "muted", "resolved"]},
        project=TEXT,
        event_count=COUNT,
        first_seen=TIME,
        last_seen=TIME,
        url=TEXT,
        suspect_commits={"type": "array", "items": {"type": "object"}},
        culprit=TEXT,
        user_count=COUNT,
        environments={"type": "array", "items": TEXT},
        releases={"type": "array", "items": TEXT},
        assignee=TEXT_OR_NULL,
        transitions={"type": "array", "items": {"type": "object"}},
        alerts={"type": "array", "items": TEXT},
        incident={"type": ["object", "null"], "description": "the incident that is open"},
        keys={"type": "array", "items": {"type": "object"}, "description": "its grouping keys, and what each brought"},
        merged={"type": "array", "items": {"type": "object"}, "description": "the issues that were merged into it"},
    ),
    "Incident": _object(
        ("id", "kind", "title", "state", "project", "score", "score_parts", "opened_at", "timeline", "suspect_commits"),
        id=TEXT,
        kind={"type": "string", "enum": ["issue", "deploy", "reported", "simulated"]},
        title=TEXT,
        state={"type": "string", "enum": ["open", "acknowledged", "resolved"]},
        project=TEXT,
        environment=TEXT_OR_NULL,
        trigger=TEXT_OR_NULL,
        score={"type": "integer", "minimum": 0, "maximum": 100},
        score_parts={"type": "array", "items": {"type": "object"}},
        issue_id=TEXT_OR_NULL,
        opened_at=TIME,
        last_event_at=TIME,
        acknowledged_at=TIME_OR_NULL,
        acknowledged_by=TEXT_OR_NULL,
        resolved_at=TIME_OR_NULL,
        resolved_by=TEXT_OR_NULL,
        suspect_commits={"type": "array", "items": {"type": "object"}},
        deploys={"type": "array", "items": {"type": "object"}},
        timeline={"type": "array", "items": {"type": "object"}},
        timeline_omitted=COUNT,
        severity=TEXT,
        url=TEXT_OR_NULL,
        test={**FLAG, "description": "whether it is simulated"},
    ),
    "TestResult": _object(
        ("destination", "outcome", "status", "error", "answer", "duration_seconds"),
        destination=TEXT,
        outcome={"type": "string", "enum": ["delivered", "retry_later", "rejected", "gone", "ambiguous"]},
        status=_or_null({"type": "integer"}),
        error=TEXT_OR_NULL,
        answer=TEXT,
        duration_seconds=NUMBER,
    ),
    "Preview": _object(
        ("destination", "target", "headers", "body"),
        destination=TEXT,
        target={**TEXT, "description": "how and where it would be sent to"},
        headers={"type": "object", "additionalProperties": TEXT},
        body=TEXT,
    ),
    "Rotation": _object(
        (),
        overlap_seconds={
            "type": "number",
            "minimum": 0,
            "maximum": 2_592_000,
            "default": 3600,
            "description": "seconds that the secret before goes on working",
        },
    ),
    "Token": _object(_TOKEN_NEEDS, **_TOKEN),
    "NewToken": _object(
        (*_TOKEN_NEEDS, "value"), **_TOKEN, value={**TEXT, "description": "the secret: it is never shown again"}
    ),
}
"""Components that are no resources."""


def with_status(schema: Schema, status: dict[str, Schema]) -> Schema:
    """Add what is only shown to a resource's schema."""
    shown: dict[str, Any] = {name: {**each, "readOnly": True} for name, each in status.items()}
    return {**schema, "properties": {**schema["properties"], **shown}}


DESTINATION_STATUS: Final[dict[str, Schema]] = {
    "built_in": {**FLAG, "description": "whether it is there by default and cannot be changed"},
    "state": {**TEXT, "description": "what its lane does now"},
    "disabled_reason": TEXT_OR_NULL,
    "disabled_at": TIME_OR_NULL,
    "queue_depth": COUNT,
    "queue_capacity": COUNT,
    "in_flight": COUNT,
    "breaker_state": TEXT,
    "paused_until": TIME_OR_NULL,
    "last_success_at": TIME_OR_NULL,
    "last_failure_at": TIME_OR_NULL,
    "last_error": TEXT_OR_NULL,
}
"""What a destination shows of its lane."""
SUBSCRIPTION_STATUS: Final[dict[str, Schema]] = {
    "built_in": {**FLAG, "description": "whether it is a default that nobody has changed"},
    "last_fired_at": {**TIME_OR_NULL, "description": "when an event last matched it, delivered or not"},
    "last_success_at": TIME_OR_NULL,
    "last_error": {**TEXT_OR_NULL, "description": "why a delivery was given up last"},
    "last_error_at": TIME_OR_NULL,
    "fired_total": COUNT,
    "sent_total": COUNT,
    "delivered_total": COUNT,
    "failed_total": COUNT,
}
"""What a subscription shows of its events."""
TYPE_STATUS: Final[dict[str, Schema]] = {
    "built_in": {**FLAG, "description": "whether a catalogue knows it"},
    "learnt": {**FLAG, "description": "whether it is only known from events"},
    "first_seen_at": TIME_OR_NULL,
    "last_seen_at": TIME_OR_NULL,
    "events_total": COUNT,
}
"""What an event type shows of its events."""
RESOURCE_STATUS: Final[dict[str, Schema]] = {
    "provisioned": {**FLAG, "description": "whether the configuration holds it, which makes it read-only here"},
    "origin": {**TEXT_OR_NULL, "description": "where the configuration holds it, as alertd.yml:42"},
    "created_at": TIME_OR_NULL,
    "updated_at": TIME_OR_NULL,
}
"""What every resource shows besides its fields."""
