"""An adaptive card of version 1.4 that tells of an alert or a digest. Pure.

Text runs show text as it is; fact sets and buttons read Markdown, so what an event says is inert there. Budgets are bytes of
JSON: their sum stays below the 28 KB that Teams takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.content import State
from alertd.destinations.facts import first_facts, line_tail, origin, short_commit, suspect_text
from alertd.destinations.limits import ELLIPSIS, fit, json_bytes
from alertd.destinations.markdown import inert
from alertd.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.content import Content, Line, Suspect

CARD_MAX: Final = 28_000
"""Bytes of a whole request."""
VERSION: Final = "1.4"

_COLOURS: Final = {
    Severity.DEBUG: "Default",
    Severity.INFO: "Accent",
    Severity.WARNING: "Warning",
    Severity.ERROR: "Attention",
    Severity.CRITICAL: "Attention",
}
_STYLES: Final = {"Default": "emphasis", "Accent": "accent", "Warning": "warning", "Attention": "attention"}
_KICKER: Final = 200
_TITLE: Final = 300
_SUMMARY: Final = 4000
_LINES: Final = 30
"""Lines of a summary."""
_FACTS: Final = 14
_FACT_NAME: Final = 60
_FACT_VALUE: Final = 200
_COMMIT: Final = 60
_SUSPECT: Final = 200
_LINE_HEADLINE: Final = 60
_LINE_TITLE: Final = 150
_LINE_TAIL: Final = 80
_ORIGIN: Final = 200
_URL: Final = 1000
"""Characters; a longer address gets no button."""
_LINE_URL: Final = 400


def card_of(content: Content) -> dict[str, Any]:
    """Write the card."""
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": _cut(content.subject, _TITLE),
        "msteams": {"width": "Full"},
        "body": list(_body(content)),
        "actions": [
            {"type": "Action.OpenUrl", "title": each.label, "url": each.url}
            for each in content.links
            if len(each.url) <= _URL
        ],
    }


def _body(content: Content) -> Iterator[dict[str, Any]]:
    yield _head(content)
    yield from _summary(content.summary)
    if facts := _facts(content):
        yield {"type": "FactSet", "facts": facts, "separator": True}
    if content.suspects:
        yield _text({"type": "TextRun", "text": "Suspect commits", "weight": "Bolder"}) | {"separator": True}
        yield from (_suspect(each) for each in content.suspects)
    yield from (_line(each) for each in content.lines)
    if content.rest:
        yield _text({"type": "TextRun", "text": f"… and {content.rest:,} more", "isSubtle": True})
    yield _text(_run(origin(content), _ORIGIN, isSubtle=True, size="Small")) | {"separator": True}


def _head(content: Content) -> dict[str, Any]:
    colour = "Good" if content.state is State.RESOLVED else _COLOURS[content.severity]
    return {
        "type": "Container",
        "style": _STYLES.get(colour, "good"),
        "bleed": True,
        "items": [
            _text(_run(content.kicker, _KICKER, color=colour, weight="Bolder")),
            _text(_run(content.title, _TITLE, size="Large", weight="Bolder")),
        ],
    }


def _summary(text: str) -> Iterator[dict[str, Any]]:
    """Write each line as a block of its own: a run does not break at line ends everywhere."""
    lines = _cut(text, _SUMMARY).split("\n")
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], ELLIPSIS]
    looks = {"fontType": "Monospace"} if len(lines) > 1 else {}
    first = True
    for each in filter(None, lines):
        block = _text({"type": "TextRun", "text": each, **looks})
        yield block if first else block | {"spacing": "None"}
        first = False


def _facts(content: Content) -> list[dict[str, str]]:
    return [
        {
            "title": fit(fact.name, _FACT_NAME, escape=inert, measure=json_bytes),
            "value": fit(fact.text, _FACT_VALUE, escape=inert, measure=json_bytes),
        }
        for fact in first_facts(content, _FACTS)
    ]


def _suspect(suspect: Suspect) -> dict[str, Any]:
    commit = _opening(_run(short_commit(suspect), _COMMIT, fontType="Monospace"), suspect.url)
    return _text(commit, _run(f" {suspect_text(suspect)}", _SUSPECT))


def _line(line: Line) -> dict[str, Any]:
    return _text(
        _run(f"{line.sign} {line.headline} ", _LINE_HEADLINE, weight="Bolder"),
        _opening(_run(line.title, _LINE_TITLE), line.url),
        _run(line_tail(line, _LINE_TAIL), _LINE_TAIL, isSubtle=True),
    )


def _text(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [run for run in runs if run["text"]]}


def _run(text: str, room: int, **looks: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": _cut(text, room), **looks}


def _opening(run: dict[str, Any], url: str) -> dict[str, Any]:
    """Let a run open an address."""
    if not url or len(url) > _LINE_URL:
        return run
    return run | {"selectAction": {"type": "Action.OpenUrl", "url": url}}


def _cut(text: str, room: int) -> str:
    return fit(text, room, escape=_no_mention, measure=json_bytes)


def _no_mention(text: str) -> str:
    """Break `<at>`, which Teams looks for in any text of a card."""
    return text.replace("<", "<\u200b")
