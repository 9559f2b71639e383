"""Examples of destinations: one of each type, as it is made. What must be there is, and little else."""

from __future__ import annotations

from typing import Any, Final

from alertd.api.examples import MADE, Example

_SETTINGS: Final[dict[str, Example]] = {
    "slack": {"url": "https://hooks.slack.com/services/T012345AB/B012345AB/made-up-for-this-example"},
    "mattermost": {"url": "https://chat.example.com/hooks/made-up-for-this-example"},
    "rocketchat": {"url": "https://chat.example.com/hooks/0123456789abcdef01234567/made-up-for-this-example"},
    "discord": {"url": "https://discord.com/api/webhooks/123456789012345678/made-up-for-this-example"},
    "msteams": {
        "url": "https://prod-00.westeurope.logic.azure.com:443/workflows/0123456789abcdef/triggers/manual/paths/invoke?sig=made-up-for-this-example"
    },
    "telegram": {"token": "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11", "chat_id": "-1001234567890"},
    "ntfy": {"topic": "alerts-example", "token": "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"},
    "email": {"to": ["ops@example.com", "@owner"], "subject_prefix": "PROD"},
    "pagerduty": {"routing_key": "0123456789abcdef0123456789abcdef"},
    "opsgenie": {
        "api_key": "00000000-0000-0000-0000-000000000000",
        "responders": [{"type": "team", "name": "platform"}],
    },
    "alertmanager": {"url": "https://alertmanager.example.com"},
    "kafka": {
        "bootstrap_servers": ["kafka-1.example.com:9092"],
        "topic": "alerts",
        "security": {
            "protocol": "SASL_SSL",
            "mechanism": "SCRAM-SHA-512",
            "username": "alertd",
            "password": "a secret of yours",
        },
    },
    "apprise": {"url": "matrixs://alertd:a-password@matrix.example.com/%23ops"},
    "file": {"path": "/var/lib/alertd/alerts.ndjson"},
    "console": {},
    "null": {},
}
DESTINATIONS: Final[dict[str, Any]] = {"webhook": MADE["destination"]} | {
    kind: {"name": f"ops-{kind}", "type": kind, "settings": settings} for kind, settings in _SETTINGS.items()
}
"""By type; the first is the one that other examples refer to."""
