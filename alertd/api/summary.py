"""What became of an alert, counted: its deliveries by state and destination, and who was held back. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from alertd.model.verdict import VerdictCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.model.verdict import Verdict

_UNMET: Final = frozenset(
    {
        VerdictCode.PROJECT,
        VerdictCode.ENVIRONMENT,
        VerdictCode.SEVERITY,
        VerdictCode.MATCHER,
        VerdictCode.TRIGGER,
        VerdictCode.METRIC_ALERT,
    }
)
"""Whoever these were decided about had not asked for the event; all other verdicts but `sent` hold something back."""


def summarise(deliveries: Iterable[tuple[str | None, str]], verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Count deliveries, given as (destination, state), and what verdicts held back."""
    places: dict[str, Counter[str]] = {}
    for destination, state in deliveries:
        places.setdefault(destination or "", Counter())[state] += 1
    states: Counter[str] = sum(places.values(), Counter())
    return {
        "sent": states["delivered"],
        "pending": states["pending"] + states["retrying"] + states["in_flight"],
        "failed": states["dead"],
        "cancelled": states["cancelled"],
        "suppressed": sum(map(_held_back, verdicts)),
        "destinations": {name: dict(sorted(places[name].items())) for name in sorted(places)},
    }


def _held_back(verdict: Verdict) -> int:
    """How many a verdict held back: a subscription, or some destinations of one that was sent."""
    if verdict.code is VerdictCode.SENT:
        return sum(code is not VerdictCode.SENT for _, code in verdict.destinations)
    return int(verdict.code not in _UNMET)
