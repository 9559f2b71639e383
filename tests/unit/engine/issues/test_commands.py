"""What people decide about an issue: refused where it makes no sense, and nothing where it is so already."""

from __future__ import annotations

import pytest

from alertd.engine.issues import commands
from alertd.engine.issues.lifecycle import begin
from alertd.errors import ConflictError
from alertd.model.issue import Change, How, Issue, State
from alertd.model.ledger import Ledger
from tests.unit.engine.issues.errors import HOUR, NOW, facts


def made() -> tuple[Issue, Ledger]:
    """Begin an issue."""
    ledger = Ledger(1, "shop")
    return begin(facts(), ledger, 1, NOW)[0], ledger


def test_resolving_says_how_and_by_whom() -> None:
    """The resolution keeps the release, the time and the person; doing it again in another way is another change."""
    issue, ledger = made()
    issue, transition = commands.resolve(issue, How.IN_RELEASE, "shop@2", ledger, NOW, "ann")
    assert transition is not None
    assert (transition.change, transition.by, transition.why) == (Change.RESOLVED, "ann", "resolved in shop@2")
    assert issue.resolution == (How.IN_RELEASE, "shop@2", NOW, "ann")
    assert commands.resolve(issue, How.IN_RELEASE, "shop@2", ledger, NOW + 1, "bob") == (issue, None)
    again, transition = commands.resolve(issue, How.NOW, "", ledger, NOW + 1, "bob")
    assert transition is not None
    assert again.resolution == (How.NOW, "", NOW + 1, "bob")


def test_a_release_is_needed_where_it_matters() -> None:
    """In a release: one must be named; in the next: one must be known."""
    issue, ledger = made()
    with pytest.raises(ConflictError, match="the release is needed"):
        commands.resolve(issue, How.IN_RELEASE, "", ledger, NOW, "ann")
    with pytest.raises(ConflictError, match="no release of shop is known"):
        commands.resolve(issue, How.IN_NEXT_RELEASE, "", Ledger(1, "shop"), NOW, "ann")


def test_muting_says_until_when() -> None:
    """What a mute waits for is kept; the same again changes nothing, another one replaces it."""
    issue, _ = made()
    issue, transition = commands.mute(issue, NOW, "ann", until_ms=NOW + HOUR, more_events=5, until_spike=True)
    assert transition is not None
    assert transition.why == "muted until a time or 5 more events or a spike"
    assert issue.mute == (NOW + HOUR, 6, True, NOW, "ann")
    assert commands.mute(issue, NOW + 1, "bob", until_ms=NOW + HOUR, more_events=5, until_spike=True)[1] is None
    issue, transition = commands.mute(issue, NOW + 1, "bob")
    assert transition is not None
    assert issue.mute == (None, None, False, NOW + 1, "bob")


def test_a_mute_that_is_over_at_once_is_refused() -> None:
    """A time that is past and no events are mistakes."""
    issue, _ = made()
    with pytest.raises(ConflictError, match="past"):
        commands.mute(issue, NOW, "ann", until_ms=NOW)
    with pytest.raises(ConflictError, match="one more event"):
        commands.mute(issue, NOW, "ann", more_events=0)


def test_assigning() -> None:
    """It is given to somebody, to another, to nobody; to the same one is nothing."""
    issue, _ = made()
    issue, transition = commands.assign(issue, "ann", NOW, "bob")
    assert transition is not None
    assert (transition.change, transition.change.trigger, transition.after) == (Change.ASSIGNED, None, State.NEW)
    assert commands.assign(issue, "ann", NOW, "cem") == (issue, None)
    issue, transition = commands.assign(issue, "", NOW, "bob")
    assert transition is not None
    assert (issue.assignee, transition.why) == ("", "assigned to nobody")


def test_what_is_unresolved_is_neither_resolved_nor_muted() -> None:
    """A mute forgets the resolution before it, a resolution the mute, and unmuting both."""
    issue, ledger = made()
    resolved, _ = commands.resolve(issue, How.NOW, "", ledger, NOW, "ann")
    muted, _ = commands.mute(resolved, NOW, "ann")
    assert (muted.resolution, resolved.mute) == (None, None)
    unmuted, _ = commands.unmute(muted, NOW, "ann")
    assert (unmuted.resolution, unmuted.mute, unmuted.state) == (None, None, State.ONGOING)
