"""Forgetting: what nobody has heard of for long is forgotten, what somebody decided later, what is open never."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alertd.engine.issues import commands
from alertd.engine.issues.forgetting import DECIDED_MS, Age, is_over, is_past
from alertd.engine.issues.incidents import Report, acknowledge, open_for_report, resolve
from alertd.engine.issues.lifecycle import weigh
from alertd.engine.issues.merging import merge
from alertd.model.issue import How
from alertd.model.ledger import Ledger
from tests.unit.engine.issues.errors import DAY, NOW, facts

if TYPE_CHECKING:
    from alertd.model.issue import Issue

KEPT = 90 * DAY


def issue(at_ms: int = NOW, key: str = "1:a", issue_id: int = 1) -> Issue:
    """Make an issue that was seen once, in a release."""
    return weigh(None, facts(1, at_ms, key), Ledger(1, "shop"), issue_id, at_ms)[0]


def over(one: Issue, after_ms: int, acted_ms: int = 0, kept_ms: int = KEPT) -> bool:
    """Tell whether it is forgotten so long after it was seen."""
    return is_over(one, acted_ms, Age(NOW + after_ms, kept_ms))


def test_what_is_quiet_for_long_enough_is_forgotten() -> None:
    """At the bound it is kept, a millisecond later not."""
    assert not over(issue(), KEPT)
    assert over(issue(), KEPT + 1)


@pytest.mark.parametrize("word", ["arrived", "acted", "assigned"])
def test_whatever_happens_to_it_counts(word: str) -> None:
    """An event that arrives late, though it says that it is old; a word of somebody."""
    one = issue()
    if word == "arrived":
        one.arrived_ms = NOW + DAY
    elif word == "assigned":
        one.since_ms = NOW + DAY
    acted = NOW + DAY if word == "acted" else 0
    assert not over(one, KEPT + DAY, acted)
    assert over(one, KEPT + DAY + 1, acted)


def decided(how: str) -> Issue:
    """Make an issue about which somebody decided something, when it was seen."""
    one, ledger = issue(), Ledger(1, "shop", releases={"shop@1.0.0": NOW})
    if how == "merged":
        return merge(one, [issue(key="1:b", issue_id=2)], NOW, "ann")[0]
    if how == "resolved":
        return commands.resolve(one, How.NOW, "", ledger, NOW, "ann")[0]
    if how == "in-release":
        return commands.resolve(one, How.IN_RELEASE, "shop@1.0.0", ledger, NOW, "ann")[0]
    if how == "in-next-release":
        return commands.resolve(one, How.IN_NEXT_RELEASE, "", ledger, NOW, "ann")[0]
    more = {"for-good": {}, "until-events": {"more_events": 9}, "for-a-day": {"until_ms": NOW + DAY}}[how]
    return commands.mute(one, NOW, "ann", **more)[0]


@pytest.mark.parametrize("how", ["merged", "in-release", "in-next-release", "for-good", "until-events"])
def test_what_somebody_decided_for_long_is_kept_for_a_year(how: str) -> None:
    """Its next event would have to know: at the bound it is kept, then not; longer where everything is."""
    one = decided(how)
    assert not over(one, KEPT + 1)
    assert not over(one, DECIDED_MS)
    assert over(one, DECIDED_MS + 1)
    assert not over(one, DECIDED_MS + 1, kept_ms=2 * DECIDED_MS)


@pytest.mark.parametrize("how", ["resolved", "for-a-day"])
def test_what_holds_no_longer_is_forgotten_like_any_other(how: str) -> None:
    """Resolved at once, whatever comes is told; a mute that ran out mutes nothing."""
    assert not over(decided(how), KEPT)
    assert over(decided(how), KEPT + 1)


def test_what_is_muted_for_years_is_kept_as_long() -> None:
    """A mute for a time holds to its end; then the issue goes like any other."""
    muted = commands.mute(issue(), NOW, "ann", until_ms=NOW + 3 * DECIDED_MS)[0]
    assert not over(muted, 3 * DECIDED_MS - 1)
    assert over(muted, 3 * DECIDED_MS)


def test_incidents_that_are_over() -> None:
    """They are kept as long from their end; one that is open for ever."""
    opened = open_for_report(7, Report(1, "shop", "prod", "k", "t", "error", {}), (), NOW)
    known = acknowledge(opened, NOW, "ann")
    assert known is not None
    ended = resolve(known, NOW + DAY, "ann")
    assert ended is not None
    for one in (opened, known):
        assert not is_past(one, Age(NOW + 100 * KEPT, KEPT))
    assert not is_past(ended, Age(NOW + DAY + KEPT, KEPT))
    assert is_past(ended, Age(NOW + DAY + KEPT + 1, KEPT))
    assert is_past(replace(ended, resolved_ms=None), Age(NOW + KEPT + 1, KEPT))
