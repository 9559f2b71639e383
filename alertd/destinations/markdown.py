"""Markdown in which the text of an event says nothing but itself: no mention, no link, no formatting of its own. Pure.

Dialects differ in what a backslash escapes, so two things are done without one: a zero-width space is put where a mention,
a control sequence (`<!here>`), a character's number (`&#64;`) or a link with a label of its own would begin. It survives any
parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from alertd.destinations.limits import fit, unescaped

if TYPE_CHECKING:
    from alertd.destinations.limits import Escape, Measure

BREAK: Final = "\u200b"
"""A zero-width space."""

_BEGINS: Final = re.compile(r"[@<\]!]|`(?=`)|&(?=[#A-Za-z])")
_CALLS: Final = re.compile(r"@|<(?=[!@#])")
_SPECIAL: Final = re.compile(r"[\\`*_\[\]#~|>]")
_FENCE: Final = "```"
_IN_ADDRESS: Final = {"(": "%28", ")": "%29", "@": "%40", "*": "%2A"}


def inert(text: str) -> str:
    """Break what would mention somebody or become a link, for dialects in which a backslash escapes nothing."""
    return _BEGINS.sub(lambda found: found.group() + BREAK, text)


def quiet(text: str) -> str:
    """Break only what would mention somebody, for code blocks of services that look for mentions there too."""
    return _CALLS.sub(lambda found: found.group() + BREAK, text)


def escape(text: str) -> str:
    """Escape text for Markdown: inert, and every character that formats is preceded by a backslash."""
    return _SPECIAL.sub(lambda found: "\\" + found.group(), inert(text))


def link(label: str, url: str) -> str:
    """Link an escaped label to a safe address; without an address the label stands alone."""
    return f"[{label}]({address(url)})" if url else label


def address(url: str) -> str:
    """Write a safe address so that it can stand in a link's parentheses."""
    return "".join(_IN_ADDRESS.get(character, character) for character in url)


def fenced(text: str, limit: int, *, measure: Measure = len, escape: Escape = unescaped) -> str:
    """Put text of several lines into a code block, where nothing formats; `limit` is for all of it. Empty stays empty.

    `escape` is for dialects that need one even there.
    """
    room = limit - measure(f"{_FENCE}\n\n{_FENCE}")
    body = fit(text, room, escape=lambda raw: escape(_unfenced(raw)), measure=measure) if text and room > 0 else ""
    return f"{_FENCE}\n{body}\n{_FENCE}" if body else ""


def _unfenced(text: str) -> str:
    return text.replace("``", f"`{BREAK}`")
