"""Text within a provider's limits: what is too long is cut and marked, never inside an escape or a character. Pure.

Providers count differently: characters (`len`), UTF-16 units or UTF-8 bytes. A limit holds for the text as it is sent,
so escaping and cutting are one step: `fit` takes raw text and gives escaped text.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Escape = Callable[[str], str]
    Measure = Callable[[str], int]

ELLIPSIS: Final = "…"
"""The mark of a cut."""

_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")
_BACK_MAX: Final = 16
"""Characters that a cut may step back so as not to split what is seen as one."""


def utf8_bytes(text: str) -> int:
    """Count the bytes of a text in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def utf16_units(text: str) -> int:
    """Count a text as JavaScript and Java do: characters beyond U+FFFF are two."""
    return len(text) + sum(character > "\uffff" for character in text)


def json_bytes(text: str) -> int:
    """Count the bytes that a text without lone surrogates takes in a JSON document, without its quotes."""
    return len(orjson.dumps(text)) - 2


def unescaped(text: str) -> str:
    """Leave a text as it is: the escape of plain text."""
    return text


def fit(text: str, limit: int, *, escape: Escape = unescaped, measure: Measure = len) -> str:
    """Escape a text, cut so that the result measures at most `limit`; a cut ends in an ellipsis.

    `escape` must work character by character (or line by line) and never shorten; `measure` must count each character as
    at least one. Empty when not even the ellipsis fits.
    """
    if len(text) <= limit:
        whole = escape(text)
        if measure(whole) <= limit:
            return whole
    low, high = 0, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(escape(text[:middle] + ELLIPSIS)) <= limit:
            low = middle
        else:
            high = middle - 1
    cut = escape(text[: _boundary(text, low)].rstrip() + ELLIPSIS)
    return cut if measure(cut) <= limit else ""


def pack(
    lines: Sequence[str], limit: int, *, measure: Measure = len, hidden: int = 0, more: str = "… and {} more"
) -> str:
    """Join as many whole lines as fit into `limit`, from the first on, and count in a last line those that do not.

    `lines` are escaped already; `hidden` is how many more there are that nobody listed; `more` has a place for the
    number, and is escaped already too.
    """
    for count in range(len(lines), -1, -1):
        left = len(lines) - count + hidden
        text = "\n".join([*lines[:count], *([more.format(left)] if left else [])])
        if measure(text) <= limit:
            return text
    return ""


def pack_richest(variants: Sequence[Sequence[str]], limit: int, *, measure: Measure = len, hidden: int = 0) -> str:
    """Pack the first of several ways to write the same lines that fits as a whole; else the last one, as far as it fits."""
    for lines in variants:
        text = pack(lines, limit, measure=measure, hidden=hidden)
        if len(text.split("\n")) == len(lines) + bool(hidden):
            return text
    return pack(variants[-1], limit, measure=measure, hidden=hidden)


def _boundary(text: str, at: int) -> int:
    """Step back from the middle of what is seen as one character (combining marks, joined emoji), if it is near."""
    for back in range(min(at, _BACK_MAX)):
        here = at - back
        if here >= len(text) or not _splits(text, here):
            return here
    return at


def _splits(text: str, at: int) -> bool:
    after = text[at]
    return after in _JOINERS or text[at - 1] == "\u200d" or unicodedata.combining(after) != 0
