"""Bodies as Sentry and its SDKs send them, and the short ways to decode them that the tests share."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.errors import DecodeError
from alertd.sources.base import Context
from alertd.sources.sentry_defaults import STANDARD, SentryDefaults
from alertd.sources.sentry_envelope import Envelope
from alertd.sources.sentry_sdk import Received, decode_envelope
from alertd.sources.sentry_webhook import decode_webhook

if TYPE_CHECKING:
    from collections.abc import Callable

CONTEXT = Context(workspace="default", now_ms=1_778_112_000_000, workspaces=frozenset({"default"}))
NOW = "2026-05-07T00:00:00.000Z"
EVENT_ID = "e4874d664c3540c1a32eab185f12c5ab"
OTHER_ID = "9ec79c33ec9942ab8353589fcb2e04dc"

FRAMES: list[dict[str, Any]] = [
    {"filename": "/runner", "abs_path": "https://x.example/runner", "function": None, "lineno": 3, "in_app": False},
    {
        "filename": "/app/checkout.js",
        "module": "app/checkout",
        "function": "total",
        "lineno": 17,
        "colno": 5,
        "in_app": True,
        "context_line": "  return heck;",
        "pre_context": ["function total() {"],
        "post_context": ["}"],
        "vars": {"password": "hunter2"},
    },
]
ERROR: dict[str, Any] = {
    "event_id": EVENT_ID,
    "issue_id": "1117540176",
    "project": 1,
    "title": "ReferenceError: heck is not defined",
    "culprit": "?(<anonymous>)",
    "level": "error",
    "logger": "",
    "message": "",
    "platform": "javascript",
    "datetime": "2019-08-19T21:06:17.677000Z",
    "timestamp": 1566248777.677,
    "release": None,
    "tags": [["environment", "production"], ["level", "error"], ["sentry:user", "ip:192.0.2.7"], ["gone", None]],
    "exception": {
        "values": [
            {
                "type": "ReferenceError",
                "value": "heck is not defined",
                "mechanism": {"handled": False, "type": "onerror", "synthetic": None, "data": {"mode": "stack"}},
                "stacktrace": {"frames": FRAMES},
            }
        ]
    },
    "fingerprint": ["{{ default }}"],
    "request": {"url": "https://x.example/pay?card=4111", "method": None, "headers": [["Cookie", "session=1"]]},
    "user": {"ip_address": "192.0.2.7"},
    "contexts": {"browser": {"name": "Chrome", "version": "75.0", "type": "browser"}},
    "sdk": {"name": "sentry.javascript.browser", "version": "5.5.0", "packages": []},
    "url": f"https://sentry.io/api/0/projects/test-org/front-end/events/{EVENT_ID}/",
    "web_url": f"https://sentry.io/organizations/test-org/issues/1117540176/events/{EVENT_ID}/",
    "issue_url": "https://sentry.io/api/0/issues/1117540176/",
}
ACTOR = {"id": "sentry", "name": "Sentry", "type": "application"}
INSTALLATION = {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}
ISSUE: dict[str, Any] = {
    "id": "1234567890",
    "shortId": "SHOP-Y",
    "title": "KeyError: 'sku'",
    "culprit": "shop.cart in checkout",
    "permalink": "https://example-org.sentry.io/issues/1234567890/",
    "logger": "shop",
    "level": "fatal",
    "status": "unresolved",
    "statusDetails": {},
    "substatus": "new",
    "platform": "python",
    "project": {"id": "42", "name": "The shop", "slug": "shop", "platform": "python"},
    "type": "default",
    "metadata": {"type": "KeyError", "value": "'sku'", "severity": 1, "sdk": {"name": "x"}},
    "assignedTo": None,
    "issueType": "error",
    "issueCategory": "error",
    "priority": "high",
    "isUnhandled": True,
    "count": "3",
    "userCount": 2,
    "firstSeen": "2025-11-10T20:56:00.679000+00:00",
    "lastSeen": "2025-11-10T20:56:00.738000+00:00",
    "numComments": 0,
}
METRIC_ALERT: dict[str, Any] = {
    "id": "4",
    "identifier": "1",
    "title": "Sacred Marmot",
    "status": 2,
    "projects": ["shop", "bar"],
    "date_started": "2020-09-13T12:26:40.000000Z",
    "date_detected": "2020-09-13T12:27:40.000000Z",
    "date_created": "2020-09-13T12:27:41.000000Z",
    "date_closed": None,
    "alert_rule": {
        "id": "7",
        "name": "Too many errors",
        "aggregate": "count()",
        "query": "level:error",
        "dataset": "events",
        "environment": "prod",
        "time_window": 10,
        "triggers": [],
    },
}


def hook(action: str, **data: Any) -> dict[str, Any]:
    """Make the body of a webhook."""
    return {"action": action, "actor": ACTOR, "data": copy.deepcopy(data), "installation": INSTALLATION}


def alert(**changes: Any) -> dict[str, Any]:
    """Make the body of an issue alert whose event differs in these members."""
    return hook("triggered", event=ERROR | changes, triggered_rule="Very Important Alert Rule!")


def issue(action: str, **changes: Any) -> dict[str, Any]:
    """Make the body of an issue's webhook, with an issue that differs in these members."""
    return hook(action, issue=ISSUE | changes)


def metric_alert(action: str, **changes: Any) -> dict[str, Any]:
    """Make the body of a metric alert's webhook."""
    return hook(
        action,
        metric_alert=METRIC_ALERT | changes,
        description_title="Critical: Too many errors",
        description_text="1000 events in the last 10 minutes\\nFilter: level:error",
        web_url="https://sentry.io/organizations/baz/alerts/1/",
    )


COMMENT = {
    "comment": "adding a comment",
    "project_slug": "shop",
    "comment_id": 1234,
    "issue_id": 100,
    "timestamp": "2022-03-02T21:51:44.118160Z",
}


def webhook(
    value: Any, resource: str | None, defaults: SentryDefaults = STANDARD, context: Context = CONTEXT
) -> dict[str, Any]:
    """Decode a webhook and return the body of its one event."""
    (event,) = decode_webhook(orjson.dumps(value), resource, context, defaults)
    assert orjson.loads(event.payload) == event.body
    return event.body


def refused(call: Callable[[], Any], kind: type[DecodeError] = DecodeError) -> dict[str, str]:
    """Do what must be refused and return the problems by pointer."""
    with pytest.raises(kind) as caught:
        call()
    return {problem.pointer: problem.detail for problem in caught.value.problems}


def hold_refusal(error: DecodeError) -> None:
    """Hold a refusal to saying something, and not too much."""
    assert error.problems
    assert all(len(str(problem)) < 2000 for problem in error.problems)


def item(kind: str, payload: bytes | dict[str, Any], **headers: Any) -> bytes:
    """Make an item with a length."""
    raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return orjson.dumps({"type": kind, "length": len(raw), **headers}) + b"\n" + raw


def envelope(*items: bytes, **header: Any) -> bytes:
    """Make an envelope whose header has an event id unless it says otherwise."""
    head = {"event_id": OTHER_ID} | header
    return b"\n".join([orjson.dumps({k: v for k, v in head.items() if v is not None}), *items])


def received(body: bytes, defaults: SentryDefaults = STANDARD, context: Context = CONTEXT) -> Received:
    """Decode an envelope."""
    return decode_envelope(Envelope(body, context), context, defaults)


def sdk_event(defaults: SentryDefaults = STANDARD, context: Context = CONTEXT, **event: Any) -> dict[str, Any]:
    """Decode an envelope with one event item and return the body of its event."""
    (made,) = received(envelope(item("event", event)), defaults, context).events
    assert orjson.loads(made.payload) == made.body
    return made.body
