"""A verdict: what the engine decided for one event and one subscription, and why.

Verdicts are kept for every event, so their stored form is small: a JSON array of
`[subscription id, channel id, code, detail, [[destination id, code], …]]` with what is empty left off the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

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

    @property
    def word(self) -> str:
        """The word used in API, logs and metrics."""
        return WORDS[self]


WORDS = tuple(code.name.lower() for code in VerdictCode)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided for one subscription.

    Shapes: `detail` depends on the code (cooldown: the remaining milliseconds; matcher: its position; else None);
    `destinations` pairs destination ids with their own codes, only where they differ from the verdict's.
    """

    subscription_id: int
    channel_id: int
    code: VerdictCode
    detail: int | None = None
    destinations: tuple[tuple[int, VerdictCode], ...] = ()


def encode(verdicts: Iterable[Verdict]) -> bytes:
    """Write verdicts in their stored form."""
    return orjson.dumps([_row(v) for v in verdicts])


def _row(verdict: Verdict) -> tuple[Any, ...]:
    head = (verdict.subscription_id, verdict.channel_id, int(verdict.code))
    if verdict.destinations:
        return (*head, verdict.detail, [(d, int(c)) for d, c in verdict.destinations])
    return head if verdict.detail is None else (*head, verdict.detail)


def decode(stored: bytes) -> list[Verdict]:
    """Read verdicts back from their stored form."""
    return [_verdict(*row) for row in orjson.loads(stored)]


def _verdict(
    subscription_id: int,
    channel_id: int,
    code: int,
    detail: int | None = None,
    destinations: Iterable[tuple[int, int]] = (),
) -> Verdict:
    parts = tuple((d, VerdictCode(c)) for d, c in destinations)
    return Verdict(subscription_id, channel_id, VerdictCode(code), detail, parts)
