"""A message as ntfy shows it on a phone: a title, plain text, a priority, one tag that becomes an emoji, buttons. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.content import State
from alertd.destinations.facts import facts_of, origin, short_commit, suspect_text
from alertd.destinations.limits import fit, json_bytes, pack
from alertd.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.content import Content, Link

MESSAGE_MAX: Final = 4096
"""Bytes of a message's text."""
BODY_MAX: Final = 8192
"""Bytes of a whole request: twice a message, the least that servers took."""
ACTIONS_MAX: Final = 3

_TITLE: Final = 300
_TEXT: Final = 3600
_SUMMARY: Final = 1500
_FACTS: Final = 900
_FACT: Final = 150
_SUSPECTS: Final = 600
_DIGEST: Final = 3000
_URL: Final = 600
_ORIGIN: Final = 200
_BETWEEN: Final = "\n\n"

_PRIORITIES: Final = {
    Severity.DEBUG: 1,
    Severity.INFO: 2,
    Severity.WARNING: 3,
    Severity.ERROR: 4,
    Severity.CRITICAL: 5,
}
_TAGS: Final = {
    Severity.DEBUG: "mag",
    Severity.INFO: "information_source",
    Severity.WARNING: "warning",
    Severity.ERROR: "rotating_light",
    Severity.CRITICAL: "fire",
}


def payload_of(content: Content) -> dict[str, Any]:
    """Write the message, but for its topic."""
    resolved = content.state is State.RESOLVED
    payload: dict[str, Any] = {
        "title": _cut(content.subject, _TITLE),
        "message": _cut(_text(content), _TEXT),
        "priority": 3 if resolved else _PRIORITIES[content.severity],
        "tags": ["white_check_mark" if resolved else _TAGS[content.severity]],
    }
    links = [each for each in content.links if len(each.url) <= _URL]
    if links:
        payload["click"] = links[0].url
        payload["actions"] = [_button(each.label, each.url) for each in _most_useful(links)]
    return payload


def _text(content: Content) -> str:
    parts = [*_parts(content), _cut(origin(content), _ORIGIN)]
    if content.is_digest:
        rows = [_cut(f"{each.sign} {each.headline}: {each.title}", _FACT) for each in content.lines]
        left = _TEXT - json_bytes(_BETWEEN.join((*parts, "")))
        parts.insert(-1, pack(rows, min(_DIGEST, left), measure=json_bytes, hidden=content.rest))
    return _BETWEEN.join(filter(None, parts))


def _parts(content: Content) -> Iterator[str]:
    if content.summary:
        yield _cut(content.summary, _SUMMARY)
    if facts := facts_of(content):
        rows = [_cut(f"{each.name}: {each.text}", _FACT) for each in facts]
        yield pack(rows, _FACTS, measure=json_bytes)
    if content.suspects:
        rows = [_cut(f"{short_commit(each)} {suspect_text(each)}", _FACT) for each in content.suspects]
        yield "Suspect commits\n" + pack(rows, _SUSPECTS, measure=json_bytes)


def _most_useful(links: list[Link]) -> list[Link]:
    """Keep the links that there are buttons for; Acknowledge, which comes last, before others."""
    wanted = [each for each in links if each.label == "Acknowledge"]
    others = [each for each in links if each.label != "Acknowledge"]
    return [*others[: ACTIONS_MAX - len(wanted)], *wanted]


def _button(label: str, url: str) -> dict[str, str]:
    return {"action": "view", "label": label, "url": url}


def _cut(text: str, room: int) -> str:
    return fit(text, room, measure=json_bytes)
