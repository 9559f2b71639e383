"""A good body of every format that alertd reads, and the decoder of each, for tests that damage them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.sources.alerts import AlertmanagerDecoder, GrafanaDecoder
from alertd.sources.base import Context
from alertd.sources.detect import decode_http, decode_kafka
from alertd.sources.github import GithubDecoder
from alertd.sources.incident import IncidentDecoder
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import STANDARD
from alertd.sources.sentry_envelope import Envelope
from alertd.sources.sentry_sdk import decode_envelope, decode_store
from alertd.sources.sentry_webhook import RESOURCES, decode_webhook
from tests.unit.sources.sentry_samples import COMMENT, ERROR, ISSUE, METRIC_ALERT, envelope, item
from tests.unit.sources.test_outside import GROUP, INCIDENT, PUSH

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.model.event import Event
    from alertd.sources.outside import WebhookDecoder

    Decode = Callable[[bytes, Context], list[Event]]

CONTEXT: Final = Context("default", 1_778_112_000_000, frozenset({"default"}))
DEPLOYMENT: Final[dict[str, Any]] = {
    "action": "created",
    "deployment_status": {"state": "success", "environment": "production", "created_at": "2026-05-07T00:00:00Z"},
    "deployment": {"sha": "6" * 40, "ref": "main", "environment": "production", "creator": {"login": "a"}},
    "repository": PUSH["repository"],
    "sender": PUSH["sender"],
}
RELEASE: Final[dict[str, Any]] = {
    "action": "published",
    "release": {"tag_name": "v1", "name": "One", "html_url": "https://github.com/o/r/releases/v1", "body": "x"},
    "repository": PUSH["repository"],
}
NATIVE: Final[dict[str, Any]] = {
    "type": "run:failed", "id": "run-17", "project": "shop", "severity": "error", "time": "2026-05-07T00:00:00Z",
    "labels": {"team": "payments"}, "data": {"event_id": "0", "title": "x", "level": "error", "user": {"id": 7}},
}  # fmt: skip
CLOUDEVENT: Final[dict[str, Any]] = {
    "specversion": "1.0", "type": "com.example.error", "source": "/svc", "id": "A-1", "time": "2026-05-07T00:00:00Z",
    "datacontenttype": "application/json", "team": "payments", "data": {"message": "x"},
}  # fmt: skip
CHECK_IN: Final[dict[str, Any]] = {
    "check_in_id": "83a7c03ed0a04e1b97e2e3b18d38f244", "monitor_slug": "nightly", "status": "error", "duration": 1.5,
    "monitor_config": {"schedule": {"type": "crontab", "value": "0 3 * * *"}, "timezone": "UTC"},
}  # fmt: skip
FEEDBACK: Final[dict[str, Any]] = {
    "event_id": "9ec79c33ec9942ab8353589fcb2e04dc",
    "contexts": {"feedback": {"message": "x", "contact_email": "a@example.com", "url": "https://x"}},
}

OBJECTS: Final[dict[str, dict[str, Any]]] = {
    "native": NATIVE,
    "cloudevent": CLOUDEVENT,
    "sentry error": ERROR,
    "sentry alert": {"action": "triggered", "data": {"event": ERROR, "triggered_rule": "all"}},
    "sentry issue": {"action": "created", "data": {"issue": ISSUE}, "actor": {"type": "user", "id": 1, "name": "Ann"}},
    "sentry metric alert": {"action": "critical", "data": METRIC_ALERT},
    "sentry comment": {"action": "created", "data": COMMENT},
    "check-in": CHECK_IN,
    "feedback": FEEDBACK,
    "push": PUSH,
    "deployment": DEPLOYMENT,
    "release": RELEASE,
    "alerts": GROUP,
    "incident": INCIDENT,
}
"""A good object of every format."""
BODIES: Final[list[bytes]] = [
    *map(orjson.dumps, OBJECTS.values()),
    orjson.dumps([NATIVE] * 3),
    b"\n".join([orjson.dumps(NATIVE)] * 3),
    envelope(item("event", ERROR), item("session", {}), item("check_in", CHECK_IN), item("feedback", FEEDBACK)),
]
"""A good body of every format."""
_GITHUB: Final = ("push", "deployment", "deployment_status", "release", "workflow_run", "check_suite", "ping", "issues")
_WEBHOOKS: Final[tuple[WebhookDecoder, ...]] = (AlertmanagerDecoder(), GrafanaDecoder(), IncidentDecoder())


def _webhook(decoder: WebhookDecoder, headers: dict[str, str], body: bytes, context: Context) -> list[Event]:
    return decoder.decode(WebhookRequest(headers, body, body), context, STANDARD)


def _http(content_type: str, body: bytes, context: Context) -> list[Event]:
    return decode_http(content_type, {}, body, context)


def _hook(resource: str | None, body: bytes, context: Context) -> list[Event]:
    return decode_webhook(body, resource, context)


def _store(body: bytes, context: Context) -> list[Event]:
    return decode_store(body, context).events


def _envelope(body: bytes, context: Context) -> list[Event]:
    return decode_envelope(Envelope(body, context), context).events


def _kafka(form: Any, body: bytes, context: Context) -> list[Event]:
    return [decode_kafka(form, [("X-GitHub-Event", b"push")], body, context)]


def _item(kind: str, body: bytes, context: Context) -> list[Event]:
    return _envelope(envelope(item(kind, body)), context)


DECODERS: Final[dict[str, Decode]] = {
    **{
        kind: partial(_http, kind)
        for kind in ("application/json", "application/x-ndjson", "application/cloudevents+json")
    },
    "batch": partial(_http, "application/cloudevents-batch+json"),
    **{f"sentry {name}": partial(_hook, name) for name in (None, *sorted(RESOURCES), "other")},
    "sentry store": _store,
    "sentry envelope": _envelope,
    **{f"item {kind}": partial(_item, kind) for kind in ("event", "feedback", "user_report", "check_in")},
    **{f"github {name}": partial(_webhook, GithubDecoder(), {"X-GitHub-Event": name}) for name in _GITHUB},
    **{decoder.source: partial(_webhook, decoder, {}) for decoder in _WEBHOOKS},
    **{
        f"kafka {form}": partial(_kafka, form)
        for form in ("native", "cloudevents", "sentry", "github", "incidents", "auto")
    },
}
"""Every decoder, by a name of its own."""
