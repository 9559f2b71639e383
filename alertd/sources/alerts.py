"""Alerts of Alertmanager (webhook version 4) and Grafana: one event for each alert of a group, firing or resolved.

Types `alertmanager.alert.firing`, `.resolved`, `grafana.alert.firing`, `.resolved`. The id is made of fingerprint, start
and status, so that what Alertmanager repeats every few hours, or its twin sends too, is a duplicate that does nothing; one
that fires again after its end, with the start that it had, has another (`alertd.intake.episodes`).
One that does not say when it began, as a body in a user's own words may not, is an event each time: else all that came
after the first would be its repeats. The key is the fingerprint, labels are the labels, severity is that of the label
`severity` (in both states: who hears of a problem also hears of its end).

`data`: status, alertname, starts_at, ends_at, annotations, fingerprint, generator_url, receiver, group_key, group_labels,
external_url, truncated_alerts; of Grafana also dashboard_url, panel_url, silence_url, values, org_id, rule_uid; and
`trimmed`, which names what was left out of it or of the labels, where anything was.
"""

from __future__ import annotations

import hmac
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from alertd.errors import DecodeError, Problem, TooLargeError
from alertd.sources.document import kind_of
from alertd.sources.outside import TRIMMED, json_object, made, place, text
from alertd.sources.sentry_fields import cut, derived_id, key_of, labels_of, link_of, place_of, time_of

if TYPE_CHECKING:
    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.outside import WebhookRequest
    from alertd.sources.sentry_defaults import SentryDefaults

SIGNATURE: Final = "X-Grafana-Alerting-Signature"
TIMESTAMPS: Final = ("X-Grafana-Alerting-Timestamp", "X-Grafana-Alerting-Signature-Timestamp")
"""Headers in which a Grafana that signs a timestamp too may send it; it must be among these."""
SKEW_SECONDS: Final = 300
"""How old or new a signed timestamp may be."""
SEVERITIES: Final = {
    "critical": "critical",
    "crit": "critical",
    "fatal": "critical",
    "page": "critical",
    "emergency": "critical",
    "error": "error",
    "major": "error",
    "high": "error",
    "warning": "warning",
    "warn": "warning",
    "minor": "warning",
    "info": "info",
    "informational": "info",
    "none": "info",
    "low": "info",
    "debug": "debug",
}
"""Words of the label `severity`, and what each is here; any other is a warning, none at all an error."""
ALERTS_MAX: Final = 5_000
"""Alerts of a group, unless a body may hold more events: in the worst of outages a group is large, and not sent again."""
_ZERO: Final = "0001-01-01"
_STATES: Final = frozenset({"firing", "resolved"})
_TEXT: Final = 2000
_TEXTS_MAX: Final = 64
_LABEL: Final = 256
_GRAFANA: Final = {
    "dashboard_url": "dashboardURL",
    "panel_url": "panelURL",
    "silence_url": "silenceURL",
    "rule_uid": "ruleUID",
    "value_string": "valueString",
}


class AlertmanagerDecoder:
    """Alertmanager, which signs nothing: an endpoint's secret is asked for as its bearer token."""

    source: ClassVar[str] = "alertmanager"

    def is_signed(self, request: WebhookRequest, secret: str, now_ms: int) -> bool:
        """Check `Authorization: Bearer SECRET`, the only thing that an Alertmanager can be told to bring."""
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(f"Bearer {secret}".encode(), given)

    def decode(self, request: WebhookRequest, context: Context, defaults: SentryDefaults) -> list[Event]:
        """Make an event for each alert."""
        return _events(self.source, request, context, defaults)


class GrafanaDecoder:
    """Grafana's webhook contact point."""

    source: ClassVar[str] = "grafana"

    def is_signed(self, request: WebhookRequest, secret: str, now_ms: int) -> bool:
        """Check the signature of the body, or of its timestamp and the body."""
        given = request.headers.get(SIGNATURE, "").strip().encode("utf-8", "surrogateescape")
        stamp = next((request.headers[name] for name in TIMESTAMPS if name in request.headers), None)
        if stamp is None:
            return hmac.compare_digest(_signature(secret, request.body), given)
        fresh = stamp.isascii() and stamp.isdigit() and abs(int(stamp[:12]) - now_ms / 1000) <= SKEW_SECONDS
        signed = hmac.compare_digest(_signature(secret, stamp.encode("utf-8", "replace") + b":" + request.body), given)
        return signed and fresh

    def decode(self, request: WebhookRequest, context: Context, defaults: SentryDefaults) -> list[Event]:
        """Make an event for each alert."""
        return _events(self.source, request, context, defaults)


def _signature(secret: str, signed: bytes) -> bytes:
    return hmac.digest(secret.encode(), signed, "sha256").hex().encode()


def _events(source: str, request: WebhookRequest, context: Context, defaults: SentryDefaults) -> list[Event]:
    group = json_object(request.read, context)
    alerts = group.get("alerts")
    if not isinstance(alerts, list):
        found = "nothing" if alerts is None else kind_of(alerts)
        raise DecodeError([Problem("/alerts", f"expected an array of alerts, found {found}")])
    most = max(context.bounds.max_events, ALERTS_MAX)
    if len(alerts) > most:
        raise TooLargeError([Problem("/alerts", f"the group has {len(alerts)} alerts, at most {most} are accepted")])
    problems = [problem for n, alert in enumerate(alerts) for problem in _problems(alert, f"/alerts/{n}")]
    if problems:
        raise DecodeError(problems[:100])
    shared = _shared(source, group)
    return [_event(source, alert, shared, context, defaults) for alert in alerts]


def _problems(alert: Any, pointer: str) -> list[Problem]:
    if not isinstance(alert, dict):
        return [Problem(pointer, f"expected an object, found {kind_of(alert)}")]
    found = []
    if text(alert, "status") not in _STATES:
        found.append(Problem(f"{pointer}/status", "expected firing or resolved"))
    if not isinstance(alert.get("labels"), dict):
        found.append(Problem(f"{pointer}/labels", f"expected an object, found {kind_of(alert.get('labels'))}"))
    return found


def _event(
    source: str, alert: dict[str, Any], shared: dict[str, Any], context: Context, defaults: SentryDefaults
) -> Event:
    labels = {str(name): text(value) for name, value in alert["labels"].items() if text(value)}
    status, start = alert["status"], text(alert, "startsAt")
    fingerprint = text(alert, "fingerprint") or derived_id(*(f"{n}={v}".encode() for n, v in sorted(labels.items())))
    noted = alert.get("annotations")
    annotations = _short(noted, _TEXT)
    trimmed = {"annotations"} if isinstance(noted, dict) and len(noted) > _TEXTS_MAX else set()
    bounded = labels_of(labels, trimmed)
    began, ended = _when(start), _when(text(alert, "endsAt"))
    severity = labels.get("severity", "")
    native = {
        "type": defaults.type_of(f"{source}.alert.{status}"),
        "id": alert_id(source, fingerprint, start, status) if began else None,
        "project": place_of(defaults.project or labels.get("project", "")),
        "environment": place_of(labels.get("environment") or labels.get("env") or defaults.environment),
        "source": source,
        "severity": defaults.severities.get(severity) or _severity(severity),
        "time": (ended if status == "resolved" else None) or began,
        "key": key_of(fingerprint),
        "message": cut(
            annotations.get("summary") or annotations.get("description") or labels.get("alertname", ""), _TEXT
        ),
        "url": link_of(text(alert, "dashboardURL"), text(alert, "generatorURL"), shared["external_url"]),
        "labels": bounded,
        "data": _data(source, alert, shared, annotations, fingerprint)
        | ({TRIMMED: sorted(trimmed)} if trimmed else {}),
    }
    return made(native, context)


def alert_id(source: str, fingerprint: str, start: str, status: str, episode: int = 1) -> str:
    """Make the id of an alert's event; `episode` counts how often it has fired with this start."""
    again = () if episode == 1 else (str(episode).encode(),)
    return f"{source}-{derived_id(fingerprint.encode(), start.encode(), status.encode(), *again)}"


def _when(given: str) -> str | None:
    """Read a time; None also for the zero that stands for no time."""
    return None if given.startswith(_ZERO) else time_of(given)


def _severity(word: str) -> str:
    return SEVERITIES.get(word.lower(), "warning") if word else "error"


def _short(given: Any, most: int) -> dict[str, str]:
    """Keep the first texts of an object, each cut to so many characters."""
    if not isinstance(given, dict):
        return {}
    few = islice(given.items(), _TEXTS_MAX)
    return {cut(str(name), 128): cut(text(value), most) for name, value in few if text(value)}


def _shared(source: str, group: dict[str, Any]) -> dict[str, Any]:
    """Read what all alerts of a group have in common, once."""
    truncated = group.get("truncatedAlerts")
    shared = {
        "receiver": text(group, "receiver").replace("\\", "")[:256],
        "group_key": text(group, "groupKey")[:1024],
        "group_labels": _short(group.get("groupLabels"), _LABEL),
        "external_url": link_of(group.get("externalURL")) or "",
        "truncated_alerts": truncated if isinstance(truncated, int) else 0,
    }
    return shared | {"org_id": text(group, "orgId")[:32]} if source == "grafana" else shared


def _data(
    source: str, alert: dict[str, Any], shared: dict[str, Any], annotations: dict[str, str], fingerprint: str
) -> dict[str, Any]:
    ended = text(alert, "endsAt")
    data: dict[str, Any] = {
        "status": alert["status"],
        "alertname": text(alert, "labels", "alertname")[:256],
        "starts_at": text(alert, "startsAt")[:64],
        "ends_at": "" if ended.startswith(_ZERO) else ended[:64],
        "annotations": annotations,
        "fingerprint": fingerprint[:128],
        "generator_url": text(alert, "generatorURL")[:2048],
        **shared,
    }
    if source == "grafana":
        values = place(alert, "values")
        data |= {name: text(alert, theirs)[:2048] for name, theirs in _GRAFANA.items()}
        data["values"] = values if isinstance(values, dict) else {}
    return {name: value for name, value in data.items() if value not in ("", {}, None, 0)}
