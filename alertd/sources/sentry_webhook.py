"""Webhooks of Sentry: which decoder reads a body, by its `Sentry-Hook-Resource`.

| resource | becomes |
|---|---|
| `event_alert`, `error` | `sentry.error` or `sentry.message`, see `alertd.sources.sentry_error`; both together, one event |
| `issue` | `sentry.issue.<action>`, see `alertd.sources.sentry_issue` |
| `metric_alert` | `sentry.metric_alert.<action>`, see `alertd.sources.sentry_metric_alert` |
| `comment` | `sentry.comment.<action>`, see `alertd.sources.sentry_comment` |
| `installation`, any other | nothing: it is acknowledged |
| none, with `event` and `project_slug` at the top | the legacy WebHooks plugin: as `error` |
| none otherwise | as `event_alert` |

A body without `data` whose action is `test` asks only whether somebody is there; as `event_alert` it is refused like
any other that has no event. A message from a Kafka topic, which has no such header, is told by the members of `data`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from alertd.sources.document import check_size
from alertd.sources.sentry_comment import decode_comment
from alertd.sources.sentry_defaults import STANDARD
from alertd.sources.sentry_error import Origin, decode_error
from alertd.sources.sentry_fields import derived_id, event_id_of
from alertd.sources.sentry_hook import Hook, required
from alertd.sources.sentry_issue import decode_issue
from alertd.sources.sentry_json import load_object
from alertd.sources.sentry_metric_alert import decode_metric_alert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults

HEADER: Final = "Sentry-Hook-Resource"
"""The header that says what a body is about."""
SENT_AT: Final = "Sentry-Hook-Timestamp"
"""The header that says when it was sent, in seconds since 1970; nothing signs it."""
RESOURCES: Final = frozenset({"event_alert", "error", "issue", "metric_alert", "comment", "installation"})
"""The resources that are known; of the others nothing is kept."""

_MEMBERS: Final = {
    "event": "event_alert",
    "error": "error",
    "issue": "issue",
    "metric_alert": "metric_alert",
    "comment_id": "comment",
    "installation": "installation",
}
_in_url = re.compile(r"/projects/([^/?#]+)/([^/?#]+)/")
_in_web_url = re.compile(r"/organizations/([^/?#]+)/").search


def decode_webhook(
    body: bytes,
    resource: str | None,
    context: Context,
    defaults: SentryDefaults = STANDARD,
    sent_at: str | None = None,
) -> list[Event]:
    """Decode a body by the value of its header, None when it has none: one event, or none.

    `sent_at`, the value of `Sentry-Hook-Timestamp`, tells what happened to an issue again from what is sent again.
    Errors: see `alertd.sources.base`; `IncompleteError` (HTTP answers 400) where what the resource is about is missing.
    """
    check_size(body, context)
    return _decode(Hook(load_object(body, "", context), body, sent_at or ""), resource, context, defaults)


def decode_value(body: bytes, context: Context, defaults: SentryDefaults = STANDARD) -> list[Event]:
    """Decode a body that came without headers, by the members of its `data`. Errors: as `decode_webhook`."""
    check_size(body, context)
    given = load_object(body, "", context)
    data = given.get("data")
    resource = None
    if isinstance(data, dict):
        resource = next((known for member, known in _MEMBERS.items() if member in data), None)
    return _decode(Hook(given, body), resource, context, defaults)


def is_webhook(given: Any) -> bool:
    """Tell whether a value that came without headers is a webhook of Sentry: an action, its data, and no `type` of ours."""
    if not isinstance(given, dict) or "type" in given or not isinstance(given.get("action"), str):
        return False
    data = given.get("data")
    return isinstance(data, dict) and not _MEMBERS.keys().isdisjoint(data)


def _decode(hook: Hook, resource: str | None, context: Context, defaults: SentryDefaults) -> list[Event]:
    given, word = hook.given, resource.strip().lower() if resource else ""
    if not word and "data" not in given and "project_slug" in given and given.get("event"):
        return [_legacy(given, hook.body, context, defaults)]
    if word not in {"", "event_alert"} and (word not in _DECODERS or _is_test(given)):
        return []
    return [_DECODERS[word or "event_alert"](hook, context, defaults)]


def _is_test(given: Mapping[str, Any]) -> bool:
    return given.get("action") == "test" and "data" not in given


def _event_alert(hook: Hook, context: Context, defaults: SentryDefaults) -> Event:
    data = hook.data
    event = required(data.get("event"), "/data/event")
    rule = data.get("triggered_rule")
    alert = data.get("issue_alert")
    if not rule and isinstance(alert, dict):
        rule = alert.get("title")
    return _error(event, hook, "event_alert", rule, context, defaults)


def _created(hook: Hook, context: Context, defaults: SentryDefaults) -> Event:
    event = required(hook.data.get("error"), "/data/error")
    return _error(event, hook, "error", None, context, defaults)


def _error(
    event: Mapping[str, Any], hook: Hook, resource: str, rule: Any, context: Context, defaults: SentryDefaults
) -> Event:
    organization, slug = _names(event)
    project_id = _identity(event.get("project"))
    issue_id = _identity(event.get("issue_id"))
    sentry = {
        "resource": resource,
        "issue_id": issue_id,
        "issue_url": _text(event.get("issue_url")),
        "project_id": project_id,
        "organization": organization,
        "triggered_rule": _text(rule),
    }
    kept = {name: text for name, text in sentry.items() if text}
    origin = Origin("sentry", slug or project_id, issue_id, kept)
    return decode_error(event, _event_id(event.get("event_id"), hook.body), origin, context, defaults)


def _legacy(given: Mapping[str, Any], body: bytes, context: Context, defaults: SentryDefaults) -> Event:
    """Decode a body of the legacy plugin: flat, the event inside; what the event lacks stands beside it."""
    event = required(given.get("event"), "/event")
    beside = {name: given[name] for name in ("level", "culprit", "logger", "message") if given.get(name)}
    issue_id = _identity(given.get("id"))
    rules = given.get("triggering_rules")
    sentry = {
        "resource": "legacy",
        "issue_id": issue_id,
        "triggered_rule": _text(rules[0]) if isinstance(rules, list) and rules else "",
    }
    kept = {name: text for name, text in sentry.items() if text}
    origin = Origin("sentry", _text(given.get("project_slug")), issue_id, kept)
    merged = {**beside, "web_url": given.get("url"), **event}
    own_id = _event_id(event.get("event_id") or event.get("id"), body)
    return decode_error(merged, own_id, origin, context, defaults)


def _event_id(given: Any, body: bytes) -> str:
    """Return the event's id; one that is no UUID, or is missing, gives way to 32 digits that stand for it, or for the body."""
    event_id = event_id_of(given)
    if event_id is not None:
        return event_id
    return derived_id(given.encode()) if isinstance(given, str) and given else derived_id(body)


def _names(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return the organization's and the project's slug, as far as the links tell."""
    for name in ("url", "web_url"):
        url = event.get(name)
        if isinstance(url, str) and (match := _in_url.search(url)):
            return match[1], match[2]
    web_url = event.get("web_url")
    match = _in_web_url(web_url) if isinstance(web_url, str) else None
    return (match[1] if match else ""), ""


def _identity(given: Any) -> str:
    return str(given)[:64] if isinstance(given, (str, int)) and not isinstance(given, bool) else ""


def _text(given: Any) -> str:
    return given[:512] if isinstance(given, str) else ""


_DECODERS: Final = {
    "event_alert": _event_alert,
    "error": _created,
    "issue": decode_issue,
    "metric_alert": decode_metric_alert,
    "comment": decode_comment,
}
