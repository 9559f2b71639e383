"""What every store promises of forgetting issues and incidents, as tests; `ForgettingSuite` is used as `StoreSuite` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alertd.engine.issues.batch import Loaded, Wanted
from alertd.engine.issues.forgetting import DECIDED_MS, Age
from alertd.engine.issues.incidents import Report, open_for_report, resolve
from alertd.engine.issues.merging import merge
from alertd.errors import StoreUnavailableError
from alertd.model.ids import first_of
from alertd.model.issue import Change, Transition
from alertd.model.ledger import Ledger
from alertd.store.issues import IncidentFilter, IssueEvent, IssueFilter, IssueWrites, Reshaped
from tests.conformance.issue_suite import batch, writes
from tests.conformance.store_maker import START_MS

if TYPE_CHECKING:
    from alertd.model.issue import Issue
    from alertd.store.base import Store
    from tests.conformance.store_maker import Maker

DAY_MS = 86_400_000
KEPT = 90 * DAY_MS
LATE = Age(START_MS + KEPT + 1_000, KEPT)
"""By then everything that the suite begins is old."""


def moved(issue: Issue, at_ms: int) -> tuple[int, Transition]:
    """Say that somebody did something about an issue."""
    return first_of(at_ms), Transition(issue.id, Change.ASSIGNED, issue.state, issue.state, at_ms, "assigned", "ann")


async def keys(store: Store) -> list[str]:
    """The keys of all issues, oldest first."""
    return [issue.key for issue in reversed(await store.issues(IssueFilter(1)))]


class ForgettingSuite:
    """The promises."""

    async def test_an_issue_that_is_over_goes_with_all_that_is_its_own(self, store: Store) -> None:
        """No key leads to it, no name, no transition; numbers go on behind it. What was kept of its events goes with them."""
        made = batch("a", "b")
        one, two = made.issues.values()
        await store.write_issues(writes(made, IssueEvent(one.id, one.id, b"{}", "a")))
        assert await store.forget_issues(LATE, 0, 10) == ([one.id, two.id], None, [(1, "shop")])
        assert await keys(store) == []
        assert (await store.transitions(one.id, 10), await store.issues_numbered(1, ["shop"], 1)) == ([], [])
        assert await store.issue_events(one.id, 10) == [one.id]
        read = Loaded()
        await store.read_issues(Wanted({(1, "shop", "a")}, {(1, "shop")}), read)
        assert read.issues == read.keys == {}
        again = batch("a", read=read, first=KEPT)
        await store.write_issues(writes(again))
        (new,) = await store.issues(IssueFilter(1))
        assert (new.short_id, new.count) == ("SHOP-3", 1)
        assert (await store.forget_issues(LATE, 0, 10)).ids == []

    async def test_the_ledger_of_a_project_without_issues_is_shortened(self, store: Store) -> None:
        """Of its releases the young ones stay and the newest, and its number; that of one with issues is as it was."""
        old, young = LATE.before_ms - 1, LATE.before_ms
        releases = {"shop": {"1": old - 1, "2": old}, "blog": {"1": old - 1, "2": old, "3": young}, "stock": {"1": old}}
        for n, (project, known) in enumerate(releases.items()):
            (issue,) = batch(project, first=KEPT if project == "stock" else n).issues.values()
            issue.project = project
            ledgers = {(1, project): Ledger(1, project, 2, releases={**known, "late": young} if n == 2 else known)}
            await store.write_issues(IssueWrites([issue], {(1, project, project): issue.id}, ledgers))
        assert sorted((await store.forget_issues(LATE, 0, 10)).emptied) == [(1, "blog"), (1, "shop")]
        for project, kept in (("shop", {"2": old}), ("blog", {"3": young}), ("stock", {"1": old, "late": young})):
            assert await store.ledger(1, project) == Ledger(1, project, 2, releases=kept)

    async def test_at_the_bound_it_stays(self, store: Store) -> None:
        """As long as it is kept nothing goes; what happens to it counts."""
        made = batch("a", "b")
        one, two = made.issues.values()
        await store.write_issues(writes(made))
        assert (await store.forget_issues(Age(START_MS + 1 + KEPT, KEPT), 0, 10)).ids == []
        await store.write_issues(IssueWrites(transitions=[moved(two, START_MS + DAY_MS)]))
        assert (await store.forget_issues(LATE, 0, 10)).ids == [one.id]
        assert [each.change for _, each in await store.transitions(two.id, 10)] == [Change.ASSIGNED]
        assert (await store.forget_issues(replace_now(LATE, START_MS + KEPT + 2 * DAY_MS), 0, 10)).ids == [two.id]

    async def test_a_walk_goes_in_slices(self, store: Store) -> None:
        """Each looks at so many and says where to go on; what stays is passed over."""
        made = batch("a", "b", "c", "d")
        first, second, third, fourth = made.issues.values()
        await store.write_issues(writes(made))
        kept, _ = merge(second, [batch("x").issues[first.id]], START_MS, "ann")
        await store.write_issues(IssueWrites([kept]))
        assert (await store.forget_issues(LATE, 0, 2))[:2] == ([first.id], second.id)
        assert (await store.forget_issues(LATE, second.id, 2))[:2] == ([third.id, fourth.id], fourth.id)
        assert (await store.forget_issues(LATE, fourth.id, 2))[:2] == ([], None)
        assert await keys(store) == ["b"]

    async def test_what_was_merged_goes_with_what_it_was_merged_into(self, store: Store) -> None:
        """After a year: all their keys, names and transitions."""
        made = batch("a", "b", "c")
        one, two, three = made.issues.values()
        await store.write_issues(writes(made))
        whole, transition = merge(one, [two], START_MS, "ann")
        owned = {(1, "shop", key): one.id for key in whole.keys}
        told = [(first_of(START_MS + 9), transition)]
        merged = IssueWrites([whole], owned, transitions=told, reshaped=Reshaped(merged=[(two, one.id)]))
        await store.write_issues(merged)
        assert (await store.forget_issues(LATE, 0, 10)).ids == [three.id]
        assert (await store.former_issues(one.id), await store.transitions(one.id, 10)) == ([two], [])
        year = replace_now(LATE, START_MS + DECIDED_MS + 1_000)
        assert (await store.forget_issues(year, 0, 10)).ids == [one.id]
        assert (await store.former_issues(one.id), await store.merged_into(two.id)) == ([], None)
        assert (await store.transitions(two.id, 10), await store.issues_numbered(1, ["shop"], 2)) == ([], [])
        read = Loaded()
        await store.read_issues(Wanted({(1, "shop", "a"), (1, "shop", "b")}), read)
        assert read.keys == {}

    async def test_the_issue_of_an_open_incident_stays(self, store: Store) -> None:
        """Until the incident is over; it goes as long after its end."""
        made = batch("a")
        (one,) = made.issues.values()
        opened = open_for_report(one.id, Report(1, "shop", "prod", "k", "t", "error", {}), (), START_MS)
        one.incident_id = opened.id
        await store.write_issues(IssueWrites([one], made.keys, incidents=[opened]))
        assert (await store.forget_issues(LATE, 0, 10)).ids == []
        assert (await store.forget_incidents(LATE, 0, 10)).ids == []
        ended = resolve(opened, LATE.now_ms, "ann")
        assert ended is not None
        await store.write_issues(IssueWrites(incidents=[ended]))
        assert (await store.forget_issues(LATE, 0, 10)).ids == [one.id]
        assert (await store.forget_incidents(LATE, 0, 10)).ids == []
        assert (await store.forget_incidents(replace_now(LATE, LATE.now_ms + KEPT), 0, 10)).ids == []
        assert (await store.forget_incidents(replace_now(LATE, LATE.now_ms + KEPT + 1), 0, 10)).ids == [one.id]
        assert await store.incident(one.id) is None

    async def test_incidents_go_in_slices(self, store: Store) -> None:
        """Each looks at so many, oldest first."""
        report = Report(1, "shop", "prod", "k", "t", "error", {})
        opened = [open_for_report(first_of(START_MS + n), report, (), START_MS + n) for n in range(5)]
        ended = [resolve(each, START_MS + 10, "ann") or each for each in opened[1:]]
        await store.write_issues(IssueWrites(incidents=[opened[0], *ended]))
        assert await store.forget_incidents(LATE, 0, 2) == ([opened[1].id], opened[1].id, ())
        assert await store.forget_incidents(LATE, opened[1].id, 3) == (
            [each.id for each in opened[2:]],
            opened[4].id,
            (),
        )
        assert await store.forget_incidents(LATE, opened[4].id, 3) == ([], None, ())
        assert await store.incidents(IncidentFilter(1, limit=9)) == opened[:1]

    async def test_old_transitions_go_and_the_issue_goes_on(self, store: Store) -> None:
        """Of an issue that is seen for years only the last is told."""
        made = batch("a")
        (one,) = made.issues.values()
        one.arrived_ms = one.last_seen_ms = LATE.now_ms
        young = moved(one, LATE.before_ms)
        await store.write_issues(writes(made))
        await store.write_issues(IssueWrites(transitions=[moved(one, LATE.before_ms - 1), young]))
        assert (await store.forget_issues(LATE, 0, 10)).ids == []
        assert await store.transitions(one.id, 10) == [young]
        assert await keys(store) == ["a"]

    async def test_samples_without_their_events_go(self, store: Store, make: Maker) -> None:
        """What is older than the oldest event; never what belongs to an event that is there."""
        lost = [IssueEvent(first_of(START_MS - 9) + n, 7, None, "a") for n in range(3)]
        plans = [await make.stored(store, name) for name in "xy"]
        kept = [IssueEvent(plan.number, 7, None, "a") for plan in plans]
        await store.write_issues(IssueWrites(events=[*lost, *kept]))
        assert [await store.forget_samples(2) for _ in range(3)] == [2, 1, 0]
        assert await store.issue_events(7, 10) == [plans[1].number, plans[0].number]
        assert await store.newest_events(7) == {"a": plans[1].number}

    async def test_a_closed_store_forgets_nothing(self, store: Store) -> None:
        """After the end that is said."""
        await store.close()
        for asked in (store.forget_issues(LATE, 0, 1), store.forget_incidents(LATE, 0, 1), store.forget_samples(1)):
            with pytest.raises(StoreUnavailableError):
                await asked
        with pytest.raises(StoreUnavailableError):
            await store.forget_changes(0, 1)


def replace_now(age: Age, now_ms: int) -> Age:
    """Say what is old at another time."""
    return age._replace(now_ms=now_ms)
