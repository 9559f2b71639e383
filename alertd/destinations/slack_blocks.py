"""What a Slack message looks like: one line that says it all, and a coloured attachment of blocks below it. Pure.

Slack's control sequences (`<!here>`, `<@U…>`, links) begin with `<`, so escaping `&`, `<` and `>` is enough; `verbatim` keeps
it from finding mentions and channels by itself. Budgets keep every element and the whole below Slack's limits: the sum of
all blocks is refused somewhere above 13,000 characters, though no number is documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.facts import first_facts, line_tail, origin, short_commit, suspect_text
from alertd.destinations.limits import fit, pack_richest
from alertd.destinations.markdown import fenced
from alertd.destinations.moments import shown, unix_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.destinations.content import Content, Line, Link, Suspect

BLOCKS_MAX: Final = 50
SECTION_MAX: Final = 3000
"""Characters of a section's text."""
FIELDS_MAX: Final = 10
"""Fields of a section."""

_TITLE: Final = 300
_TEXT: Final = 700
_SUMMARY: Final = 2000
_FIELD_NAME: Final = 60
_FIELD_VALUE: Final = 160
_SUSPECTS: Final = 1500
_DIGEST: Final = 2900
_DIGEST_LINES: Final = 10
"""Alerts of a digest in one section."""
_LINE_TITLE: Final = 150
_LINE_TAIL: Final = 80
_URL: Final = 800
"""Characters; a longer address gets no link or button."""
_FALLBACK: Final = 300
_BUTTON: Final = 75


def payload_of(content: Content) -> dict[str, Any]:
    """Write the whole message."""
    return _message(content, list(_blocks(content)))


def reply_of(content: Content) -> dict[str, Any]:
    """Write the short form for a thread that has the whole message at its head."""
    return _message(content, list(_reply_blocks(content)))


def escape(text: str) -> str:
    """Escape text for mrkdwn, as Slack asks for it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _message(content: Content, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "text": _text(content),
        "attachments": [
            {
                "color": f"#{content.colour:06x}",
                "fallback": fit(content.subject, _FALLBACK, escape=escape),
                "blocks": blocks[:BLOCKS_MAX],
            }
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _text(content: Content) -> str:
    kicker = fit(content.kicker, _TITLE, escape=escape)
    return f"*{kicker}*  {_linked(fit(content.title, _TITLE, escape=_label), content.url)}"


def _blocks(content: Content) -> Iterator[dict[str, Any]]:
    if content.summary:
        yield _section(_summary(content.summary))
    if fields := _fields(content):
        yield {"type": "section", "fields": fields}
    if content.suspects:
        yield _section(_suspects(content.suspects))
    for text in _digest(content):
        yield _section(text)
    yield _context(content)
    if buttons := [_button(number, each) for number, each in enumerate(content.links) if len(each.url) <= _URL]:
        yield {"type": "actions", "elements": buttons}


def _reply_blocks(content: Content) -> Iterator[dict[str, Any]]:
    if content.summary:
        yield _section(_summary(content.summary))
    yield _context(content)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _summary(text: str) -> str:
    return fenced(text, _SUMMARY, escape=escape) if "\n" in text else fit(text, _SUMMARY, escape=escape)


def _fields(content: Content) -> list[dict[str, Any]]:
    found = []
    for fact in first_facts(content, FIELDS_MAX):
        name = fit(fact.name, _FIELD_NAME, escape=escape)
        value = _date(fact.time, fact.text) if fact.time else fit(fact.text, _FIELD_VALUE, escape=escape)
        found.append(_mrkdwn(f"*{name}*\n{value}"))
    return found


def _suspects(suspects: tuple[Suspect, ...]) -> str:
    rows = [
        f"• {_linked(escape(short_commit(each)), each.url)} {fit(suspect_text(each), 200, escape=escape)}"
        for each in suspects
    ]
    plain = [f"• {escape(short_commit(each))} {fit(suspect_text(each), 200, escape=escape)}" for each in suspects]
    return "*Suspect commits*\n" + pack_richest([rows, plain], _SUSPECTS)


def _digest(content: Content) -> Iterator[str]:
    if not content.is_digest:
        return
    groups = [content.lines[at : at + _DIGEST_LINES] for at in range(0, len(content.lines), _DIGEST_LINES)] or [()]
    for group in groups:
        rows = [_line(line, line.url) for line in group]
        hidden = content.rest if group is groups[-1] else 0
        text = pack_richest([rows, [_line(line, "") for line in group]], _DIGEST, hidden=hidden)
        if text:
            yield text


def _line(line: Line, url: str) -> str:
    headline = fit(line.headline, 60, escape=escape)
    title = _linked(fit(line.title, _LINE_TITLE, escape=_label), url)
    return f"{line.sign} *{headline}* {title}{fit(line_tail(line, _LINE_TAIL), _LINE_TAIL, escape=escape)}"


def _context(content: Content) -> dict[str, Any]:
    when = f" · {_date(content.at, shown(content.at))}" if unix_seconds(content.at) is not None else ""
    return {"type": "context", "elements": [_mrkdwn(fit(origin(content), _FIELD_VALUE, escape=escape) + when)]}


def _button(number: int, link: Link) -> dict[str, Any]:
    button: dict[str, Any] = {
        "type": "button",
        "text": {"type": "plain_text", "text": link.label[:_BUTTON], "emoji": False},
        "url": link.url,
        "action_id": f"open-{number}",
    }
    return button | ({"style": "primary"} if link.label == "Acknowledge" else {})


def _date(time: str, text: str) -> str:
    """Let Slack show a time in the reader's own zone."""
    seconds = unix_seconds(time)
    return escape(text) if seconds is None else f"<!date^{seconds}^{{date_short_pretty}} {{time}}|{escape(text)}>"


def _linked(label: str, url: str) -> str:
    return f"<{_in_link(url)}|{label}>" if url and len(url) <= _URL else label


def _in_link(url: str) -> str:
    return escape(url.replace("|", "%7C"))


def _label(text: str) -> str:
    """Escape the label of a link, which a `|` would end."""
    return escape(text).replace("|", "¦")
