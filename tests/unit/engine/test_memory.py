"""The engine's memory: bounded, with what ends forgotten; and the timetable of what time alone moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alertd.engine.memory import DUE_MAX, EngineMemory, Overlay
from alertd.engine.metric import LATE_MS
from alertd.engine.state import Changes, Count, RuleKey, Series
from alertd.engine.timetable import Timetable
from tests.unit.engine.timeline import START_MS, Timeline


def key(number: int) -> RuleKey:
    """Make a key."""
    return (1, "p", "e", f"k{number}")


def test_beyond_the_bound_the_longest_untouched_goes() -> None:
    """At the bound all is kept; what was touched again stays; what went early is counted."""
    memory = EngineMemory(keys_max=3)
    memory.absorb({key(n): 1 for n in range(3)}, Changes())
    memory.absorb({key(0): 2}, Changes())
    assert memory.evicted == 0
    memory.absorb({key(3): 1}, Changes({key(n): Count(1, 9) for n in range(5)}))
    assert list(memory.cooldowns) == [key(2), key(0), key(3)]
    assert list(memory.counts) == [key(2), key(3), key(4)]
    assert memory.evicted == 3


def test_what_is_over_is_forgotten() -> None:
    """Cooldowns and counts at their end; a series that is good when no late value can touch it; one that is not, never."""
    memory = EngineMemory()
    now = START_MS
    series = {
        key(n): Series(1.0, seen, seen, since)
        for n, (seen, since) in enumerate([(now - LATE_MS, None), (now, None), (0, 0)])
    }
    memory.load({key(0): now, key(1): now + 1}, {key(0): Count(1, now), key(1): Count(1, now + 1)}, series, now)
    assert sum(memory.forget(now)) == 3
    assert (list(memory.cooldowns), list(memory.counts), list(memory.series)) == ([key(1)], [key(1)], [key(1), key(2)])


def test_what_begins_anew_while_it_is_forgotten_stays() -> None:
    """Forgetting goes in steps, and others have their turn in between."""
    memory = EngineMemory()
    memory.load({key(n): START_MS for n in range(20_000)}, {}, {}, START_MS)
    steps = memory.forget(START_MS)
    assert next(steps) == 10_000
    memory.cooldowns[key(15_000)] = START_MS + 1
    assert sum(steps) == 9_999
    assert list(memory.cooldowns) == [key(15_000)]


def test_what_was_due_stays_due_until_it_is_stored() -> None:
    """A batch that could not be written is planned again."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 60}
    line = Timeline(metric_alerts=[rule])
    line.event("m", data={"cpu": 99})
    line.set_clock(60)
    lost, kept = Overlay(), Overlay()
    assert len(line.memory.due(line.now_ms, lost)) == 1
    (again,) = line.memory.due(line.now_ms, kept)
    assert again.event.type == "app_alert_triggered"
    line.memory.absorb(kept.cooldowns, kept.changes)
    assert line.memory.due(line.now_ms, Overlay()) == []


def test_very_much_that_is_due_at_once_comes_in_parts() -> None:
    """A batch moves a bounded number of series by time, and the next one goes on."""
    rule = {"name": "cpu", "types": ["m"], "field": "data.cpu", "when": "above", "limit": 90, "for_seconds": 60}
    line = Timeline(metric_alerts=[rule])
    line.batch([{"type": "m", "key": f"k{n}", "data": {"cpu": 99}} for n in range(DUE_MAX + 7)])
    line.set_clock(60)
    assert [len(line.tick()) for _ in range(3)] == [DUE_MAX, 7, 0]


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20)), max_size=60), st.integers(0, 20))
def test_a_timetable_is_a_sorted_dictionary(written: list[tuple[int, int | None]], now: int) -> None:
    """Whatever is put, moved and taken out, the first is told and what is due comes in order."""
    table, known = Timetable(), {}
    for number, at in written:
        table.put(key(number), at)
        known.pop(key(number), None)
        if at is not None:
            known[key(number)] = at
    assert table.next() == min(known.values(), default=None)
    expected = sorted((at, each) for each, at in known.items() if at <= now)
    assert [(known[each], each) for each in table.due(now, 100)] == expected
    assert table.due(now, 2) == [each for _, each in expected[:2]]
    assert len(table) == len(known)


def test_a_timetable_that_is_always_moved_stays_small() -> None:
    """Dead entries are swept out."""
    table = Timetable()
    for n in range(100_000):
        table.put(key(n % 10), n)
    assert len(table._heap) < 3000
    assert table.next() == 99_990
