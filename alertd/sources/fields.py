"""What the fields of an event may hold: their bounds, their alphabets, and the one way to read a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from alertd.clock import rfc3339
from alertd.model.event import KEY_MAX, NAME_MAX

PLACE_MAX: Final = 128
"""Greatest length of a project's and of an environment's name, in characters."""
SOURCE_MAX: Final = 1024
"""Greatest length of a source, in characters."""
URL_MAX: Final = 2048
"""Greatest length of a link, in characters."""
TIME_MAX: Final = 64
"""Greatest length of a time, in characters."""

FIELDS: Final = (
    "type",
    "id",
    "workspace",
    "project",
    "environment",
    "source",
    "severity",
    "time",
    "key",
    "message",
    "url",
    "labels",
    "data",
)
"""Every field of an event, in the order of its normalised JSON (`id` goes before `type`)."""

_RECENT_TYPES = 4096
_RECENT_PLACES = 4096

is_name = re.compile(rf"[!-~]{{1,{NAME_MAX}}}").fullmatch
"""Whether a string may be an event's type or id."""
is_key = re.compile(rf"[^\x00-\x1f\x7f]{{1,{KEY_MAX}}}").fullmatch
"""Whether a string may be an event's key."""
is_plain_time = re.compile(
    r"[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch
"""Whether a string is a time that needs no second look (a day that each month has, nothing to be rewritten)."""

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:)([0-9]{2})(\.[0-9]+)?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch
_PLACE = re.compile(rf"[^\x00-\x1f\x7f]{{1,{PLACE_MAX}}}").fullmatch


@lru_cache(_RECENT_TYPES)
def is_type(text: str) -> bool:
    """Tell whether a string may be an event's type; types repeat, so the answers are kept."""
    return is_name(text) is not None


@lru_cache(_RECENT_PLACES)
def is_place(text: str) -> bool:
    """Tell whether a string may name a project or an environment."""
    return _PLACE(text) is not None


def read_time(text: str) -> str | None:
    """Check a time by RFC 3339 and return it as it is kept; None when it is none.

    The given text is kept, but for what `datetime.fromisoformat` would not read again: `t` and `z` become capitals and
    a leap second (`:60`) becomes `:59`. Real dates only, whose UTC lies in the years 1 to 9999.
    """
    if is_plain_time(text):
        return text
    match = _TIME(text) if len(text) <= TIME_MAX else None
    if match is None:
        return None
    date, minutes, seconds, fraction, offset = match.groups("")
    kept = f"{date}T{minutes}{'59' if seconds == '60' else seconds}{fraction}{offset.upper()}"
    try:
        datetime.fromisoformat(kept).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return kept


@lru_cache(8)
def time_text(now_ms: int) -> str:
    """Write the time of arrival, once for all events of a body."""
    return rfc3339(now_ms)
