"""Admission: how many issues a project may begin, so that a flood of different errors does not become as many issues.

A project has an allowance that fills up again in an hour. When it is used up, further errors that were never seen
before are counted by one issue, the project's overflow, which is begun, told and muted like any other: the flood is
visible, and its cost bounded. Errors that are known are never touched.

Whoever sends events names their projects, so the workspace as a whole has an allowance too, and a number of projects. A
project that begins few issues is told of them though others flood; the errors of one project too many are counted by the
overflow of the events that belong to none.
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
WHOLE_TIMES: Final = 5
"""A workspace may begin so many times as many issues in an hour as one project."""
DEAR: Final = 0.1
"""The part of its own allowance that an issue costs a project when that of the workspace is used up: some ten an hour."""
PROJECTS_MAX: Final = 10_000
"""Greatest number of projects of one workspace that may have issues."""
WHOLE: Final = "\x1f"
"""In place of a project: the ledger of the workspace as a whole, which no event can name; its numbers count projects."""
NO_PROJECT: Final = ""
"""The project of events that name none."""

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


def admits_in(whole: Ledger, ledger: Ledger, now_ms: int, per_hour: int = ISSUES_PER_HOUR) -> bool:
    """Take one issue from the allowances of a project and of its workspace; False when it may not begin. Changes both."""
    if not admits(ledger, now_ms, per_hour):
        return False
    if admits(whole, now_ms, WHOLE_TIMES * per_hour):
        return True
    if ledger.allowance < DEAR * per_hour:
        return False
    ledger.allowance -= DEAR * per_hour
    return True


def admits_project(whole: Ledger) -> bool:
    """Take one project from what a workspace may have; False when there is none left. Changes the ledger."""
    if whole.next_number > PROJECTS_MAX:
        return False
    whole.take_number()
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
