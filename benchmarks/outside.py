"""What decoding a body of each outside service costs: cases of `benchmarks.decode`, named with their bytes.

Bodies are as small as each service sends them in earnest; the error is that of `benchmarks.errors`, as an SDK's envelope
and as Sentry's webhook. Each call reads, decodes and writes one event; signatures are not checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from alertd.engine.issues.fingerprint import fingerprint_of
from alertd.sources.alerts import AlertmanagerDecoder, GrafanaDecoder
from alertd.sources.github import GithubDecoder
from alertd.sources.incident import IncidentDecoder
from alertd.sources.outside import WebhookRequest
from alertd.sources.sentry_defaults import SentryDefaults
from alertd.sources.sentry_envelope import Envelope
from alertd.sources.sentry_sdk import decode_envelope
from alertd.sources.sentry_webhook import decode_webhook
from benchmarks.errors import envelope, error

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.sources.base import Context
    from alertd.sources.outside import WebhookDecoder

ID = "4e" * 16
TIME = "2026-05-07T00:00:00Z"
COMMIT = {
    "id": "6" * 40,
    "message": "Make the checkout faster",
    "timestamp": TIME,
    "url": f"https://github.com/acme/shop/commit/{'6' * 40}",
    "author": {"name": "Ann", "email": "ann@example.com", "username": "ann"},
    "added": [],
    "removed": [],
    "modified": ["shop/cart.py", "shop/views.py"],
}
PUSH = {
    "ref": "refs/heads/main",
    "before": "5" * 40,
    "after": "6" * 40,
    "compare": "https://github.com/acme/shop/compare/5...6",
    "commits": [COMMIT] * 3,
    "repository": {"id": 1, "name": "shop", "full_name": "acme/shop", "default_branch": "main"},
    "sender": {"login": "ann"},
}
ALERT = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "severity": "critical", "instance": "a"},
    "annotations": {"summary": "5xx above 5 %"},
    "startsAt": "2026-05-07T00:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prom:9090/graph?g0.expr=x",
    "fingerprint": "fac0861a85de433a",
}
GROUP = {"version": "4", "groupKey": '{}:{alertname="HighErrorRate"}', "receiver": "alertd", "alerts": [ALERT]}
INCIDENT = {
    "source": "watcher",
    "service": "shop",
    "environment": "prod",
    "timestamp": TIME,
    "severity": "error",
    "exception_type": "TypeError",
    "message": "no price",
    "stacktrace": [{"file": "shop/cart.py", "function": "total", "line": 42}, {"file": "shop/views.py"}],
    "change_window": {"deploy_time": TIME, "commits": [{"id": "c1", "timestamp": TIME, "files": ["shop/cart.py"]}]},
}


def outside_cases(context: Context) -> dict[str, tuple[int, Callable[[], object]]]:
    """Name the cases: how many events one call decodes, and the call."""
    defaults = SentryDefaults(project="shop", issue_key=lambda _, data, labels: fingerprint_of(data, labels))
    sdk = envelope(ID, 1)
    hook = orjson.dumps({"action": "triggered", "data": {"event": error(ID, 1), "triggered_rule": "all"}})
    found: dict[str, tuple[int, Callable[[], object]]] = {
        f"Sentry SDK, {len(sdk)} bytes": (1, lambda: decode_envelope(Envelope(sdk, context), context, defaults)),
        f"Sentry event_alert, {len(hook)} bytes": (1, lambda: decode_webhook(hook, "event_alert", context, defaults)),
    }
    decoders: tuple[tuple[str, WebhookDecoder, dict[str, object]], ...] = (
        ("GitHub push", GithubDecoder(), PUSH),
        ("Alertmanager", AlertmanagerDecoder(), GROUP),
        ("Grafana", GrafanaDecoder(), {**GROUP, "version": "1", "orgId": 1}),
        ("incident", IncidentDecoder(), INCIDENT),
    )
    for name, decoder, given in decoders:
        body = orjson.dumps(given)
        request = WebhookRequest({"X-GitHub-Event": "push"}, body, body)
        found[f"{name}, {len(body)} bytes"] = (1, _call(decoder, request, context, defaults))
    return found


def _call(
    decoder: WebhookDecoder, request: WebhookRequest, context: Context, defaults: SentryDefaults
) -> Callable[[], object]:
    return lambda: decoder.decode(request, context, defaults)
