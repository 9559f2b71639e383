"""The body of a webhook with `format: rustrak`: an alert about an issue, as Rustrak's receivers read it. Pure.

Rustrak knows three reasons to alert. A spike, and an alert that has no trigger, are told as the one that comes nearest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.destinations.about_issue import issue_of
from alertd.destinations.clean import line
from alertd.destinations.composing import content_of, safe_url
from alertd.destinations.loose import object_in, text_in
from alertd.destinations.moments import normal, of_seconds
from alertd.model.ids import milliseconds

if TYPE_CHECKING:
    from alertd.destinations.base import Message
    from alertd.destinations.directory import Directory

ACTOR: Final = "Rustrak"
"""Whom the receivers that exist expect."""
ID_MAX: Final = 64
"""Characters of an id, or of a word."""
NAME_MAX: Final = 128
"""Characters of a project's name."""

_TYPES: Final = {"new": "new_issue", "regression": "regression", "unmuted": "unmute", "spike": "regression"}
_TOLD: Final = {f"issue.{trigger}": told for trigger, told in _TYPES.items()}
"""The events by which alertd tells of the same, as of an issue that a person unmutes: there is no trigger then."""


def rustrak_body(message: Message, directory: Directory, now_seconds: int) -> tuple[str, bytes]:
    """Give the alert's id, which is the same on every attempt, and the body."""
    event = object_in(message.event)
    name = project_of(message)
    at = normal(message.time) or normal(text_in(event.get("time"))) or of_seconds(now_seconds)
    issue = _issue(message, at)
    known = issue_of(message)
    number = directory.project_number(message.workspace, name)
    alert_id = f"{number}-{_ascii(issue['id'])}-{_milliseconds(message.alert_id)}"
    body = {
        "alert_id": alert_id,
        "alert_type": _type(message, issue["event_count"]),
        "triggered_at": at,
        "project": {
            "id": number,
            "name": line(directory.project_title(message.workspace, name), NAME_MAX),
            "slug": line(name, NAME_MAX),
        },
        "issue": issue,
        "issue_url": safe_url(known.get("url")) or safe_url(message.url),
        "actor": ACTOR,
    }
    return alert_id, orjson.dumps(body)


def project_of(message: Message) -> str:
    """Name the project whose number an alert carries."""
    known = issue_of(message)
    return text_in(known.get("project")) or text_in(_first(message, object_in(message.event)).get("project"), "default")


def _issue(message: Message, at: str) -> dict[str, Any]:
    """Describe the issue, or where there is none (a test) what would be one."""
    known = issue_of(message)
    content = content_of(message)
    count = known.get("event_count") if message.digest is None else message.digest.count
    return {
        "id": line(known.get("id"), ID_MAX) or message.alert_id,
        "short_id": line(known.get("short_id"), ID_MAX) or message.alert_id,
        "title": line(known.get("title")) or content.title,
        "level": line(known.get("level"), ID_MAX) or (None if known else content.severity.word),
        "first_seen": normal(text_in(known.get("first_seen"))) or at,
        "last_seen": normal(text_in(known.get("last_seen"))) or at,
        "event_count": count if isinstance(count, int) and count > 0 else 1,
    }


def _first(message: Message, event: dict[str, Any]) -> dict[str, Any]:
    """Give the event, or the first one of a digest, whose project stands for all."""
    entries = message.digest.entries if message.digest is not None else ()
    return object_in(entries[0].event) if entries else event


def _type(message: Message, event_count: int) -> str:
    told = _TYPES.get(message.trigger or "") or _TOLD.get(message.event_type)
    return told or ("new_issue" if event_count <= 1 else "regression")


def _milliseconds(alert_id: str) -> int:
    """Say when the alert was made: its id tells."""
    digits = alert_id.rpartition("_")[2]
    try:
        return milliseconds(int(digits, 16))
    except ValueError:
        return 0


def _ascii(text: str) -> str:
    """Keep what may stand in a header."""
    return "".join(each if "!" <= each <= "~" else "_" for each in text)
