"""A message as Telegram shows it: HTML of the few tags that it knows, or plain text. Pure.

Telegram counts 4,096 UTF-16 units after it has read the markup; here they are counted with it, which is more.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from alertd.destinations.facts import facts_of, line_tail, origin, short_commit, suspect_text
from alertd.destinations.limits import fit, pack, pack_richest, utf16_units
from alertd.destinations.markdown import BREAK

if TYPE_CHECKING:
    from alertd.destinations.content import Content, Line, Suspect
    from alertd.destinations.facts import Fact

TEXT_MAX: Final = 4096
"""UTF-16 units of a message."""

_KICKER: Final = 100
_TITLE: Final = 300
_URL: Final = 400
_SUMMARY: Final = 1000
_FACTS: Final = 900
_FACT_NAME: Final = 60
_FACT_VALUE: Final = 150
_SUSPECTS: Final = 500
_LINKS: Final = 600
_DIGEST: Final = 2700
_HEADLINE: Final = 40
_LINE_TITLE: Final = 100
_LINE_TAIL: Final = 60
_ORIGIN: Final = 150
_BETWEEN: Final = "\n\n"


def html_of(content: Content) -> str:
    """Write a message as HTML."""
    head = f"{content.sign} <b>{_cut(content.kicker, _KICKER)}</b>\n"
    title = _linked(f"<b>{_cut(content.title, _TITLE)}</b>", content.url)
    before = (
        head + title,
        _summary(content.summary),
        pack([_fact(each) for each in facts_of(content)], _FACTS, measure=utf16_units),
        _suspects(content.suspects),
    )
    after = (_links(content), f"<i>{_cut(origin(content), _ORIGIN)}</i>")
    left = TEXT_MAX - utf16_units(_joined(*before, *after)) - len(_BETWEEN)
    return _joined(*before, _digest(content, min(_DIGEST, left)) if content.is_digest else "", *after)


def plain_of(content: Content) -> str:
    """Write a message without markup, for when Telegram cannot read it."""
    lines = [f"{each.sign} {each.headline}: {each.title}" for each in content.lines]
    parts = (
        f"{content.sign} {content.subject}",
        fit(content.summary, _SUMMARY, measure=utf16_units),
        pack(lines, _DIGEST, measure=utf16_units, hidden=content.rest) if content.is_digest else "",
        content.url if len(content.url) <= _URL else "",
    )
    text = "\n\n".join(filter(None, parts))
    return fit(text, TEXT_MAX, escape=_silent, measure=utf16_units)


def escape(text: str) -> str:
    """Escape text for HTML, and keep it from mentioning anybody."""
    return _silent(html.escape(text, quote=False))


def _silent(text: str) -> str:
    return text.replace("@", f"@{BREAK}")


def _cut(text: str, room: int) -> str:
    return fit(text, room, escape=escape, measure=utf16_units)


def _linked(label: str, url: str) -> str:
    written = html.escape(url, quote=True)
    return f'<a href="{written}">{label}</a>' if url and len(written) <= _URL else label


def _summary(text: str) -> str:
    if "\n" not in text:
        return _cut(text, _SUMMARY)
    return f"<pre>{_cut(text, _SUMMARY - len('<pre></pre>'))}</pre>"


def _fact(fact: Fact) -> str:
    return f"{_cut(fact.name, _FACT_NAME)}: <b>{_cut(fact.text, _FACT_VALUE)}</b>"


def _suspects(suspects: tuple[Suspect, ...]) -> str:
    if not suspects:
        return ""
    variants = [
        [_suspect(each, each.url) for each in suspects],
        [_suspect(each, "") for each in suspects],
    ]
    head = "Suspect commits\n"
    return head + pack_richest(variants, _SUSPECTS - len(head), measure=utf16_units)


def _suspect(suspect: Suspect, url: str) -> str:
    commit = _linked(f"<code>{_cut(short_commit(suspect), 40)}</code>", url)
    return f"• {commit} {_cut(suspect_text(suspect), 150)}".rstrip()


def _digest(content: Content, room: int) -> str:
    variants = [
        [_line(each, each.url) for each in content.lines],
        [_line(each, "") for each in content.lines],
    ]
    return pack_richest(variants, room, measure=utf16_units, hidden=content.rest)


def _joined(*parts: str) -> str:
    return _BETWEEN.join(filter(None, parts))


def _line(line: Line, url: str) -> str:
    title = _linked(_cut(line.title, _LINE_TITLE), url)
    return f"{line.sign} <b>{_cut(line.headline, _HEADLINE)}</b> {title}{_cut(line_tail(line, _LINE_TAIL), _LINE_TAIL)}"


def _links(content: Content) -> str:
    shown = ""
    for each in content.links:
        longer = " · ".join(filter(None, (shown, _linked(escape(each.label), each.url))))
        shown = longer if utf16_units(longer) <= _LINKS else shown
    return shown
