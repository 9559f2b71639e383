"""The working set: bounded, a saving and never the truth, and it says what it has yet to read."""

from __future__ import annotations

import tracemalloc

from alertd.engine.issues.admission import NO_PROJECT, OVERFLOW_KEY, WHOLE
from alertd.engine.issues.batch import IssueRules, Loaded, Wanted
from alertd.engine.issues.merging import merge
from alertd.engine.issues.working_set import LEDGERS_MAX, WorkingSet
from tests.unit.engine.issues.errors import NOW, event

ALL = IssueRules(issues_per_hour=10**9)
MEMORY_BYTES_PER_ISSUE = 3_000


def fill(memory: WorkingSet, numbers: range, project: str = "shop") -> None:
    """Weigh and keep a batch of one event for each of some issues."""
    batch = memory.begin(Loaded(), ALL)
    for number in numbers:
        batch.weigh(event(number, key=f"1:{number}", project=project, user={"id": "x"}), 1, number, NOW)
    memory.keep(batch)


def test_it_wants_what_it_does_not_have() -> None:
    """The key and the ledger of an error, the overflow of its project and of those beyond the bound; nothing twice."""
    memory = WorkingSet()
    events = [(1, event(1)), (1, event(2))]
    wanted = memory.wanted(events, Loaded())
    overflows = {(1, project, OVERFLOW_KEY) for project in ("shop", NO_PROJECT)}
    assert wanted == Wanted({(1, "shop", "1:a"), *overflows}, {(1, "shop"), (1, NO_PROJECT), (1, WHOLE)})
    assert not memory.wanted(events, Loaded(asked=wanted))
    assert not memory.wanted([], Loaded())
    batch = memory.begin(Loaded(asked=wanted))
    batch.weigh(event(1), 1, 100, NOW)
    memory.keep(batch)
    assert not memory.wanted(events, Loaded())


def test_it_finds_what_it_kept_and_what_was_read() -> None:
    """A batch continues either; what is in memory is the newer."""
    memory, other = WorkingSet(), WorkingSet()
    fill(memory, range(100, 101))
    read = Loaded(issues={100: memory._issues[100].copy()}, keys={(1, "shop", "1:100"): 100})
    read.issues[100].count = 2
    for place in (memory, other):
        batch = place.begin(read)
        found = batch.weigh(event(2, key="1:100"), 1, 501, NOW)
        assert found is not None
        assert (found.issue.id, found.transition) == (100, None)
        assert found.issue.count == (2 if place is memory else 3)


def test_it_is_bounded() -> None:
    """At the bound it holds as many as that, one more puts the one out that was not needed longest, and is counted."""
    memory = WorkingSet(100)
    fill(memory, range(100))
    assert (len(memory), memory.evicted) == (100, 0)
    fill(memory, range(1))
    fill(memory, range(100, 101))
    assert (len(memory), memory.evicted) == (100, 1)
    assert not memory.wanted([(1, event(1, key="1:0"))], Loaded())
    assert memory.wanted([(1, event(1, key="1:1"))], Loaded())
    assert len(memory._keys) == 100


def test_its_ledgers_are_bounded() -> None:
    """However many projects there are."""
    memory = WorkingSet(10)
    for number in range(LEDGERS_MAX + 10):
        fill(memory, range(number, number + 1), f"p{number}")
    assert len(memory._ledgers) == LEDGERS_MAX


def test_what_was_changed_by_another_way_is_replaced_or_forgotten() -> None:
    """A merged issue answers to all its keys, one that is no more to none."""
    memory = WorkingSet()
    fill(memory, range(2))
    one, other = (memory._issues[number] for number in range(2))
    merged, _ = merge(one, [other], NOW, "ann")
    memory.replace(merged)
    memory.forget(other.id)
    batch = memory.begin(Loaded())
    for key in ("1:0", "1:1"):
        found = batch.weigh(event(9, key=key), 1, 900, NOW)
        assert found is not None
        assert found.issue.id == one.id
    memory.forget(one.id)
    assert (len(memory), memory._keys) == (0, {})
    memory.forget(one.id)


def test_a_flood_costs_bounded_memory() -> None:
    """Ten times as many different errors as it may hold take no more than the bound, and each issue less than 3 kB."""
    memory = WorkingSet(2_000)
    fill(memory, range(2_000))
    tracemalloc.start()
    try:
        for begin in range(0, 20_000, 500):
            fill(memory, range(100_000 + begin, 100_500 + begin))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(memory) == 2_000
    assert held / 2_000 < MEMORY_BYTES_PER_ISSUE
    assert memory.evicted == 20_000
