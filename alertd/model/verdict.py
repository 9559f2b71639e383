"""A verdict: what the engine decided for one event and one subscription, and why.

Verdicts are kept for every event, so their stored form is small: a JSON array of
`[subscription id, channel id, code, detail, [[destination id, code], …]]` with what is empty left off the end. Where an
event's data violates the schema of its type, rows `[0, 0, pointer, detail]` follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable


class VerdictCode(IntEnum):
    """`sent`, or the field that decided against it; the numbers are what the store keeps."""

    SENT = 0
    DISABLED = 1
    PROJECT = 2
    ENVIRONMENT = 3
    SEVERITY = 4
    MATCHER = 5
    TRIGGER = 6
    COOLDOWN = 7
    DESTINATION_DISABLED = 8
    OCCURRENCES = 9
    NOT_CONFIGURED = 10
    ABOUT_ITSELF = 11
    FORMAT_NEEDS_ISSUE = 12
    METRIC_ALERT = 13

    __hash__ = int.__hash__  # equal numbers, equal hashes; that of an Enum is a call for each verdict that is counted

    @property
    def word(self) -> str:
        """The word used in API, logs and metrics."""
        return WORDS[self]


WORDS = tuple(code.name.lower() for code in VerdictCode)
CLOSED: Final = frozenset(
    {
        VerdictCode.DESTINATION_DISABLED,
        VerdictCode.NOT_CONFIGURED,
        VerdictCode.FORMAT_NEEDS_ISSUE,
        VerdictCode.ABOUT_ITSELF,
    }
)
"""What keeps an event from a destination to which it would go."""

Detail = int | tuple[int, ...] | None
"""cooldown: the milliseconds that remain; matcher: its position from 0; occurrences: the count of this event, and the
next count that is sent (0: none until a quiet period); with a ladder, sent and cooldown have the same behind their own."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided for one subscription.

    Shapes: `subscription_id` is the number of a metric alert where that tells destinations itself; `channel_id` is 0 for
    what a metric alert tells; `destinations` pairs destination ids with their own codes, only where they differ from the
    verdict's.
    """

    subscription_id: int
    channel_id: int
    code: VerdictCode
    detail: Detail = None
    destinations: tuple[tuple[int, VerdictCode], ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where an event's data is not as the schema of its type says: a JSON pointer into the event, and what."""

    pointer: str
    detail: str


def encode(verdicts: Iterable[Verdict], violations: Iterable[Violation] = ()) -> bytes:
    """Write verdicts and violations in their stored form."""
    rows = [_row(v) for v in verdicts]
    rows += [(0, 0, v.pointer, v.detail) for v in violations]
    return orjson.dumps(rows)


def _row(verdict: Verdict) -> tuple[Any, ...]:
    head = (verdict.subscription_id, verdict.channel_id, int(verdict.code))
    if verdict.destinations:
        return (*head, verdict.detail, [(d, int(c)) for d, c in verdict.destinations])
    return head if verdict.detail is None else (*head, verdict.detail)


def decode(stored: bytes) -> list[Verdict]:
    """Read verdicts back from their stored form."""
    return [_verdict(*row) for row in orjson.loads(stored) if row[0]]


def decode_violations(stored: bytes) -> list[Violation]:
    """Read violations back from the stored form of an event's verdicts."""
    return [Violation(row[2], row[3]) for row in orjson.loads(stored) if not row[0]]


def _verdict(
    subscription_id: int,
    channel_id: int,
    code: int,
    detail: int | list[int] | None = None,
    destinations: Iterable[tuple[int, int]] = (),
) -> Verdict:
    parts = tuple((d, VerdictCode(c)) for d, c in destinations)
    kept = tuple(detail) if isinstance(detail, list) else detail
    return Verdict(subscription_id, channel_id, VerdictCode(code), kept, parts)
