"""Small readers of what Sentry sends: texts cut to a bound, ids, times, levels, tags.

Sentry's own readers are lenient, so these are: what is not as it should be counts as absent, and no event is lost for
it. Whatever cuts a text notes the place in `trimmed`, a set of dotted paths into the event's `data`.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from alertd.clock import rfc3339
from alertd.model.event import KEY_MAX, LABEL_NAME_MAX, LABEL_VALUE_MAX, LABELS_MAX
from alertd.sources.fields import PLACE_MAX, URL_MAX, is_place, read_time

if TYPE_CHECKING:
    from collections.abc import Iterable

CUT: Final = "…"
"""What a text that was cut ends in."""
DEFAULT_LEVEL: Final = "error"
"""The level of an event that names none, or one that is none."""
LEVELS: Final = {
    "fatal": "fatal",
    "critical": "fatal",
    "error": "error",
    "warning": "warning",
    "warn": "warning",
    "info": "info",
    "log": "info",
    "debug": "debug",
    "trace": "debug",
}
"""The words for a level that are read, and the one of Sentry's five that each is kept as."""
SEVERITIES: Final = {"fatal": "critical", "error": "error", "warning": "warning", "info": "info", "debug": "debug"}
"""Each of Sentry's levels as a severity."""

_YEAR_10000: Final = 253_402_300_800
_PREFIX: Final = "sentry:"
_PAIR: Final = 2
_is_event_id = re.compile(r"[0-9a-f]{32}").fullmatch
_is_dashed = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_controls = re.compile(r"[\x00-\x1f\x7f]+")


def text_of(value: Any, most: int, place: str, trimmed: set[str]) -> str | None:
    """Read a text of at most `most` characters, numbers and booleans too; None when there is none or it is empty."""
    if type(value) is not str:
        if value is None or isinstance(value, (dict, list)):
            return None
        value = str(value)
    if len(value) <= most:
        return value or None
    trimmed.add(place)
    return cut(value, most)


def cut(text: str, most: int) -> str:
    """Cut a text that is too long, visibly."""
    return text if len(text) <= most else text[: most - 1] + CUT


def first_line(text: str, most: int) -> str:
    """Return the first line that is not blank, cut; empty when there is none."""
    return cut(text.strip().partition("\n")[0].strip(), most)


def event_id_of(value: Any) -> str | None:
    """Read an event's id, with dashes or without, as 32 small hexadecimal digits; None when it is none."""
    if not isinstance(value, str):
        return None
    if _is_event_id(value):
        return value
    small = value.lower()
    if _is_event_id(small):
        return small
    return small.replace("-", "") if _is_dashed(small) else None


def derived_id(*parts: bytes) -> str:
    """Make 32 hexadecimal digits that stand for these bytes: the same for the same, and for no others."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]


def time_of(value: Any) -> str | None:
    """Read a time: RFC 3339 (without an offset it is UTC) or seconds since 1970; None when it is none."""
    if isinstance(value, str):
        return read_time(value) or read_time(value + "Z")
    if isinstance(value, (int, float)) and 0 <= value < _YEAR_10000:
        return rfc3339(int(value * 1000))
    return None


def level_of(value: Any) -> str:
    """Read a level as one of Sentry's five words."""
    if type(value) is not str:
        return DEFAULT_LEVEL
    return LEVELS.get(value) or LEVELS.get(value.lower(), DEFAULT_LEVEL)


def line_of(text: str, most: int) -> str:
    """Make a text fit for a name on one line: no control characters, cut; it may turn out empty."""
    return cut(_controls.sub(" ", text).strip(), most)


def place_of(value: Any) -> str:
    """Read a project's or an environment's name, mended where it must be; empty when there is none."""
    if type(value) is not str:
        value = str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    return value if value and is_place(value) else line_of(value, PLACE_MAX)


def key_of(value: Any) -> str:
    """Read what an event is about as its key, mended where it must be; empty when there is nothing."""
    if type(value) is str and len(value) <= KEY_MAX and value.isascii() and value.isprintable():
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return line_of(str(value), KEY_MAX)


def link_of(*values: Any) -> str | None:
    """Return the first that is a link a browser may follow and not longer than a link may be."""
    for value in values:
        if isinstance(value, str) and len(value) <= URL_MAX and value.startswith(("https://", "http://")):
            return value
    return None


def tags_of(value: Any) -> dict[str, str]:
    """Read tags, an object or a list of pairs, as labels that are not yet bounded; tags that are null are absent."""
    if isinstance(value, dict):
        pairs: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        pairs = [(pair[0], pair[1]) for pair in value if isinstance(pair, list) and len(pair) == _PAIR]
    else:
        return {}
    return {
        name.removeprefix(_PREFIX): text if type(text) is str else str(text)
        for name, text in pairs
        if isinstance(name, str) and text is not None and not isinstance(text, (dict, list))
    }


def labels_of(tags: dict[str, str], trimmed: set[str]) -> dict[str, str]:
    """Bound tags as labels are: in number, in the length of names and of values."""
    labels: dict[str, str] = {}
    for name, text in tags.items():
        if not name:
            continue
        if len(labels) == LABELS_MAX:
            trimmed.add("labels")
            break
        if len(name) > LABEL_NAME_MAX or len(text) > LABEL_VALUE_MAX:
            trimmed.add("labels")
            labels[cut(name, LABEL_NAME_MAX)] = cut(text, LABEL_VALUE_MAX)
        else:
            labels[name] = text
    return labels


def present(**given: Any) -> dict[str, Any]:
    """Return the members that say something: none that is None or empty."""
    return {name: value for name, value in given.items() if value}


def picked(given: Any, bounds: dict[str, int], place: str, trimmed: set[str]) -> dict[str, Any]:
    """Take the named texts out of an object, each cut to its bound; empty when it is none or has none of them.

    `place` is the path of the object in `data`, with a dot at its end where there is one.
    """
    if not isinstance(given, dict):
        return {}
    kept: dict[str, Any] = {}
    for name, most in bounds.items():
        if name in given:
            value = given[name]
            if type(value) is str and len(value) <= most:
                if value:
                    kept[name] = value
            elif text := text_of(value, most, place + name, trimmed):
                kept[name] = text
    return kept
