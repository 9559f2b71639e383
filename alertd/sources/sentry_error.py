"""An error or message of Sentry as an event: `sentry.error`, or `sentry.message` where there is no exception.

| event | Sentry |
|---|---|
| `id` | its event id: what an SDK sends twice, and what comes as `error` and as `event_alert`, is one event |
| `type` | `sentry.error`, `sentry.message` |
| `project` | the endpoint's, else the one in the payload |
| `environment` | `environment`, else the tag, else the endpoint's |
| `severity` | `level`; `fatal` is `critical` |
| `time` | `timestamp`, else `datetime`, else when it came |
| `key` | the issue: Sentry's, else the one that `SentryDefaults.issue_key` names, else the title |
| `message` | the raised exception's value, else the message, else the title |
| `url` | the link to the event |
| `labels` | tags |
| `data` | see `alertd.sources.sentry_event` |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alertd.engine.issues.facts import facts_of
from alertd.model.severity import WORDS
from alertd.sources.fields import is_place, is_type, time_text
from alertd.sources.sentry_event import describe
from alertd.sources.sentry_fields import key_of, labels_of, link_of, place_of, tags_of, time_of
from alertd.sources.sentry_fit import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an error came from, beside what it says itself.

    Shapes: `source` names the sender's kind; `project` is the name in the payload, empty when there is none; `issue_id`
    is Sentry's own, empty when there is none; `sentry` is kept as `data.sentry` unless it is empty.
    """

    source: str
    project: str = ""
    issue_id: str = ""
    sentry: Mapping[str, str] = field(default_factory=dict)


def decode_error(
    given: Mapping[str, Any], event_id: str, origin: Origin, context: Context, defaults: SentryDefaults
) -> Event:
    """Make the event of an error or message that is already parsed. Errors: `DecodeError`, `TooLargeError` beyond the bound."""
    trimmed: set[str] = set()
    tags = tags_of(given.get("tags"))
    data = describe(given, event_id, tags, trimmed)
    if origin.sentry:
        data["sentry"] = dict(origin.sentry)
    exception = data.get("exception")
    project = defaults.project or place_of(origin.project)
    labels = labels_of(tags, trimmed)
    kind = defaults.type_of("sentry.message" if exception is None else "sentry.error")
    word = defaults.severity_of(data["level"])
    native: dict[str, Any] = {"id": event_id, "type": kind, "workspace": context.workspace}
    if project:
        native["project"] = project
    environment = data.get("environment") or defaults.environment
    if environment:
        native["environment"] = environment
    native["source"] = origin.source
    native["severity"] = word
    native["time"] = time_of(given.get("timestamp")) or time_of(given.get("datetime")) or time_text(context.now_ms)
    native["key"] = _key(data, project, labels, origin, defaults) or kind
    native["message"] = _message(data)
    if url := link_of(given.get("web_url")):
        native["url"] = url
    if labels:
        native["labels"] = labels
    native["data"] = data
    is_normal = word in WORDS and is_type(kind) and (not project or is_place(project))
    event = fit(native, trimmed, context, is_normal=is_normal and (not environment or is_place(environment)))
    event.facts = facts_of(event, context.now_ms)
    return event


def _key(
    data: Mapping[str, Any], project: str, labels: Mapping[str, str], origin: Origin, defaults: SentryDefaults
) -> str:
    """Return the issue; empty only where even the title has no letter that shows."""
    if origin.issue_id and (key := key_of(origin.issue_id)):
        return key
    if defaults.issue_key is not None and (key := key_of(defaults.issue_key(project, data, labels))):
        return key
    return key_of(data["title"])


def _message(data: Mapping[str, Any]) -> str:
    """Return the value, else the message, else the title."""
    value: str | None = data.get("exception", {}).get("value")
    if value is None and "exception" not in data and "logentry" in data:
        value = data["logentry"]["formatted"]
    return value or data["title"]
