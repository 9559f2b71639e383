"""Examples of what is sent: one for each body that the API reads. They belong to one another: in their order they can be sent."""

from __future__ import annotations

from typing import Any, Final

Example = dict[str, Any]

MADE: Final[dict[str, Example]] = {
    "workspace": {
        "name": "payments",
        "title": "Payments",
        "owner": {"name": "Ann", "email": "ann@example.com"},
        "schema_policy": "refuse",
    },
    "project": {
        "name": "shop",
        "title": "Web shop",
        "environments": ["prod", "staging"],
        "owner": {"name": "Ann", "email": "ann@example.com"},
        "collaborators": [{"name": "bob", "email": "bob@example.com"}],
    },
    "event_type": {
        "name": "checkout:slow",
        "title": "Slow checkout",
        "description": "A checkout took longer than customers wait.",
        "group": "checkout",
        "severity": "warning",
        "data_schema": {
            "type": "object",
            "required": ["seconds"],
            "properties": {"seconds": {"type": "number", "minimum": 0}},
        },
    },
    "channel": {"name": "checkout", "kind": "glob", "pattern": "checkout:*", "environments": ["prod"]},
    "destination": {
        "name": "ops-hook",
        "type": "webhook",
        "settings": {
            "url": "https://hooks.example.com/x",
            "secret": "a secret of yours",
            "headers": {"X-Team": "ops"},
        },
        "queue": {"concurrency": 4},
    },
    "subscription": {
        "name": "checkout-prod",
        "title": "Checkout in production",
        "channels": ["checkout"],
        "destinations": ["ops-hook"],
        "environments": ["prod"],
        "min_severity": "warning",
        "matchers": ['team="payments"'],
        "cooldown_seconds": 300,
    },
    "derived_type": {
        "name": "checkout-often",
        "type": "checkout_often",
        "types": ["checkout:slow"],
        "occurrences": [2, 5, 12],
        "reset_after_seconds": 3600,
    },
    "metric_alert": {
        "name": "checkout-latency",
        "types": ["checkout:slow"],
        "field": "data.seconds",
        "when": "above",
        "limit": 3,
        "for_seconds": 60,
        "reminder_seconds": 3600,
        "subscriptions": ["checkout-prod"],
    },
    "intake_endpoint": {
        "name": "prometheus",
        "source": "alertmanager",
        "project": "shop",
        "severities": {"page": "critical"},
    },
}
"""A resource of each kind, as it is made; replacing it takes the same."""
PATCHED: Final[dict[str, Example]] = {
    "workspace": {"schema_policy": "flag", "owner": None},
    "project": {"environments": ["prod", "staging", "test"]},
    "event_type": {"severity": "error"},
    "channel": {"pattern": "checkout:**"},
    "destination": {"settings": {"headers": {"X-Team": None, "X-Room": "war-room"}}, "queue": {"rate_per_second": 5}},
    "subscription": {"min_severity": "error", "cooldown_seconds": 0},
    "derived_type": {"enabled": False},
    "metric_alert": {"limit": 2.5},
    "intake_endpoint": {"environment": "prod"},
}
"""What a patch of each kind may say; null takes a field back to its default."""

TOKEN: Final[Example] = {"name": "ci", "role": "intake", "expires_at": "2035-01-01T00:00:00Z"}
TOKEN_PATCH: Final[Example] = {"role": "operator"}
ROTATION: Final[Example] = {"overlap_seconds": 600}
NEW_KEY: Final[Example] = {"title": "web shop, browsers"}

EVENT: Final[Example] = {
    "type": "checkout:slow",
    "severity": "warning",
    "project": "shop",
    "environment": "prod",
    "message": "A checkout took 4.2 s",
    "labels": {"team": "payments"},
    "data": {"seconds": 4.2},
}
CLOUD_EVENT: Final[Example] = {
    "specversion": "1.0",
    "id": "A-1",
    "source": "/shop",
    "type": "run:failed",
    "severity": "error",
    "project": "shop",
    "data": {"run_id": 17},
}
SUBSCRIPTION_TEST: Final[Example] = {"type": "checkout:slow"}
PREVIEW: Final[Example] = {"type": "checkout:slow", "message": "A checkout took 4.2 s", "data": {"seconds": 4.2}}
REPLAY_ONE: Final[Example] = {"destination": "ops-hook"}
REPLAY_MANY: Final[Example] = {"filter": {"state": "dead", "destination": "ops-hook"}, "dry_run": True}
DIFF: Final[Example] = {"name": "default", "channels": [MADE["channel"]], "destinations": [MADE["destination"]]}

RESOLVE: Final[Example] = {"release": "shop@1.4.0"}
MUTE: Final[Example] = {"for_seconds": 3600}
ASSIGN: Final[Example] = {"assignee": "ann"}
MERGE: Final[Example] = {"issues": ["SHOP-2"]}
SPLIT: Final[Example] = {"issue": "SHOP-2"}
SIMULATE: Final[Example] = {
    "project": "shop",
    "environment": "staging",
    "severity": "critical",
    "message": "a fire drill",
}

STORE: Final[Example] = {
    "event_id": "fc6d8c0c43fc4630ad850ee518f1b9d0",
    "timestamp": "2026-05-07T00:00:00Z",
    "platform": "python",
    "level": "error",
    "environment": "prod",
    "exception": {"values": [{"type": "KeyError", "value": "'sku'"}]},
}
"""What old Sentry SDKs send."""
ENVELOPE: Final = (
    '{"event_id": "9ec79c33ec9942ab8353589fcb2e04dc"}\n'
    '{"type": "event"}\n'
    '{"event_id": "9ec79c33ec9942ab8353589fcb2e04dc", "level": "error", "environment": "prod",'
    ' "exception": {"values": [{"type": "ZeroDivisionError", "value": "division by zero"}]}}\n'
)
"""What a Sentry SDK sends: lines of JSON."""
WEBHOOKS: Final[dict[str, Example]] = {
    "alertmanager": {
        "version": "4",
        "groupKey": '{}:{alertname="HighLatency"}',
        "status": "firing",
        "receiver": "alertd",
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": {"alertname": "HighLatency", "severity": "page"},
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.com",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "HighLatency", "severity": "page", "service": "checkout"},
                "annotations": {"summary": "p99 is above 2 s"},
                "startsAt": "2026-05-07T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://prometheus.example.com/graph",
                "fingerprint": "b1a5fbdc0c9d3b2e",
            }
        ],
    },
    "grafana": {
        "receiver": "alertd",
        "status": "firing",
        "orgId": 1,
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "HighLatency", "service": "checkout"},
                "annotations": {"summary": "p99 is above 2 s"},
                "startsAt": "2026-05-07T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://grafana.example.com/alerting/grafana/x/view",
                "fingerprint": "c6eadffa33fcdf37",
            }
        ],
        "groupLabels": {},
        "commonLabels": {"alertname": "HighLatency"},
        "commonAnnotations": {},
        "externalURL": "https://grafana.example.com/",
        "version": "1",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "title": "[FIRING:1] HighLatency",
        "state": "alerting",
        "message": "p99 is above 2 s",
    },
    "github": {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        "repository": {
            "name": "shop",
            "full_name": "acme/shop",
            "default_branch": "main",
            "html_url": "https://github.com/acme/shop",
        },
        "pusher": {"name": "ann"},
        "sender": {"login": "ann"},
        "commits": [],
        "head_commit": None,
    },
    "sentry": {
        "action": "created",
        "data": {
            "issue": {
                "id": "1170820242",
                "title": "KeyError: 'sku'",
                "level": "error",
                "project": {"slug": "shop"},
            }
        },
    },
    "incidents": {
        "source": "watchdog",
        "service": "shop",
        "environment": "prod",
        "timestamp": "2026-05-07T00:00:00Z",
        "severity": "critical",
        "exception_type": "PaymentError",
        "message": "the payment provider does not answer",
        "stacktrace": [{"file": "shop/payment.py", "function": "charge", "line": 42}],
        "tags": {"release": "shop@1.4.0"},
    },
}
"""What each outside service sends."""
