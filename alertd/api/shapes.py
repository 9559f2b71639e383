"""The shapes of what is no resource: events, alerts, deliveries, tokens and the rest, as JSON Schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.api.operation import Schema, ref
from alertd.engine.progress import Stand
from alertd.model.delivery import OutcomeKind
from alertd.model.event import LABEL_NAME_MAX, LABEL_VALUE_MAX, LABELS_MAX, NAME_MAX
from alertd.model.incident import IncidentKind, IncidentState
from alertd.model.issue import State
from alertd.model.severity import WORDS
from alertd.model.token import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable


def whole(**properties: Schema) -> Schema:
    """Describe an object that has all of these."""
    return some(tuple(properties), **properties)


def some(required: tuple[str, ...], **properties: Schema) -> Schema:
    """Describe an object that may have all of these, and has those that are required."""
    return {"type": "object", "required": list(required), "properties": properties}


def with_more(schema: Schema, **properties: Schema) -> Schema:
    """Describe an object that has these as well."""
    required, known = [*schema["required"], *properties], {**schema["properties"], **properties}
    return {**schema, "required": required, "properties": known}


def many(item: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": item}


def among(words: Iterable[str]) -> Schema:
    """Describe a text that is one of these."""
    return {"type": "string", "enum": list(words)}


def or_null(schema: Schema) -> Schema:
    """Describe what may be null."""
    return {**schema, "type": [schema["type"], "null"]}


TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
TEXT_OR_NULL: Final = or_null(TEXT)
TIME_OR_NULL: Final = or_null(TIME)
INTEGER_OR_NULL: Final = or_null({"type": "integer"})
OBJECT_OR_NULL: Final = or_null({"type": "object"})
OUTCOME: Final = among(kind.word for kind in OutcomeKind)
_SHOWN: Final[dict[str, Schema]] = {
    "target": {**TEXT, "description": "how and where it is sent to"},
    "headers": {"type": "object", "additionalProperties": TEXT},
    "body": TEXT,
}
_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": "^[!-~]+$"}

EVENT: Final[Schema] = {
    **some(
        ("type",),
        type={**_NAME, "description": "what happened, such as run:failed"},
        id={**_NAME, "description": "the idempotency key; absent: one is made"},
        workspace={**TEXT, "description": "absent: the token's"},
        project=TEXT,
        environment=TEXT,
        source=TEXT,
        severity={**among((*WORDS, "fatal")), "default": "info"},
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

VERDICT: Final = whole(
    subscription=TEXT_OR_NULL,
    channel=TEXT_OR_NULL,
    verdict={**TEXT, "description": "sent, or what decided against it"},
    reason={**TEXT_OR_NULL, "description": "the field that decided; null: sent"},
    detail={**TEXT, "description": "the same in words"},
    data=some(
        (),
        remaining_seconds={**NUMBER, "description": "cooldown: how long it still rested"},
        matcher={**COUNT, "description": "matcher: the position, from 0, of the one that does not hold"},
        condition={**TEXT, "description": "matcher: as it is written; cut where it is long"},
        field={**TEXT, "description": "matcher: the field of the event, or the label, that it looks at"},
        found={**TEXT_OR_NULL, "description": "matcher: what the event has there, cut where it is long; null: nothing"},
        severity={**TEXT, "description": "severity: that of the event"},
        min_severity={**TEXT, "description": "severity: the least that the subscription takes"},
        occurrence={**COUNT, "description": "with a ladder: which occurrence this was"},
        next_occurrence={**INTEGER_OR_NULL, "description": "which is sent next; null: none until a quiet period"},
    ),
    destinations=many({"type": "object"}),
)
PLACES: Final = many(whole(pointer=TEXT, detail=TEXT))
_PROGRESS: Final = some(
    ("kind", "name", "count", "next", "value", "due_at", "detail"),
    kind={**among(("derived_type", "metric_alert")), "description": "which sort of rule, that may make events, it is"},
    name=TEXT,
    count={**INTEGER_OR_NULL, "description": "derived type: the count of this event; null of a stored event"},
    next={
        **INTEGER_OR_NULL,
        "description": "derived type: the next count that makes an event; 0: none until it is quiet",
    },
    value={**or_null(NUMBER), "description": "metric alert: the number that the event has; null: it has none"},
    due_at={**TIME_OR_NULL, "description": "metric alert: when time alone moves what is followed"},
    detail={**TEXT, "description": "how far the rule has come, in words"},
    state={**among(Stand), "description": "metric alert: how it stands with this event; beyond: of a stored one"},
    field={**TEXT, "description": "metric alert: where it looks for the number"},
    when={**among(("above", "below")), "description": "metric alert: on which side of the limit it fires"},
    limit={**NUMBER, "description": "metric alert: the value that is still good"},
    for_seconds={**NUMBER, "description": "metric alert: how long beyond the limit until it fires"},
    since={
        **TIME_OR_NULL,
        "description": "metric alert: since when what is followed is beyond the limit; null: it is not",
    },
)
_PART: Final[dict[str, Schema]] = {
    "event": {"type": "object"},
    "matched": FLAG,
    "violations": PLACES,
    "verdicts": many(ref("Verdict")),
    "deliveries": many({"type": "object"}),
    "progress": many(ref("Progress")),
}

_ORIGIN: Final = {**TEXT_OR_NULL, "description": "where the configuration holds it, as alertd.yml:42"}
_TOKEN: Final = whole(
    id=TEXT,
    name=TEXT,
    role=among(ROLES),
    workspace=TEXT_OR_NULL,
    created_at=TIME_OR_NULL,
    expires_at=TIME_OR_NULL,
    last_used_at=TIME_OR_NULL,
    provisioned=FLAG,
    origin=_ORIGIN,
)

SHAPES: Final[dict[str, Schema]] = {
    "Problem": {
        **some(
            ("type", "title", "status", "detail"),
            type=TEXT,
            title=TEXT,
            status={"type": "integer"},
            detail=TEXT,
            errors={**PLACES, "description": "every bad place"},
            token_workspace={
                **TEXT,
                "description": "of 403: the workspace that the token belongs to, if it is another",
            },
        ),
        "description": "RFC 9457",
    },
    "Event": EVENT,
    "Accepted": whole(accepted=COUNT, duplicates=COUNT, ids=many(TEXT)),
    "Verdict": VERDICT,
    "Progress": _PROGRESS,
    "Explanation": whole(**_PART, makes=many(whole(**_PART))),
    "AuditEntry": whole(
        id=TEXT,
        at=TIME,
        actor=TEXT,
        action=TEXT,
        kind=TEXT,
        name=TEXT,
        before=OBJECT_OR_NULL,
        after=OBJECT_OR_NULL,
    ),
    "Difference": whole(
        changes=many(
            whole(
                change=among(("created", "updated", "deleted")),
                kind=TEXT,
                name=TEXT,
                fields=many(TEXT),
                before=OBJECT_OR_NULL,
                after=OBJECT_OR_NULL,
            )
        )
    ),
    "SubscriptionTest": whole(subscription=TEXT, results=many(ref("TestResult"))),
    "SdkKey": whole(
        public_key=TEXT,
        title=TEXT,
        project=TEXT,
        dsn={**TEXT, "description": "what the SDK is given"},
        created_at=TIME_OR_NULL,
    ),
    "Issue": some(
        ("id", "short_id", "title", "level", "state", "project", "event_count", "first_seen", "last_seen", "url"),
        id=TEXT,
        short_id={**TEXT, "description": "its name for people, as SHOP-42"},
        title=TEXT,
        level=TEXT,
        state=among(state.word for state in State),
        project=TEXT,
        event_count=COUNT,
        first_seen=TIME,
        last_seen=TIME,
        url=TEXT,
        suspect_commits=many({"type": "object"}),
        culprit=TEXT,
        user_count=COUNT,
        environments=many(TEXT),
        releases=many(TEXT),
        assignee=TEXT_OR_NULL,
        transitions=many({"type": "object"}),
        alerts=many(TEXT),
        incident={**OBJECT_OR_NULL, "description": "the incident that is open"},
        keys={**many({"type": "object"}), "description": "its grouping keys, and what each brought"},
        merged={**many({"type": "object"}), "description": "the issues that were merged into it"},
    ),
    "Incident": some(
        ("id", "kind", "title", "state", "project", "score", "score_parts", "opened_at", "timeline", "suspect_commits"),
        id=TEXT,
        kind=among(kind.word for kind in IncidentKind),
        title=TEXT,
        state=among(state.word for state in IncidentState),
        project=TEXT,
        environment=TEXT_OR_NULL,
        trigger=TEXT_OR_NULL,
        score={"type": "integer", "minimum": 0, "maximum": 100},
        score_parts=many({"type": "object"}),
        issue_id=TEXT_OR_NULL,
        opened_at=TIME,
        last_event_at=TIME,
        acknowledged_at=TIME_OR_NULL,
        acknowledged_by=TEXT_OR_NULL,
        resolved_at=TIME_OR_NULL,
        resolved_by=TEXT_OR_NULL,
        suspect_commits=many({"type": "object"}),
        deploys=many({"type": "object"}),
        timeline=many({"type": "object"}),
        timeline_omitted=COUNT,
        severity=TEXT,
        url=TEXT_OR_NULL,
        test={**FLAG, "description": "whether it is simulated"},
    ),
    "TestResult": whole(
        destination=TEXT,
        outcome=OUTCOME,
        status=INTEGER_OR_NULL,
        error=TEXT_OR_NULL,
        answer=TEXT,
        duration_seconds=NUMBER,
        request={
            **or_null(whole(**_SHOWN)),
            "description": "what was sent, without secrets; null: the type has nothing to show",
        },
    ),
    "Preview": whole(destination=TEXT, **_SHOWN),
    "Token": _TOKEN,
    "NewToken": with_more(_TOKEN, value={**TEXT, "description": "the secret: it is never shown again"}),
}
"""Components that are no resources."""


def with_status(schema: Schema, status: dict[str, Schema]) -> Schema:
    """Add what is only shown to a resource's schema."""
    shown: dict[str, Any] = {name: {**each, "readOnly": True} for name, each in status.items()}
    return {**schema, "properties": {**schema["properties"], **shown}}


_KNOWN: Final = "; after a start, what the newest deliveries tell of it; null: none is known"
STATUS: Final[dict[str, dict[str, Schema]]] = {
    "Channel": {"built_in": FLAG},
    "Destination": {
        "built_in": {**FLAG, "description": "whether it is there by default and cannot be changed"},
        "state": {**TEXT, "description": "what its lane does now"},
        "disabled_reason": TEXT_OR_NULL,
        "disabled_at": TIME_OR_NULL,
        "queue_depth": COUNT,
        "queue_capacity": COUNT,
        "in_flight": COUNT,
        "breaker_state": TEXT,
        "paused_until": {**TIME_OR_NULL, "description": "until when its receiver asked for rest (Retry-After)"},
        "rests_until": {
            **TIME_OR_NULL,
            "description": "before when no attempt begins, for that, its breaker or its rate",
        },
        "learnt_rate_per_second": {
            "type": ["number", "null"],
            "description": "attempts a second that it keeps to since its receiver refused some (429)",
        },
        "last_success_at": {**TIME_OR_NULL, "description": f"when an attempt last delivered{_KNOWN}"},
        "last_failure_at": {**TIME_OR_NULL, "description": f"when an attempt last failed{_KNOWN}"},
        "last_error": {**TEXT_OR_NULL, "description": "why that attempt failed"},
        "warnings": {
            **PLACES,
            "description": "what is allowed and probably not meant, each with its place",
        },
    },
    "EventType": {
        "built_in": {**FLAG, "description": "whether a catalogue knows it"},
        "learnt": {**FLAG, "description": "whether it is only known from events"},
        "first_seen_at": TIME_OR_NULL,
        "last_seen_at": TIME_OR_NULL,
        "events_total": COUNT,
    },
    "IntakeEndpoint": {"url": TEXT_OR_NULL, "verified": FLAG},
    "Project": {"number": COUNT},
    "Subscription": {
        "built_in": {**FLAG, "description": "whether it is a default that nobody has changed"},
        "last_fired_at": {**TIME_OR_NULL, "description": "when an event last matched it, delivered or not"},
        "last_success_at": TIME_OR_NULL,
        "last_error": {**TEXT_OR_NULL, "description": "why a delivery was given up last"},
        "last_error_at": TIME_OR_NULL,
        "fired_total": COUNT,
        "sent_total": COUNT,
        "delivered_total": COUNT,
        "failed_total": COUNT,
    },
}
"""What resources show besides their fields: of what became of them, of what is built in."""
RESOURCE_STATUS: Final[dict[str, Schema]] = {
    "provisioned": {**FLAG, "description": "whether the configuration holds it, which makes it read-only here"},
    "origin": _ORIGIN,
    "created_at": TIME_OR_NULL,
    "updated_at": TIME_OR_NULL,
}
"""What every resource shows besides its fields."""
