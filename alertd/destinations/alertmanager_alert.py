"""An alert as Prometheus and Alertmanager know it: labels that say which it is, annotations that say what. Pure.

What belongs to one problem should have the same labels, firing and resolved, so they hold nothing that changes from
event to event but what the producer put into the event's own labels.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from alertd.destinations.clean import line
from alertd.destinations.composing import content_of, safe_url
from alertd.destinations.content import State
from alertd.destinations.facts import short_commit, suspect_text
from alertd.destinations.limits import fit
from alertd.destinations.loose import object_in
from alertd.destinations.moments import normal, of_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.base import Message
    from alertd.destinations.content import Content

LABEL_MAX: Final = 1024
"""Characters of a label's value."""
ANNOTATION_MAX: Final = 4096
"""Characters of an annotation."""

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_]", re.ASCII)


@dataclass(frozen=True, slots=True)
class PromAlert:
    """One alert. `starts_at` is RFC 3339 in UTC, and so is `ends_at`, empty while it fires; `identity` names the problem."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str
    url: str
    identity: str

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits, the same whenever it fires or is resolved."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]


def alerts_of(message: Message, now_seconds: int) -> tuple[PromAlert, ...]:
    """Write a message's alert, or all that are listed in a digest."""
    if message.digest is None or not message.digest.entries:
        return (_alert(message, now_seconds),)
    return tuple(
        _alert(
            replace(
                message,
                event=entry.event,
                event_type="",
                url=entry.url,
                trigger=entry.trigger,
                time="",
                issue=None,
                digest=None,
                acknowledge_url="",
            ),
            now_seconds,
        )
        for entry in message.digest.entries
    )


def rest_of(message: Message, now_seconds: int) -> tuple[PromAlert, ...]:
    """Write an alert that stands for those of a digest that it does not list, as bad as the worst; none where it lists all."""
    digest = message.digest
    if digest is None or not digest.count > len(digest.entries) > 0:
        return ()
    alert, unlisted = _alert(message, now_seconds), digest.count - len(digest.entries)
    said = f"{digest.count} alerts, of which {unlisted} are in the history alone"
    return (replace(alert, annotations=alert.annotations | {"digest": said}),)


def _alert(message: Message, now_seconds: int) -> PromAlert:
    content = content_of(message)
    now = of_seconds(now_seconds)
    at = normal(content.at) or now
    resolved = content.state is State.RESOLVED
    starts = min(filter(None, (normal(content.first_seen), at)))
    identity = content.dedup_key or content.delivery_id
    return PromAlert(
        labels=_labels(content, line(object_in(message.event).get("key"), LABEL_MAX)),
        annotations=dict(_annotations(content)),
        starts_at=starts,
        ends_at=max(at, starts) if resolved else "",
        url=safe_url(message.url) or content.url,
        identity=identity,
    )


def _labels(content: Content, key: str) -> dict[str, str]:
    """Name it: the event's own labels come before what we make of its other fields, but never before the workspace."""
    found = {
        "alertname": content.event_type or content.title,
        "severity": content.severity.word,
        "project": content.project,
        "environment": content.environment,
        "issue": content.short_id,
        "key": "" if content.short_id or not content.thread_key else key,
    }
    for name, value in content.fields:
        found[label_name(name)] = value
    found["workspace"] = content.workspace
    return {name: fit(value, LABEL_MAX) for name, value in found.items() if value}


def label_name(name: str) -> str:
    """Make a label's name of any text: letters, digits and underscores, no digit first, no two underscores first."""
    plain = _NOT_IN_NAMES.sub("_", name).lstrip("_")
    return plain if plain[:1].isalpha() else f"label_{plain}"


def _annotations(content: Content) -> Iterator[tuple[str, str]]:
    parts = {
        "summary": f"{content.kicker}: {content.title}",
        "description": content.summary,
        "dashboard": content.url,
        "suspects": "\n".join(f"{short_commit(each)} {suspect_text(each)}" for each in content.suspects),
        "digest": f"{content.rest + len(content.lines)} alerts" if content.is_digest else "",
        "acknowledge": next((each.url for each in content.links if each.label == "Acknowledge"), ""),
        "subscription": content.subscription,
        "trigger": content.trigger,
        "delivery": content.delivery_id,
        "test": "a test, no alert" if content.test else "",
        "repeat": "may be a repeat" if content.maybe_duplicate else "",
    }
    for name, text in parts.items():
        if text:
            yield name, fit(text, ANNOTATION_MAX)
