r"""An alert of Sentry about a metric, as an event of type `sentry.metric_alert.<action>`.

Actions are critical, warning, resolved and open; they are severities `critical`, `warning`, `info` and `warning`. The
key is the alert, so that its beginning and its end belong together. The project is the first of the alert's; all of
them are in `data`. Labels: action, rule.

`data`: action, alert_id, identifier, title, description (with true line ends instead of `\n`), web_url, date_started,
date_detected, date_closed, projects (at most 32), rule (id, name, aggregate, query, dataset, environment; time_window
in minutes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.sources.sentry_fields import key_of, labels_of, link_of, picked, place_of, present, text_of, time_of
from alertd.sources.sentry_fit import fit
from alertd.sources.sentry_hook import identity_of, required

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults
    from alertd.sources.sentry_hook import Hook

TYPE: Final = "sentry.metric_alert"
LEVELS: Final = {"critical": "fatal", "warning": "warning", "open": "warning"}
"""Actions with the level that each stands for; any other stands for `info`."""
PROJECTS_MAX: Final = 32
"""Greatest number of an alert's projects that are kept."""

_TEXTS: Final = {"identifier": 64, "date_started": 64, "date_detected": 64, "date_closed": 64}
_RULE: Final = {"id": 64, "name": 256, "aggregate": 256, "query": 1024, "dataset": 64, "environment": 128}
_TEXT_MAX: Final = 4096


def decode_metric_alert(hook: Hook, context: Context, defaults: SentryDefaults) -> Event:
    """Make the event of a `metric_alert` webhook. Errors: `IncompleteError` without an alert, `DecodeError`."""
    alert = required(hook.data.get("metric_alert"), "/data/metric_alert")
    alert_id = identity_of(alert.get("id"), "/data/metric_alert/id")
    action = hook.action
    trimmed: set[str] = set()
    data = _data(alert, alert_id, action, hook.data, trimmed)
    kind = f"{TYPE}.{action}"
    rule = data.get("rule", {})
    labels = present(action=action, rule=rule.get("name"))
    native: dict[str, Any] = {
        "id": hook.id_of(kind, alert_id),
        "type": defaults.type_of(kind),
        "source": "sentry",
        "severity": defaults.severity_of(LEVELS.get(action, "info")),
        "key": key_of(alert_id),
        "message": "\n".join(data[name] for name in ("title", "description") if name in data) or f"alert {alert_id}",
        "labels": labels_of(labels, trimmed),
        "data": data,
    }
    native |= present(
        project=defaults.project or next(iter(data.get("projects", ())), ""),
        environment=place_of(rule.get("environment")) or defaults.environment,
        url=data.get("web_url"),
        time=_time(alert, action),
    )
    return fit(native, trimmed, context)


def _data(
    alert: Mapping[str, Any], alert_id: str, action: str, given: Mapping[str, Any], trimmed: set[str]
) -> dict[str, Any]:
    data: dict[str, Any] = {"action": action, "alert_id": alert_id}
    title = text_of(given.get("description_title") or alert.get("title"), _TEXT_MAX, "title", trimmed)
    if title is not None:
        data["title"] = title
    description = text_of(given.get("description_text"), _TEXT_MAX, "description", trimmed)
    if description is not None:
        data["description"] = description.replace("\\n", "\n")
    data |= picked(alert, _TEXTS, "", trimmed)
    url = link_of(given.get("web_url"))
    if url is not None:
        data["web_url"] = url
    projects = alert.get("projects")
    if isinstance(projects, list):
        data["projects"] = [place_of(each) for each in projects[:PROJECTS_MAX] if place_of(each)]
    rule = picked(alert.get("alert_rule"), _RULE, "rule.", trimmed)
    if rule:
        data["rule"] = kept = dict[str, Any](rule)
        window = alert["alert_rule"].get("time_window")
        if type(window) is int:
            kept["time_window"] = window
    return data


def _time(alert: Mapping[str, Any], action: str) -> str | None:
    """Return when it began, of its end when it ended; None when Sentry does not say."""
    if action == "resolved":
        return time_of(alert.get("date_closed"))
    return time_of(alert.get("date_detected")) or time_of(alert.get("date_started"))
