"""Admission: how many issues a project may begin, so that a flood of different errors does not become as many issues.

A project has an allowance that fills up again in an hour. When it is used up, further errors that were never seen
before are counted by one issue, the project's overflow, which is begun, told and muted like any other: the flood is
visible, and its cost bounded. Errors that are known are never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alertd.engine.issues.facts import Facts

if TYPE_CHECKING:
    from alertd.model.ledger import Ledger

OVERFLOW_KEY: Final = "overflow"
"""The grouping key of the issue that counts what was not admitted."""
OVERFLOW_TITLE: Final = "More different errors than are told apart"
"""Its title."""
ISSUES_PER_HOUR: Final = 10_000
"""How many issues a project may begin in an hour, and at once; the default of a setting."""

_HOUR_MS: Final = 3_600_000


def admits(ledger: Ledger, now_ms: int, per_hour: int = ISSUES_PER_HOUR) -> bool:
    """Take one issue from the allowance; False when there is none left. Changes the ledger."""
    if ledger.allowance < 0.0:
        ledger.allowance, ledger.allowed_ms = float(per_hour), now_ms
    filled = ledger.allowance + max(0, now_ms - ledger.allowed_ms) * per_hour / _HOUR_MS
    ledger.allowance, ledger.allowed_ms = min(filled, float(per_hour)), now_ms
    if ledger.allowance < 1.0:
        return False
    ledger.allowance -= 1.0
    return True


def overflowing(facts: Facts) -> Facts:
    """Make of an error that is not admitted one of the overflow's."""
    return Facts(
        OVERFLOW_KEY,
        facts.event_id,
        OVERFLOW_TITLE,
        "",
        facts.level,
        facts.environment,
        facts.release,
        facts.user,
        facts.at_ms,
    )
