"""A coloured attachment with Markdown in it, as Mattermost, Rocket.Chat and Discord show one. Pure.

What differs between them is a `Style`: the dialect, and how much room each part has. Room is counted in bytes of JSON, so
that the sum of all parts bounds the whole, however a provider counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.destinations.facts import first_facts, line_tail, short_commit, suspect_text
from alertd.destinations.limits import fit, json_bytes, pack_richest
from alertd.destinations.markdown import fenced, link

if TYPE_CHECKING:
    from alertd.destinations.content import Content, Line, Suspect
    from alertd.destinations.facts import Fact
    from alertd.destinations.limits import Escape

_SUSPECT = 150
_HEADLINE = 40
_TAIL = 60
_WORDS = 160
"""Bytes of a digest's title and summary where they are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A dialect of Markdown and the room for each part, in bytes of JSON.

    `escape` is for text, `code` for what stands in a code block; `facts` is how many facts are shown,
    the one that counts those left out among them.
    """

    escape: Escape
    code: Escape
    bold: str
    title: int
    summary: int
    facts: int
    fact_name: int
    fact_value: int
    suspects: int
    links: int
    digest: int
    line_title: int

    def line(self, text: str, room: int) -> str:
        """Escape and cut a text."""
        return fit(text, room, escape=self.escape, measure=json_bytes)


def body_of(content: Content, style: Style) -> str:
    """Write what stands below the title: summary, suspect commits, a digest's alerts, links."""
    summary = _summary(content.summary, style)
    parts = (
        summary,
        _suspects(content.suspects, style),
        _digest(content, style, _left(content, style, summary)) if content.is_digest else "",
        _links(content, style),
    )
    return "\n\n".join(filter(None, parts))


def fields_of(content: Content, style: Style, *, time: Escape | None = None) -> list[tuple[str, str]]:
    """Write the facts as names and values; `time` writes a point in time (RFC 3339) as the provider likes it."""
    facts = first_facts(content, style.facts)
    return [(style.line(fact.name, style.fact_name), _value(fact, style, time)) for fact in facts]


def _value(fact: Fact, style: Style, time: Escape | None) -> str:
    return time(fact.time) if time is not None and fact.time else style.line(fact.text, style.fact_value)


def _summary(text: str, style: Style) -> str:
    if "\n" in text:
        return fenced(text, style.summary, measure=json_bytes, escape=style.code)
    return style.line(text, style.summary)


def _suspects(suspects: tuple[Suspect, ...], style: Style) -> str:
    if not suspects:
        return ""
    linked = [_suspect(each, each.url, style) for each in suspects]
    plain = [_suspect(each, "", style) for each in suspects]
    rows = pack_richest([linked, plain], style.suspects, measure=json_bytes)
    return f"{style.bold}Suspect commits{style.bold}\n{rows}"


def _suspect(suspect: Suspect, url: str, style: Style) -> str:
    return f"• {link(style.escape(short_commit(suspect)), url)} {style.line(suspect_text(suspect), _SUSPECT)}".rstrip()


def _left(content: Content, style: Style, summary: str) -> int:
    """Say how much room a digest's list has: words of a user's own take of it what they are longer than ours."""
    return style.digest - max(0, json_bytes(summary) + json_bytes(style.line(content.title, style.title)) - _WORDS)


def _digest(content: Content, style: Style, room: int) -> str:
    linked = [_line(line, line.url, style) for line in content.lines]
    plain = [_line(line, "", style) for line in content.lines]
    return pack_richest([linked, plain], room, measure=json_bytes, hidden=content.rest)


def _line(line: Line, url: str, style: Style) -> str:
    headline = f"{style.bold}{style.line(line.headline, _HEADLINE)}{style.bold}"
    title = link(style.line(line.title, style.line_title), url)
    return f"{line.sign} {headline} {title}{style.line(line_tail(line, _TAIL), _TAIL)}"


def _links(content: Content, style: Style) -> str:
    shown = ""
    for each in content.links:
        longer = " · ".join(filter(None, (shown, link(each.label, each.url))))
        shown = longer if json_bytes(longer) <= style.links else shown
    return shown
