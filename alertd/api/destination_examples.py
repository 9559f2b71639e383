"""Examples of destinations: one of each type, as it is made. What must be there is, and little else."""

from __future__ import annotations

from typing import Any, Final

from alertd.api.examples import MADE, Example

_SETTINGS: Final[dict[str, Example]] = {
    "slack": {"url": "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"},
    "mattermost": {"url": "https://chat.example.com/hooks/xxxxxxxxxxxxxxxxxxxxxxxxxx"},
    "rocketchat": {"url": "https://chat.example.com/hooks/xxxxxxxxxxxxxxxxx/xxxxxxxxxxxxxxxxxxxxxxxxxx"},
    "discord": {"url": "https://discord.com/api/webhooks/000000000000000000/XXXXXXXXXXXXXXXXXXXXXXXX"},
    "msteams": {
        "url": "https://prod-00.westeurope.logic.azure.com:443/workflows/0000/triggers/manual/paths/invoke?sig=XXXX"
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
