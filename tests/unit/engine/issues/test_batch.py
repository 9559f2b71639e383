"""A batch of issues: what the events of one commit make of them, and that it can be planned again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alertd.engine.issues.admission import OVERFLOW_KEY, OVERFLOW_TITLE, PROJECTS_MAX, WHOLE, WHOLE_TIMES
from alertd.engine.issues.batch import IssueBatch, IssueRules, Loaded, Wanted
from alertd.engine.issues.incidents import IncidentRule, resolve
from alertd.engine.issues.sample import is_kept
from alertd.engine.issues.stored import decode_issue, encode_issue
from alertd.engine.issues.working_set import WorkingSet
from alertd.model.change import Change, ChangeKind, Commit
from alertd.model.ledger import Ledger
from tests.unit.engine.issues.errors import HOUR, MINUTE, NOW, event, frame

if TYPE_CHECKING:
    from alertd.engine.issues.batch import Weighed
    from alertd.model.event import Event


def plain() -> Event:
    """Make an event that bears no issue."""
    made = event()
    made.body["data"] = {"run_id": 17}
    return made


def weigh(batch: IssueBatch, made: Event, number: int, now_ms: int = NOW) -> Weighed:
    """Weigh an event that bears an issue."""
    found = batch.weigh(made, 1, number, now_ms)
    assert found is not None
    return found


def test_an_event_without_an_issue_is_left_alone() -> None:
    """Nothing is weighed, nothing is touched."""
    batch = IssueBatch(Loaded())
    assert batch.weigh(plain(), 1, 100, NOW) is None
    empty = event()
    del empty.body["data"]
    assert batch.weigh(empty, 1, 100, NOW) is None
    odd = event(level="terrible")
    assert batch.weigh(odd, 1, 100, NOW) is None
    assert (batch.issues, batch.ledgers) == ({}, {})


def test_events_of_one_batch_see_each_other() -> None:
    """The first begins the issue, with the event's number as its own; the second counts; one ledger numbers them."""
    batch = IssueBatch(Loaded())
    first = weigh(batch, event(1), 100)
    second = weigh(batch, event(2), 101)
    other = weigh(batch, event(3, key="1:b"), 102)
    assert first.transition is not None
    assert (first.transition.change.trigger, second.transition, other.issue.short_id) == ("new", None, "SHOP-2")
    assert (second.issue.id, second.issue.count) == (100, 2)
    assert batch.keys == {(1, "shop", "1:a"): 100, (1, "shop", "1:b"): 102}
    assert [(number, told.issue_id) for number, told in batch.transitions] == [(100, 100), (102, 102)]


def test_a_batch_that_was_not_stored_leaves_no_trace() -> None:
    """What it has changed is wanted again, and planning again tells the same; what it has not changed is still there."""
    memory = WorkingSet()
    batch = memory.begin(Loaded())
    for number, key in enumerate(("1:a", "1:b"), 100):
        weigh(batch, event(1, key=key), number)
    memory.keep(batch)
    kept = encode_issue(batch.issues[100])
    stored = Loaded(asked=Wanted({(1, "shop", "1:a")}), keys={(1, "shop", "1:a"): 100})
    for _ in range(2):
        stored.issues[100] = decode_issue(kept)
        again = memory.begin(stored)
        assert weigh(again, event(2, release="shop@9"), 201).issue.count == 2
        assert weigh(again, event(3, key="1:c"), 202).issue.short_id == "SHOP-3"
        assert [told.change.word for _, told in again.transitions] == ["new"]
        memory.discard(again)
        assert memory.wanted([(1, event(4, key=key)) for key in ("1:a", "1:b")], Loaded()).keys == {
            (1, "shop", "1:a"),
            (1, "shop", OVERFLOW_KEY),
        }


def test_an_incident_is_opened_once() -> None:
    """A new issue in production opens one, with suspects of the project's log; what follows is noted in it."""
    commit = Commit("abc1234", NOW - HOUR, "Ann", "Tune", ("shop/cart.py",), 1)
    log = [Change(ChangeKind.PUSH, "shop", NOW - HOUR, commits=(commit,))]
    memory = WorkingSet()
    batch = memory.begin(Loaded(logs={(1, "shop"): log}))
    made = event(1)
    made.body["data"]["exception"]["values"][0]["stacktrace"] = {"frames": [frame("total", "/app/shop/cart.py")]}
    first = weigh(batch, made, 100)
    assert first.incident is not None
    assert first.issue.incident_id == first.incident.id == 100
    assert first.incident.suspects[0].commit_id == "abc1234"
    memory.keep(batch)

    later = memory.begin(Loaded(incidents=dict(batch.incidents)))
    for number in range(60):
        weigh(later, event(2 + number, NOW + number * 2 * MINUTE), 200 + number, NOW + number * 2 * MINUTE)
    spiking = [
        weigh(later, event(99 + n, NOW + 2 * HOUR + n * 3000), 300 + n, NOW + 2 * HOUR + n * 3000) for n in range(60)
    ]
    told = [found for found in spiking if found.transition is not None]
    assert [found.incident for found in told] == [None]
    assert [moment.what for moment in later.incidents[100].timeline] == ["opened", "spike"]

    over = resolve(later.incidents[100], NOW + 3 * HOUR, "ann")
    assert over is not None
    memory.keep(later)
    everywhere = IssueRules(incidents=lambda _workspace_id: IncidentRule(new=frozenset()))
    third = memory.begin(Loaded(incidents={100: over}), everywhere)
    assert weigh(third, event(900, key="1:b"), 900).incident is not None


def test_a_new_issue_elsewhere_opens_none() -> None:
    """Staging is not production."""
    assert weigh(IssueBatch(Loaded()), event(1, environment="staging"), 100).incident is None


def test_a_flood_of_different_errors_is_one_issue() -> None:
    """Beyond the allowance they are the overflow's: told once, counted, visible; known issues go on; in time more begin."""
    batch = IssueBatch(Loaded(), IssueRules(issues_per_hour=10))
    found = [weigh(batch, event(number, key=f"1:{number}"), 100 + number) for number in range(1000)]
    assert len(batch.issues) == 11
    assert [each.is_overflow for each in found].count(True) == batch.overflowed == 990
    overflow = batch.issues[batch.keys[1, "shop", OVERFLOW_KEY]]
    assert (overflow.count, overflow.title) == (990, OVERFLOW_TITLE)
    assert len(batch.transitions) == 11
    assert weigh(batch, event(2000, key="1:3"), 2000).issue.count == 2
    later = NOW + HOUR // 10
    assert not weigh(batch, event(3000, key="1:3000"), 3000, later).is_overflow
    assert weigh(batch, event(3001, key="1:3001"), 3001, later).is_overflow
    assert not weigh(batch, event(3002, key="1:3001", project="stock"), 3002, later).is_overflow


def test_a_sample_of_events_is_kept() -> None:
    """All of the first hundred, then fewer and fewer; what changes the issue always."""
    assert all(is_kept(count) for count in range(1, 101))
    assert sum(is_kept(count) for count in range(1, 1_000_001)) == 100 + 4 * 90
    batch = IssueBatch(Loaded())
    kept = [weigh(batch, event(number), 100 + number).is_kept for number in range(205)]
    assert kept.count(True) == 110


def test_a_workspace_has_an_allowance_as_a_whole() -> None:
    """Beyond it many projects together begin no more; a project that begins few issues is still told of them."""
    batch = IssueBatch(Loaded(), IssueRules(issues_per_hour=100))
    for number in range(WHOLE_TIMES * 100):
        assert not weigh(batch, event(number, key=f"1:{number}", project=f"p{number % 10}"), 100 + number).is_overflow
    few = [weigh(batch, event(n, key=f"1:{n}", project="quiet"), 1_000 + n).is_overflow for n in range(20)]
    assert few.count(False) == 9
    assert not any(few[:9])
    flood = [weigh(batch, event(n, key=f"2:{n}", project="p1"), 2_000 + n).is_overflow for n in range(20)]
    assert flood.count(False) <= 5
    assert weigh(batch, event(1, key="1:1", project="p1"), 3_000).issue.count == 2
    elsewhere = batch.weigh(event(1), 2, 4_000, NOW)
    assert elsewhere is not None
    assert not elsewhere.is_overflow


def test_made_up_projects_are_bounded() -> None:
    """At the bound of projects every one has its issues; the errors of one more are counted by one issue of no project."""
    whole = Ledger(1, WHOLE, next_number=PROJECTS_MAX)
    loaded = Loaded(ledgers={(1, WHOLE): whole, (1, "known"): Ledger(1, "known")})
    batch = IssueBatch(loaded)
    assert weigh(batch, event(1, project="last"), 100).issue.short_id == "LAST-1"
    beyond = [weigh(batch, event(n, key=f"1:{n}", project=f"new-{n}"), 200 + n) for n in range(50)]
    assert {each.issue.short_id for each in beyond} == {"ISSUE-1"}
    assert all(each.is_overflow for each in beyond)
    assert (beyond[-1].issue.count, batch.overflowed) == (50, 50)
    for project in ("last", "known", ""):
        assert not weigh(batch, event(99, key="1:z", project=project), 300).is_overflow
    assert {project for _, project in batch.ledgers} == {WHOLE, "last", "known", ""}
    assert [each for each in beyond if each.transition is not None] == beyond[:1]


def test_a_ledger_is_written_only_where_it_changed() -> None:
    """The first event of an issue takes a number, a further one changes no ledger, a new release does."""
    memory = WorkingSet()
    for number, release, written in ((1, "1.0", {"shop", WHOLE}), (2, "1.0", set()), (3, "1.1", {"shop"})):
        batch = memory.begin(Loaded())
        weigh(batch, event(number, release=release), number << 20)
        assert {project for _, project in batch.changed_ledgers()} == written
        memory.keep(batch)
        assert not memory.begin(Loaded()).changed_ledgers()
