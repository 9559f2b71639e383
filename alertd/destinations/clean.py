"""Text of an event, made harmless before any provider's own markup is thought of. Pure.

Control characters and lone surrogates become U+FFFD, all line ends become a line feed, and characters that turn the
direction of the text after them are taken out: what an event says must not change how the rest of a message reads.
"""

from __future__ import annotations

import re
from typing import Any, Final

from alertd.destinations.limits import ELLIPSIS, fit

LINE_MAX: Final = 500
"""Characters of a text that stands on one line."""
BLOCK_MAX: Final = 10_000
"""Characters of a text of several lines."""

_LINE_END: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_DIRECTION: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_BROKEN: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufff9-\ufffb\ufffe\uffff]")
_SPACE: Final = re.compile(r"\s+")
_BLANK_LINES: Final = re.compile(r"\n\s*\n\s*\n+")
_SLACK: Final = 2
"""How many times the bound is looked at: what is taken out does not count."""


def block(value: Any, limit: int = BLOCK_MAX) -> str:
    """Clean a text of several lines; anything but a text or a number is empty."""
    raw = _text(value)
    return _bounded(raw, _BLANK_LINES.sub("\n\n", _plain(raw[: limit * _SLACK])).strip(), limit)


def line(value: Any, limit: int = LINE_MAX) -> str:
    """Clean a text and write it on one line."""
    raw = _text(value)
    return _bounded(raw, _SPACE.sub(" ", _plain(raw[: limit * _SLACK])).strip(), limit)


def _bounded(raw: str, cleaned: str, limit: int) -> str:
    unread = len(raw) > limit * _SLACK
    return fit(cleaned + ELLIPSIS if unread else cleaned, limit)


def _plain(text: str) -> str:
    return _BROKEN.sub("\ufffd", _DIRECTION.sub("", _LINE_END.sub("\n", text)))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
