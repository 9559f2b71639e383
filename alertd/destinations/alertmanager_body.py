"""The body of a webhook with `format: alertmanager`: what Alertmanager's own webhooks send, version 4. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.destinations.alertmanager_alert import alerts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.destinations.alertmanager_alert import PromAlert
    from alertd.destinations.base import Message

NEVER: Final = "0001-01-01T00:00:00Z"
"""When an alert ends that still fires."""

_BASE: Final = re.compile(r"https?://[^/?#]*")


def alertmanager_body(message: Message, now_seconds: int) -> bytes:
    """Write the body."""
    alerts = alerts_of(message, now_seconds)
    common = _shared([each.labels for each in alerts])
    group = {"alertname": common["alertname"]} if "alertname" in common else {}
    base = _BASE.match(alerts[0].url)
    listed = len(message.digest.entries) if message.digest is not None else 0
    body = {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{name}="{_quoted(value)}"' for name, value in group.items()) + "}",
        "truncatedAlerts": max(0, message.digest.count - listed) if message.digest is not None and listed else 0,
        "status": "resolved" if all(each.ends_at for each in alerts) else "firing",
        "receiver": alerts[0].annotations.get("subscription", "alertd"),
        "groupLabels": group,
        "commonLabels": common,
        "commonAnnotations": _shared([each.annotations for each in alerts]),
        "externalURL": base.group() if base else "",
        "alerts": [_alert(each) for each in alerts],
    }
    return orjson.dumps(body)


def _alert(alert: PromAlert) -> dict[str, Any]:
    return {
        "status": "resolved" if alert.ends_at else "firing",
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at,
        "endsAt": alert.ends_at or NEVER,
        "generatorURL": alert.url,
        "fingerprint": alert.fingerprint,
    }


def _shared(each: Sequence[dict[str, str]]) -> dict[str, str]:
    """Give what all have in common."""
    return {name: value for name, value in each[0].items() if all(other.get(name) == value for other in each[1:])}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
