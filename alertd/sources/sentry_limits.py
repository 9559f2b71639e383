"""`X-Sentry-Rate-Limits`: how an SDK is told to keep what it has to itself, and for how long.

An SDK drops what falls under a limit and never sends it later, so a limit is named as narrowly as it is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER: Final = "X-Sentry-Rate-Limits"

Scope = Literal["organization", "project", "key"]
"""What a limit holds for; SDKs do not care, people do."""


@dataclass(frozen=True, slots=True)
class SentryLimit:
    """One limit. Shapes: `seconds` at least 1; `categories` such as `error`, `transaction`, none of them meaning all."""

    seconds: int
    categories: tuple[str, ...] = ()
    scope: Scope = "project"
    reason: str = ""


def format_limits(limits: Iterable[SentryLimit]) -> str:
    """Write the header's value, such as `60:error;default:project, 5::key:rate`."""
    return ", ".join(map(_format, limits))


def _format(limit: SentryLimit) -> str:
    parts = [str(max(1, limit.seconds)), ";".join(limit.categories), limit.scope]
    if limit.reason:
        parts.append(limit.reason)
    return ":".join(parts)
