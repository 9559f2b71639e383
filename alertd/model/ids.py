"""Identities made by us: time-ordered 63-bit numbers inside, short prefixed strings outside.

A number is milliseconds since 1970 in the upper 43 bits and a sequence in the lower 20: ordered by birth, unique in a
store, and its time can be read back. Outside it is written in 16 hexadecimal digits behind a prefix (`dlv_…`, `alt_…`),
so that text order is number order. An event that brought no id of its own gets a UUIDv7 made from
its number, so that the number can be read back from it and no index is needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from alertd.clock import Clock

NameKey = tuple[str, str, str]
"""(kind, workspace, name), a workspace in itself: a name that has a number of its own, which lasts.

Kinds: workspace, channel, destination, subscription, derived_type, metric_alert.
"""
END: Final = (1 << 63) - 1
"""Above every number."""
SALT_BITS: Final = 54
"""How large a store's constant is that stands in the ids which it makes for events."""
SEQUENCE_BITS: Final = 20
_DIGITS: Final = re.compile(r"[0-7][0-9a-f]{15}", re.ASCII)

ALERT: Final = "alt"
DELIVERY: Final = "dlv"
REJECTED: Final = "rej"
REPLAY: Final = "rpl"
TOKEN: Final = "tok"  # noqa: S105 - a prefix


class IdSource:
    """Hands out ranges of numbers, ordered by time; `floor` is the greatest number already in the store."""

    def __init__(self, clock: Clock, floor: int = 0) -> None:
        self._clock = clock
        self._last = floor

    def take(self, count: int = 1, now_ms: int | None = None) -> int:
        """Reserve `count` numbers in a row and return the first; `now_ms` spares the look at the clock."""
        first = (self._clock.now_ms() if now_ms is None else now_ms) << SEQUENCE_BITS
        if first <= self._last:
            first = self._last + 1
        self._last = first + count - 1
        return first

    def extend(self, count: int) -> None:
        """Reserve `count` more right behind the last range."""
        self._last += count


def milliseconds(number: int) -> int:
    """When the number was made, in milliseconds since 1970."""
    return number >> SEQUENCE_BITS


def first_of(ms: int) -> int:
    """Return the smallest number that can be made at `ms`."""
    return ms << SEQUENCE_BITS


def format_id(prefix: str, number: int) -> str:
    """Write a number as it is shown outside, e.g. `dlv_19c3f2a4b5600001`."""
    return f"{prefix}_{number.to_bytes(8).hex()}"


def parse_id(prefix: str, text: str) -> int | None:
    """Read a number back; None when the text is not an id with this prefix."""
    head, _, digits = text.partition("_")
    if head != prefix or not _DIGITS.fullmatch(digits):
        return None
    return int(digits, 16)


def made_event_id(number: int, salt: int) -> str:
    """Make the UUIDv7 of an event that brought no id; `salt` is the store's own constant of `SALT_BITS`."""
    ms, sequence = number >> SEQUENCE_BITS, number & 0xFFFFF
    low = 0b10 << 62 | (sequence & 0xFF) << SALT_BITS | salt
    head, tail = f"{ms:012x}", f"{low:016x}"
    return f"{head[:8]}-{head[8:]}-7{sequence >> 8:03x}-{tail[:4]}-{tail[4:]}"


def made_event_number(text: str, salt: int) -> int | None:
    """Read the number back from an id made by `made_event_id` with the same salt; None for any other text."""
    if len(text) != 36:  # noqa: PLR2004 - the length of a UUID's text
        return None
    try:
        value = UUID(text).int
    except ValueError:
        return None
    if value & ((1 << SALT_BITS) - 1) != salt:
        return None
    number = (value >> 80) << SEQUENCE_BITS | ((value >> 64) & 0xFFF) << 8 | (value >> SALT_BITS) & 0xFF
    return number if made_event_id(number, salt) == text else None
