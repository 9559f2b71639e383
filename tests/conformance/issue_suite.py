"""What every store promises of issues, as tests; `IssueSuite` is used as `StoreSuite` is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alertd.engine.issues.admission import NO_PROJECT, WHOLE
from alertd.engine.issues.batch import IssueBatch, Loaded, Wanted
from alertd.engine.issues.incidents import Report, acknowledge, open_for_deploy, open_for_report
from alertd.engine.issues.merging import merge
from alertd.errors import StoreUnavailableError
from alertd.model.change import Change, ChangeKind, Commit
from alertd.model.event import from_payload
from alertd.model.ids import first_of
from alertd.model.incident import IncidentKind, IncidentState
from alertd.model.ledger import Ledger
from alertd.store.issues import IncidentFilter, IssueEvent, IssueFilter, IssueWrites, Reshaped
from alertd.store.resource import AuditFilter
from tests.conformance.resource_suite import entry
from tests.conformance.store_maker import START_MS

if TYPE_CHECKING:
    from alertd.store.base import Store
    from tests.conformance.store_maker import Maker, StillClock

PAYLOAD = (
    b'{"type":"sentry.error","id":"a","workspace":"default","project":"shop","severity":"error","time":"2027-01-15T08:00:00Z",'
    b'"key":"KEY","data":{"event_id":"a","title":"T","level":"error","release":"1.0"}}'
)


def batch(*keys: str, read: Loaded | None = None, first: int = 1) -> IssueBatch:
    """Weigh an error for each key, the first of them with the number `first` milliseconds after the start."""
    made = IssueBatch(read or Loaded())
    for n, key in enumerate(keys):
        made.weigh(
            from_payload(PAYLOAD.replace(b"KEY", key.encode())), 1, first_of(START_MS + first + n), START_MS + first + n
        )
    return made


def writes(made: IssueBatch, *events: IssueEvent) -> IssueWrites:
    """Say what a batch writes."""
    return IssueWrites(
        list(made.issues.values()), made.keys, made.ledgers, list(made.incidents.values()), made.transitions, events
    )


class IssueSuite:
    """The promises."""

    async def test_issues_come_back_as_they_were(self, store: Store) -> None:
        """By key and by id, with their project's ledger; what is not there is noted as asked for."""
        made = batch("a", "b", "a")
        await store.write_issues(writes(made))
        wanted = Wanted({(1, "shop", "a"), (1, "shop", "nothing")}, {(1, "shop"), (1, "blog")})
        read = Loaded()
        await store.read_issues(wanted, read)
        first = first_of(START_MS + 1)
        assert read.issues == {first: made.issues[first]}
        assert read.keys == {(1, "shop", "a"): first}
        assert read.ledgers == {(1, "shop"): made.ledgers[1, "shop"]}
        assert (read.asked.keys, read.asked.projects) == (wanted.keys, wanted.projects)
        assert await store.issue(first) == made.issues[first]
        assert await store.issue(7) is None
        assert await store.ledger(1, "shop") == made.ledgers[1, "shop"]

    async def test_who_did_it_is_stored_with_it(self, store: Store) -> None:
        """The lines of the log of changes are written with what a person made of an issue."""
        lines = [entry(number, "SHOP-1", kind="issue") for number in range(2)]
        await store.write_issues(replace(writes(batch("a")), audit=lines))
        assert await store.audit(AuditFilter("default")) == lines[::-1]

    async def test_the_ledger_of_a_workspace_as_a_whole(self, store: Store) -> None:
        """It is kept under a name that no project can have, beside that of the events that name none; each read finds its own."""
        made = batch("a")
        await store.write_issues(writes(made))
        await store.write_issues(IssueWrites(ledgers={(1, NO_PROJECT): Ledger(1, NO_PROJECT, 7)}))
        read = Loaded()
        await store.read_issues(Wanted(projects={(1, "shop"), (1, WHOLE), (1, NO_PROJECT), (2, WHOLE)}), read)
        assert read.ledgers == {**made.ledgers, (1, NO_PROJECT): Ledger(1, NO_PROJECT, 7)}
        assert {project for _, project in read.ledgers} == {"shop", WHOLE, NO_PROJECT}

    async def test_a_later_state_replaces_the_earlier(self, store: Store) -> None:
        """An issue that goes on is stored over itself, and its short id finds it in any case."""
        await store.write_issues(writes(batch("a")))
        read = Loaded()
        await store.read_issues(Wanted({(1, "shop", "a")}, {(1, "shop")}), read)
        await store.write_issues(writes(batch("a", read=read, first=5)))
        (issue,) = await store.issues(IssueFilter(1))
        assert (issue.count, issue.number) == (2, 1)
        assert await store.issues_numbered(1, ["SHOP"], 1) == [issue.id]
        assert await store.issues_numbered(2, ["shop"], 1) == []

    async def test_a_short_id_may_be_that_of_several(self, store: Store) -> None:
        """Projects whose names differ only in their case have the same short ids: all of them are found, oldest first."""
        made = []
        for n, project in enumerate(("shop", "Shop", "blog")):
            batched = IssueBatch(Loaded())
            event = from_payload(PAYLOAD.replace(b'"shop"', f'"{project}"'.encode()))
            batched.weigh(event, 1, first_of(START_MS + n), START_MS + n)
            await store.write_issues(writes(batched))
            made += batched.issues
        assert await store.issues_numbered(1, ["SHOP"], 1) == made[:2]
        assert await store.issues_numbered(1, ["blog", "SHOP", ""], 1) == made
        assert await store.issues_numbered(1, ["sho", "shops", ""], 1) == []

    async def test_lists(self, store: Store) -> None:
        """Newest first, by page and by each filter."""
        await store.write_issues(writes(batch("a", "b", "c")))
        every = [issue.key for issue in await store.issues(IssueFilter(1))]
        assert every == ["c", "b", "a"]
        page = await store.issues(IssueFilter(1, limit=2))
        assert [i.key for i in await store.issues(IssueFilter(1, below=page[-1].id))] == ["a"]
        for which, count in (
            (IssueFilter(2), 0),
            (IssueFilter(1, project="shop"), 3),
            (IssueFilter(1, project="blog"), 0),
            (IssueFilter(1, level="error", states=(0,)), 3),
            (IssueFilter(1, states=(4, 5)), 0),
            (IssueFilter(1, assignee="ann"), 0),
        ):
            assert len(await store.issues(which)) == count

    async def test_lists_of_incidents(self, store: Store) -> None:
        """Newest first, by page and by each filter, with whatever a name holds."""
        push = Change(ChangeKind.PUSH, "shop", START_MS, revision="a" * 40)
        report = Report(1, "blog", 'q"\u2028\\', "k", "t", "error", {})
        opened = [open_for_deploy(1, 1, push, START_MS), *(open_for_report(n, report, (), START_MS) for n in (2, 3))]
        seen = acknowledge(opened[2], START_MS, "ann")
        assert seen is not None
        await store.write_issues(IssueWrites(incidents=[*opened[:2], seen]))
        for which, expected in (
            (IncidentFilter(), [3, 2, 1]),
            (IncidentFilter(2), []),
            (IncidentFilter(1, limit=2), [3, 2]),
            (IncidentFilter(1, below=3), [2, 1]),
            (IncidentFilter(1, project="blog"), [3, 2]),
            (IncidentFilter(1, environment='q"\u2028\\'), [3, 2]),
            (IncidentFilter(1, environment=""), [1]),
            (IncidentFilter(1, kind=IncidentKind.DEPLOY), [1]),
            (IncidentFilter(1, kind=IncidentKind.REPORTED, states=(IncidentState.OPEN,)), [2]),
            (IncidentFilter(1, states=(IncidentState.ACKNOWLEDGED, IncidentState.RESOLVED)), [3, 1]),
        ):
            assert [incident.id for incident in await store.incidents(which)] == expected

    async def test_transitions_and_events(self, store: Store) -> None:
        """Newest first, up to the limit; each issue its own."""
        made = batch("a", "b")
        one, other = (first_of(START_MS + n) for n in (1, 2))
        await store.write_issues(
            writes(made, IssueEvent(one, one, b"{}"), IssueEvent(one + 9, one), IssueEvent(other, other))
        )
        assert await store.transitions(one, 10) == [each for each in made.transitions if each[1].issue_id == one]
        assert await store.issue_events(one, 10) == [one + 9, one]
        assert await store.issue_events(one, 1) == [one + 9]

    async def test_changes_come_back_oldest_first(self, store: Store) -> None:
        """Of one project, since a time, the newest up to the limit; what is too old is forgotten for good."""
        log = [Change(ChangeKind.DEPLOY, "shop", START_MS + n, "prod", key=f"k{n}", quiet=n == 2) for n in range(4)]
        elsewhere = Change(ChangeKind.PUSH, "blog", START_MS, commits=(Commit("a" * 40, START_MS, files=("x.py",)),))
        told = [(10 + n, 1, each) for n, each in enumerate([log[2], log[0], log[3], log[1], elsewhere])]
        await store.write_issues(IssueWrites(changes=told))
        shop, blog = (1, "shop"), (1, "blog")
        assert await store.change_logs([shop], START_MS, 10) == {shop: log}
        assert await store.change_logs([shop, (2, "shop")], START_MS + 1, 2) == {shop: log[2:]}
        assert await store.change_logs([(2, "shop")], 0, 10) == {}
        assert await store.change_logs([blog, shop], 0, 1) == {blog: [elsewhere], shop: log[3:]}
        assert [await store.forget_changes(START_MS + 2, 2) for _ in range(3)] == [2, 1, 0]
        assert await store.change_logs([shop, blog], 0, 10) == {shop: log[2:]}

    async def test_a_merged_issue_goes_on_leading_somewhere(self, store: Store) -> None:
        """By its id and its number, through further merges; it is put aside as it was, and its kept events move."""
        made = batch("a", "b", "c")
        one, two, three = made.issues.values()
        kept = [IssueEvent(each.id, each.id, None, each.key) for each in (one, two, three)]
        await store.write_issues(writes(made, *kept))
        joined, _ = merge(two, [three], START_MS + 9, "ann")
        keys = {(1, "shop", key): two.id for key in joined.keys}
        await store.write_issues(IssueWrites([joined], keys, reshaped=Reshaped(merged=[(three, two.id)])))
        whole, _ = merge(one, [joined], START_MS + 10, "ann")
        keys = {(1, "shop", key): one.id for key in whole.keys}
        await store.write_issues(IssueWrites([whole], keys, reshaped=Reshaped(merged=[(joined, one.id)])))
        assert [i.id for i in await store.issues(IssueFilter(1))] == [one.id]
        for gone in (two, three):
            assert await store.issue(gone.id) is None
            assert await store.merged_into(gone.id) == one.id
            assert await store.issues_numbered(1, ["Shop"], gone.number) == [one.id]
        assert await store.merged_into(one.id) is None
        assert await store.former_issues(one.id) == [joined, three]
        assert await store.issue_events(one.id, 10) == [three.id, two.id, one.id]
        read = Loaded()
        await store.read_issues(Wanted({(1, "shop", "c")}), read)
        assert read.issues == {one.id: whole}

    async def test_what_is_split_off_takes_its_events(self, store: Store) -> None:
        """Those with its grouping keys; what was put aside is an issue again and no alias."""
        made = batch("a", "b")
        one, two = made.issues.values()
        await store.write_issues(writes(made, IssueEvent(one.id, one.id, None, "a"), IssueEvent(two.id, two.id)))
        joined, _ = merge(one, [two], START_MS + 9, "ann")
        keys = {(1, "shop", key): one.id for key in joined.keys}
        await store.write_issues(IssueWrites([joined], keys, reshaped=Reshaped(merged=[(two, one.id)])))
        late = IssueEvent(two.id + 5, one.id, None, "b")
        reshaped = Reshaped(revived=[two.id], moved=[(one.id, two.id, frozenset({"b"}))])
        back = IssueWrites([one, two], {(1, "shop", "b"): two.id}, events=[late])
        await store.write_issues(back)
        await store.write_issues(IssueWrites(reshaped=reshaped))
        assert await store.issue_events(two.id, 10) == [two.id + 5, two.id]
        assert await store.issue_events(one.id, 10) == [one.id]
        assert await store.issue(two.id) == two
        assert await store.merged_into(two.id) is None
        assert await store.former_issues(one.id) == []
        assert await store.issues_numbered(1, ["shop"], 2) == [two.id]

    async def test_what_was_merged_into_what_is_split_off_follows_it(self, store: Store) -> None:
        """Its names lead there, and it is one of those that were merged into it."""
        made = batch("a", "b", "c")
        one, two, three = made.issues.values()
        await store.write_issues(writes(made))
        joined, _ = merge(two, [three], START_MS + 9, "ann")
        await store.write_issues(IssueWrites([joined], reshaped=Reshaped(merged=[(three, two.id)])))
        whole, _ = merge(one, [joined], START_MS + 10, "ann")
        await store.write_issues(IssueWrites([whole], reshaped=Reshaped(merged=[(joined, one.id)])))
        reshaped = Reshaped(revived=[two.id], followed=[(three.id, two.id)])
        await store.write_issues(IssueWrites([one, joined], reshaped=reshaped))
        assert await store.former_issues(one.id) == []
        assert await store.former_issues(two.id) == [three]
        assert (await store.merged_into(three.id), await store.issues_numbered(1, ["shop"], 3)) == (two.id, [two.id])

    async def test_what_is_kept_of_an_issue_goes_with_its_events(
        self, store: Store, make: Maker, clock: StillClock
    ) -> None:
        """Retention leaves the issue, and of its sample what is young."""
        old = await make.stored(store, "old")
        await store.record([make.attempt(old.deliveries[0].id)])
        clock.ms += 1000
        young = await make.stored(store, "young")
        events = (IssueEvent(each.number, 7, b"{}", "a") for each in (old, young))
        await store.write_issues(IssueWrites(events=[*events]))
        assert await store.retain(START_MS + 1000, 10) == 1
        assert await store.issue_events(7, 10) == [young.number]

    async def test_a_closed_store_keeps_nothing(self, store: Store) -> None:
        """After the end nothing is kept, and that is said."""
        await store.close()
        with pytest.raises(StoreUnavailableError):
            await store.write_issues(writes(batch("a")))
