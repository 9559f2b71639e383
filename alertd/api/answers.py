"""Examples of what is answered, by component of the document: of what `alertd.api.examples` sends, and of what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.api.examples import DIFF, EVENT, MADE, PREVIEW, REPLAY_MANY, Example
from alertd.api.resources import fields_of
from alertd.resources.kinds import KINDS, WORKSPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.api.operation import Schema

_AT: Final = "2026-05-07T00:00:00.000Z"
_LATER: Final = "2026-05-07T00:00:05.250Z"
_ALERT: Final = "alt_19dff97eac000000"
_DELIVERY: Final = "dlv_19dff97eac000001"
_EVENT_ID: Final = "019dff97-eac0-7000-803e-4d5e47cde17a"
_ISSUE: Final = "iss_19dff97eac000000"
_INCIDENT: Final = "inc_19dff97eac000000"
_BASE: Final = "https://alerts.example.com"

_ORIGIN: Final[Example] = {"provisioned": False, "origin": None, "created_at": _AT, "updated_at": _AT}
_STATUS: Final[dict[str, Example]] = {
    "Channel": {"built_in": False},
    "EventType": {
        "built_in": False, "learnt": False, "first_seen_at": _AT, "last_seen_at": _LATER, "events_total": 17,
    },
    "Project": {"number": 14},
    "IntakeEndpoint": {
        "url": f"{_BASE}/api/v1/webhooks/alertmanager/f1ef37091abd3e28a13515dd37c944e6e8703e83", "verified": False,
    },
    "Destination": {
        "built_in": False, "state": "enabled", "disabled_reason": None, "disabled_at": None, "queue_depth": 0,
        "queue_capacity": 1000, "in_flight": 0, "breaker_state": "closed", "paused_until": None, "rests_until": None,
        "learnt_rate_per_second": None, "last_success_at": _LATER, "last_failure_at": None, "last_error": None, "warnings": [],
    },
    "Subscription": {
        "built_in": False, "last_fired_at": _AT, "last_success_at": _LATER, "last_error": None, "last_error_at": None,
        "fired_total": 3, "sent_total": 2, "delivered_total": 2, "failed_total": 0,
    },
}  # fmt: skip
_HIDDEN: Final[Example] = {"settings": {**MADE["destination"]["settings"], "secret": "***"}}

_EVENT: Final[Example] = {
    "id": _EVENT_ID, "workspace": "default", "time": _AT, "key": "checkout:slow", **EVENT,
}  # fmt: skip
_VERDICT: Final[Example] = {
    "subscription": "checkout-prod",
    "channel": "checkout",
    "verdict": "sent",
    "reason": None,
    "detail": "sent",
    "data": {},
    "destinations": [],
}
_COOLDOWN: Final[Example] = {
    **_VERDICT,
    "verdict": "cooldown",
    "reason": "cooldown",
    "detail": "cooldown: an alert with this key was sent before; 295 s remained",
    "data": {"remaining_seconds": 295.0},
}
_ATTEMPT: Final[Example] = {
    "number": 1,
    "started_at": _LATER,
    "duration_seconds": 0.042,
    "outcome": "delivered",
    "status": 200,
    "error": None,
    "answer": "ok",
}
_DELIVERED: Final[Example] = {
    "id": _DELIVERY,
    "alert_id": _ALERT,
    "event_id": _EVENT_ID,
    "type": "checkout:slow",
    "workspace": "default",
    "destination": "ops-hook",
    "subscription": "checkout-prod",
    "other_subscriptions": [],
    "channel": "checkout",
    "state": "delivered",
    "reason": None,
    "created_at": _AT,
    "next_at": None,
    "error": None,
    "attempt_count": 1,
    "attempts": [_ATTEMPT],
    "replay_of": None,
    "replayed_by": None,
    "replay_id": None,
    "digest_id": None,
    "digest_count": None,
}
_ACCEPTED: Final[Example] = {**_EVENT, "received_at": _AT, "matched": True, "alert_id": _ALERT, "violations": []}
_LANE: Final[Example] = {
    "state": "enabled",
    "queue_depth": 0,
    "breaker_state": "closed",
    "paused_until": None,
    "rests_until": None,
}
_COUNTED: Final[Example] = {
    "kind": "derived_type",
    "name": "checkout-often",
    "count": 1,
    "next": 2,
    "value": None,
    "due_at": None,
    "detail": "occurrence number 1; number 2 makes an event",
}
_EXPLAINED: Final[Example] = {
    "event": _EVENT,
    "matched": True,
    "violations": [],
    "verdicts": [_COOLDOWN],
    "deliveries": [],
    "progress": [_COUNTED],
}
_TESTED: Final[Example] = {
    "destination": "ops-hook",
    "outcome": "delivered",
    "status": 200,
    "error": None,
    "answer": "ok",
    "duration_seconds": 0.042,
    "request": {
        "target": "POST https://hooks.example.com/x",
        "headers": {"content-type": "application/json"},
        "body": '{"type":"alertd.test"}',
    },
}
_RECORD: Final[Example] = {
    "id": "rej_19dff97eac000000",
    "workspace": "default",
    "topic": "events",
    "partition": 0,
    "offset": 17,
    "reason": "/type: is required: 1 to 256 printable ASCII characters without spaces",
    "bytes": "{}",
    "size_bytes": 2,
    "rejected_at": _AT,
}
_REPLAYED: Final[Example] = {
    "filter": REPLAY_MANY["filter"],
    "destination": None,
    "rate_per_second": 50.0,
    "again": False,
}
_OPENED: Final[Example] = {
    "id": _INCIDENT,
    "kind": "issue",
    "title": "SHOP-1 new in prod: ZeroDivisionError: division by zero",
    "state": "open",
    "score": 45,
    "opened_at": _AT,
    "test": False,
}
_COMMIT: Final[Example] = {
    "id": "5d41402abc4b2a76b9719d911017c592aaaaaaaa",
    "score": 0.871,
    "reasons": ["changed shop/payment.py, where it crashed (in charge)", "went live 10 min before"],
    "author": "ann",
    "message": "charge in cents",
    "url": "https://github.com/acme/shop/commit/5d41402abc4b2a76b9719d911017c592aaaaaaaa",
}

_TOKEN: Final[Example] = {
    "id": "tok_19dff97eac000000",
    "name": "ci",
    "role": "intake",
    "workspace": "default",
    "created_at": _AT,
    "expires_at": "2035-01-01T00:00:00.000Z",
    "last_used_at": None,
    "provisioned": False,
    "origin": None,
}

SHOWN: Final[dict[str, Example]] = {
    "Accepted": {"accepted": 1, "duplicates": 0, "ids": [_EVENT_ID]},
    "AcceptedEvent": _ACCEPTED,
    "EventPage": {
        **_ACCEPTED,
        "verdicts": [_VERDICT],
        "deliveries": [{**_DELIVERED, "lane": _LANE}],
        "progress": [
            {
                **_COUNTED,
                "count": None,
                "next": None,
                "detail": "by now 1 occurrence is counted; number 2 makes an event",
            },
        ],
        "cause": None,
        "made": [],
    },
    "Alert": {
        "id": _ALERT,
        "workspace": "default",
        "type": "checkout:slow",
        "received_at": _AT,
        "event": _EVENT,
        "verdicts": [_VERDICT],
        "deliveries": [
            {"id": _DELIVERY, "destination": "ops-hook", "subscription": "checkout-prod", "state": "delivered"}
        ],
        "summary": {
            "sent": 1,
            "pending": 0,
            "failed": 0,
            "cancelled": 0,
            "suppressed": 0,
            "destinations": {"ops-hook": {"delivered": 1}},
        },
        "acknowledged_at": _LATER,
        "acknowledged_by": "ann",
    },
    "Delivery": _DELIVERED,
    "WholeDelivery": {**_DELIVERED, "event": _EVENT},
    "Explanation": {**_EXPLAINED, "makes": []},
    "Replay": {
        "id": "rpl_19dff97eac000000",
        "state": "running",
        "reason": None,
        **_REPLAYED,
        "matched": 120,
        "replayed": 50,
        "left_out": 3,
        "requested_by": "ann",
        "created_at": _AT,
        "ended_at": None,
    },
    "ReplayPreview": {
        "dry_run": True,
        "count": 117,
        "matched": 120,
        "states": {"dead": 120},
        "complete": True,
        **_REPLAYED,
    },
    "RejectedRecord": _RECORD,
    "WholeRecord": {**_RECORD, "bytes_base64": "e30=", "complete": True, "headers": []},
    "RecordReplay": {"result": "accepted", "event_id": _EVENT_ID, "origin": _RECORD},
    "AuditEntry": {
        "id": "aud_19dff97eac000000",
        "at": _AT,
        "actor": "ann",
        "action": "created",
        "kind": "channel",
        "name": "checkout",
        "before": None,
        "after": MADE["channel"],
    },
    "Difference": {
        "changes": [
            {
                "change": "updated",
                "kind": "channel",
                "name": "checkout",
                "fields": ["pattern"],
                "before": {**DIFF["channels"][0], "pattern": "checkout:**"},
                "after": DIFF["channels"][0],
            }
        ]
    },
    "SubscriptionTest": {"subscription": "checkout-prod", "results": [_TESTED]},
    "TestResult": _TESTED,
    "Preview": {
        "destination": "ops-hook",
        "target": "POST https://hooks.example.com/[redacted]",
        "headers": {"content-type": "application/json", "webhook-id": _DELIVERY},
        "body": f'{{"type":"{PREVIEW["type"]}","timestamp":"{_AT}","data":{{…}}}}',
    },
    "SdkKey": {
        "public_key": "3bc1554711c649ac8b942f9ce7dc8700",
        "title": "web shop, browsers",
        "project": "shop",
        "dsn": "https://3bc1554711c649ac8b942f9ce7dc8700@alerts.example.com/sentry/14",
        "created_at": _AT,
    },
    "Token": _TOKEN,
    "NewToken": {**_TOKEN, "value": "alertd_" + "x" * 43},
    "Issue": {
        "id": _ISSUE,
        "short_id": "SHOP-1",
        "title": "ZeroDivisionError: division by zero",
        "level": "error",
        "state": "new",
        "project": "shop",
        "event_count": 2,
        "first_seen": _AT,
        "last_seen": _LATER,
        "url": f"{_BASE}/api/v1/issues/{_ISSUE}",
        "suspect_commits": [_COMMIT],
        "culprit": "shop.payment in charge",
        "user_count": 1,
        "environments": ["prod"],
        "releases": ["shop@1.4.0"],
        "assignee": None,
        "incident": _OPENED,
        "keys": [
            {
                "key": "1:f23fe7178d927b21ad9ca85429ac8fd9",
                "title": "ZeroDivisionError: division by zero",
                "event_count": 2,
                "first_seen": _AT,
                "last_seen": _LATER,
            }
        ],
        "merged": [],
        "transitions": [
            {
                "change": "new",
                "before": None,
                "after": "new",
                "at": _AT,
                "why": "seen for the first time",
                "by": None,
            }
        ],
        "alerts": [_ALERT],
    },
    "Incident": {
        **_OPENED,
        "project": "shop",
        "environment": "prod",
        "trigger": "new",
        "severity": "error",
        "url": f"{_BASE}/api/v1/issues/{_ISSUE}",
        "score_parts": [
            {"name": "level", "points": 35, "why": "its level is error"},
            {"name": "new", "points": 10, "why": "it was never seen before"},
        ],
        "issue_id": _ISSUE,
        "last_event_at": _LATER,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": None,
        "resolved_by": None,
        "suspect_commits": [_COMMIT],
        "deploys": [],
        "timeline": [{"at": _AT, "what": "opened", "text": "SHOP-1: seen for the first time", "by": None}],
        "timeline_omitted": 0,
    },
}
"""Components that are no resources."""


def answer_examples() -> dict[str, Example]:
    """Return an example of every component that is answered, the resources among them with all of their fields."""
    found = dict(SHOWN)
    for kind in (*KINDS, WORKSPACE):
        given = MADE[kind.word] | (_HIDDEN if kind.word == "destination" else {})
        name = kind.model.__name__
        model = kind.model.model_validate(MADE[kind.word])
        found[name] = {**fields_of(model), **given, **_ORIGIN, **_STATUS.get(name, {})}
    return found


def example_of(schema: Schema, known: Mapping[str, Example]) -> Any:
    """Return an example of an answer of this shape, or of a page of such; None: nothing is known of it."""
    if "$ref" in schema:
        return known.get(schema["$ref"].rsplit("/", 1)[1])
    item = schema.get("properties", {}).get("items", {}).get("items")
    example = None if item is None else example_of(item, known)
    return None if example is None else {"items": [example], "next_cursor": None}


PROBLEMS: Final[dict[int, tuple[str, Example]]] = {
    400: ("the body is not JSON: unexpected end of data", {}),
    401: ("a bearer token is required: Authorization: Bearer TOKEN", {}),
    403: ("this needs the role admin; the token has viewer", {}),
    404: ("there is no channel 'checkout' in the workspace 'default'", {}),
    408: ("the body did not arrive within 30 s", {}),
    409: (
        "the channel 'checkout' is in use by subscription checkout-prod",
        {"errors": [{"pointer": "/subscriptions/checkout-prod", "detail": "uses it"}]},
    ),
    410: ("the link has ended", {}),
    412: ("the channel 'checkout' has changed: its ETag is now \"2\"", {}),
    413: ("the body has more than 1048576 bytes", {}),
    415: ("content type 'text/plain' is not read here, send application/json", {}),
    422: (
        "/pattern: is no valid regex: missing closing ) (at position 4)",
        {"errors": [{"pointer": "/pattern", "detail": "is no valid regex: missing closing ) (at position 4)"}]},
    ),
    428: ("say which state this changes: If-Match with the ETag of a GET", {}),
    429: ("too many wrong tokens from this address, try again after 60 s", {}),
    503: ("the store cannot write now", {}),
}
"""A sentence for each status that is refused with, and what else such a problem document holds."""
