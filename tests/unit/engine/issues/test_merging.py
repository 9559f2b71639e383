"""Merging issues that are one, and splitting them again: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import pytest

from alertd.engine.issues.commands import mute
from alertd.engine.issues.distinct import count
from alertd.engine.issues.lifecycle import weigh
from alertd.engine.issues.merging import merge, split
from alertd.engine.issues.stored import decode_issue, encode_issue
from alertd.errors import ConflictError
from alertd.model.issue import KEYS_MAX, Issue, State
from alertd.model.ledger import Ledger
from tests.unit.engine.issues.errors import HOUR, NOW, facts


def made(ledger: Ledger, key: str, events: int, at_ms: int = NOW, issue_id: int = 1) -> Issue:
    """Make an issue of some events, each of another user."""
    issue = None
    for number in range(events):
        found = facts(
            number, at_ms, key, user={"id": f"{key}/{number}"}, title=f"title {key}", environment=f"env-{key}"
        )
        issue, _ = weigh(issue, found, ledger, issue_id, at_ms)
    assert issue is not None
    return issue


def test_a_merged_issue_has_all() -> None:
    """Sums, bounds, users, environments and keys of both; name and state of the one that remains."""
    ledger = Ledger(1, "shop")
    one, other = made(ledger, "a", 3, NOW, 1), made(ledger, "b", 4, NOW + HOUR, 2)
    merged, transition = merge(one, [other], NOW + HOUR, "ann")
    assert (merged.id, merged.short_id, merged.state) == (1, "SHOP-1", State.NEW)
    assert (merged.count, count(merged.users)) == (7, 7)
    assert (merged.first_seen_ms, merged.last_seen_ms) == (NOW, NOW + HOUR)
    assert (merged.title, merged.environments) == ("title b", ("env-a", "env-b"))
    assert list(merged.keys) == ["a", "b"]
    assert transition.why == "merged with SHOP-2"
    assert transition.change.trigger is None


def test_events_of_either_key_count_and_can_be_split_off() -> None:
    """What each key brought, before the merge and after, is there when it is taken apart, a restart in between."""
    ledger = Ledger(1, "shop")
    merged, _ = merge(made(ledger, "a", 3, NOW, 1), [made(ledger, "b", 4, NOW, 2)], NOW, "ann")
    merged = decode_issue(encode_issue(merged))
    merged, told = weigh(merged, facts(99, NOW + HOUR, "b", user={"id": "zoe"}, title="late b"), ledger, 9, NOW + HOUR)
    assert (merged.count, told) == (8, None)
    remaining, taken, transition = split(merged, ["b"], ledger, 7, NOW + HOUR, "ann")
    assert (remaining.count, taken.count) == (3, 5)
    assert (count(remaining.users), count(taken.users)) == (3, 5)
    assert (list(remaining.keys), list(taken.keys)) == (["a"], ["b"])
    assert (taken.id, taken.short_id, taken.state, taken.title) == (7, "SHOP-3", State.ONGOING, "late b")
    assert (taken.first_seen_ms, taken.last_seen_ms) == (NOW, NOW + HOUR)
    assert transition.change.trigger is None


def test_a_mute_waits_for_as_many_events_as_before() -> None:
    """What others brought in a merge, or take in a split, is not what it was muted for."""
    ledger = Ledger(1, "shop")
    one, _ = mute(made(ledger, "a", 3, NOW, 1), NOW, "ann", more_events=2)
    merged, _ = merge(one, [made(ledger, "b", 4, NOW, 2)], NOW, "ann")
    merged, told = weigh(merged, facts(99, NOW, "b"), ledger, 9, NOW)
    assert (merged.state, told) == (State.MUTED, None)
    remaining, _, _ = split(merged, ["b"], ledger, 7, NOW, "ann")
    again, told = weigh(remaining, facts(100, NOW, "a"), ledger, 9, NOW)
    assert (again.state, told is None) == (State.ESCALATING, False)


def test_splitting_the_first_key_off() -> None:
    """The issue goes on under the key that remains."""
    ledger = Ledger(1, "shop")
    merged, _ = merge(
        made(ledger, "a", 1, NOW, 1), [made(ledger, "b", 1, NOW, 2), made(ledger, "c", 1, NOW, 3)], NOW, "x"
    )
    remaining, taken, _ = split(merged, ["a"], ledger, 7, NOW, "ann")
    assert (remaining.key, sorted(remaining.keys), taken.key) == ("b", ["b", "c"], "a")


def test_what_cannot_be_merged_or_split() -> None:
    """Other projects, an issue and itself, nothing, too many; foreign keys, and all of them."""
    ledger = Ledger(1, "shop")
    one, two = made(ledger, "a", 1, NOW, 1), made(ledger, "b", 1, NOW, 2)
    elsewhere = made(Ledger(1, "stock"), "a", 1, NOW, 3)
    for others, why in (([elsewhere], "one project"), ([one], "different"), ([], "two"), ([two, two], "different")):
        with pytest.raises(ConflictError, match=why):
            merge(one, others, NOW, "ann")
    with pytest.raises(ConflictError, match="at most"):
        merge(one, [made(ledger, f"k{n}", 1, NOW, 10 + n) for n in range(KEYS_MAX)], NOW, "ann")
    merged, _ = merge(one, [two], NOW, "ann")
    for keys, why in ((["a", "b"], "remain"), (["z"], "own|itself"), ([], "itself")):
        with pytest.raises(ConflictError, match=why):
            split(merged, keys, ledger, 7, NOW, "ann")
    with pytest.raises(ConflictError, match="remain"):
        split(one, ["a"], ledger, 7, NOW, "ann")


def test_merging_as_many_as_are_allowed() -> None:
    """At the bound it works."""
    ledger = Ledger(1, "shop")
    others = [made(ledger, f"k{n}", 1, NOW, 10 + n) for n in range(KEYS_MAX - 1)]
    merged, _ = merge(made(ledger, "a", 1), others, NOW, "ann")
    assert merged.count == KEYS_MAX
    assert decode_issue(encode_issue(merged)) == merged
