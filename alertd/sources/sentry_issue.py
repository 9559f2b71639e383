"""What became of an issue in Sentry, as an event of type `sentry.issue.<action>`.

Actions are created, resolved, assigned, archived (older Sentrys say `ignored`) and unresolved; `substatus` tells why:
new, ongoing, escalating, regressed, archived_until_escalating and so on. The key is the issue, severity its level, in
every action alike, so that who hears of a problem also hears of its end. Labels: status, substatus, level, priority,
platform, short_id.

`data`: action, issue_id, short_id, title, culprit, permalink, status, substatus, level, platform, priority, type,
category, first_seen, last_seen, event_count, user_count, handled, resolution_type, metadata (type, value, filename,
function), status_details (of resolving and archiving), assignee and actor (type, id, name), project (id, slug, name).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.sources.sentry_fields import (
    first_line,
    key_of,
    labels_of,
    level_of,
    link_of,
    picked,
    place_of,
    present,
    text_of,
    time_of,
)
from alertd.sources.sentry_fit import fit
from alertd.sources.sentry_hook import identity_of, required

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults
    from alertd.sources.sentry_hook import Hook

TYPE: Final = "sentry.issue"
ACTIONS: Final = {"ignored": "archived"}
"""Older words for actions, with the one of today."""

_RENAMED: Final = {
    "shortId": ("short_id", 128),
    "title": ("title", 256),
    "culprit": ("culprit", 256),
    "status": ("status", 64),
    "substatus": ("substatus", 64),
    "platform": ("platform", 64),
    "priority": ("priority", 64),
    "issueType": ("type", 64),
    "issueCategory": ("category", 64),
    "firstSeen": ("first_seen", 64),
    "lastSeen": ("last_seen", 64),
}
_METADATA: Final = {"type": 256, "value": 1024, "filename": 512, "function": 256}
_DETAILS: Final = {
    "inRelease": "in_release",
    "inNextRelease": "in_next_release",
    "ignoreCount": "ignore_count",
    "ignoreWindow": "ignore_window",
    "ignoreUserCount": "ignore_user_count",
    "ignoreUserWindow": "ignore_user_window",
    "ignoreDuration": "ignore_duration",
    "ignoreUntil": "ignore_until",
}
_PERSON: Final = {"type": 64, "id": 64, "name": 200}
_PROJECT: Final = {"id": 64, "slug": 128, "name": 200}
_LABELS: Final = ("status", "substatus", "level", "priority", "platform", "short_id")


def decode_issue(hook: Hook, context: Context, defaults: SentryDefaults) -> Event:
    """Make the event of an `issue` webhook. Errors: `IncompleteError` without an issue, `DecodeError`."""
    issue = required(hook.data.get("issue"), "/data/issue")
    issue_id = identity_of(issue.get("id"), "/data/issue/id")
    action = ACTIONS.get(hook.action, hook.action)
    trimmed: set[str] = set()
    data = _data(issue, issue_id, action, hook, trimmed)
    kind = f"{TYPE}.{action}"
    if action == "created":
        event_id = hook.first_id_of(kind, issue_id, data.get("permalink"), issue.get("firstSeen"))
    else:
        event_id = hook.moment_id_of(kind, issue_id)
    native: dict[str, Any] = {
        "id": event_id,
        "type": defaults.type_of(kind),
        "source": "sentry",
        "severity": defaults.severity_of(data["level"]),
        "key": key_of(issue_id),
        "message": data.get("title") or data.get("short_id") or f"issue {issue_id}",
        "labels": labels_of({name: data[name] for name in _LABELS if name in data}, trimmed),
        "data": data,
    }
    native |= present(
        project=defaults.project or place_of(data.get("project", {}).get("slug")),
        environment=defaults.environment,
        url=data.get("permalink"),
        time=time_of(issue.get("firstSeen")) if action == "created" else None,
    )
    event = fit(native, trimmed, context)
    event.upstream = True
    return event


def _data(issue: Mapping[str, Any], issue_id: str, action: str, hook: Hook, trimmed: set[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"action": action, "issue_id": issue_id, "level": level_of(issue.get("level"))}
    for name, (ours, most) in _RENAMED.items():
        text = text_of(issue.get(name), most, ours, trimmed)
        if text is not None:
            data[ours] = text
    if "title" in data:
        data["title"] = first_line(data["title"], 256)
    permalink = link_of(issue.get("permalink"), issue.get("web_url"))
    if permalink is not None:
        data["permalink"] = permalink
    for name, ours in (("count", "event_count"), ("userCount", "user_count")):
        count = _count(issue.get(name))
        if count is not None:
            data[ours] = count
    if isinstance(issue.get("isUnhandled"), bool):
        data["handled"] = not issue["isUnhandled"]
    return data | present(
        resolution_type=text_of(hook.data.get("resolution_type"), 64, "resolution_type", trimmed),
        metadata=picked(issue.get("metadata"), _METADATA, "metadata.", trimmed),
        status_details=_details(issue.get("statusDetails")),
        assignee=picked(hook.data.get("assignee") or issue.get("assignedTo"), _PERSON, "assignee.", trimmed),
        actor=hook.actor,
        project=picked(issue.get("project"), _PROJECT, "project.", trimmed),
    )


def _count(given: Any) -> int | None:
    """Read a count, which Sentry writes as a text in one place and as a number in another."""
    if type(given) is int:
        return given
    return int(given) if isinstance(given, str) and len(given) <= 18 and given.isascii() and given.isdigit() else None  # noqa: PLR2004 - 63 bits


def _details(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    kept: dict[str, Any] = {}
    for name, ours in _DETAILS.items():
        value = given.get(name)
        if isinstance(value, str):
            kept[ours] = value[:250]
        elif isinstance(value, (bool, int, float)):
            kept[ours] = value
    commit = given.get("inCommit")
    if isinstance(commit, dict) and isinstance(commit.get("id"), str) and commit["id"]:
        kept["in_commit"] = commit["id"][:250]
    return kept
