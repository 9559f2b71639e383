"""The detector of spikes: false alarms and delays on simulated traffic with fixed seeds, and the edges of its rules.

The curves at all rates, with many more runs, are those of `python -m benchmarks.spike`.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from alertd.engine.issues import spike
from alertd.engine.issues.spike import LATE_SLOTS, Signal, accept, join, observe, settle
from alertd.model.traffic import SLOT_MS, UNKNOWN, Traffic, decode_traffic, encode_traffic
from benchmarks.spike import FAST_LIMIT, OFFICE, SINE, SLOW_LIMIT, STEADY, Shape, alarms, delay
from tests.cost import cpu_seconds
from tests.unit.engine.issues.errors import DAY, HOUR, MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

WEEK_MINUTES = 7 * 1440


def fresh(at_ms: int = NOW) -> Traffic:
    """Begin the memory of an issue."""
    return Traffic(at_ms // SLOT_MS)


def feed(traffic: Traffic, begin_ms: int, span_ms: int, every_ms: int, count: int = 1) -> list[Signal]:
    """Have events come evenly; return what changed."""
    signals = (observe(traffic, at, count) for at in range(begin_ms, begin_ms + span_ms, every_ms))
    return [signal for signal in signals if signal is not Signal.NONE]


def used(rate: float = 4.0, hours: int = 4) -> Traffic:
    """Have a memory of some hours of a steady rate."""
    traffic = fresh(NOW - hours * HOUR)
    assert feed(traffic, NOW - hours * HOUR, hours * HOUR, round(MINUTE / rate)) == []
    return traffic


@pytest.mark.parametrize("shape", [STEADY, SINE], ids=lambda shape: shape.name)
@pytest.mark.parametrize("rate", [0.1, 0.5, 1, 2, 3, 4, 5, 7])
def test_steady_traffic_and_a_daily_rhythm_are_no_spike(rate: float, shape: Shape) -> None:
    """Four months at each rate: no more than one false alarm a month on the average of both, most have none."""
    months = 4 if rate <= 1 else 1
    assert sum(len(alarms(rate, shape, seed)) for seed in range(months)) <= months / 2 + 0.5


@pytest.mark.parametrize("rate", [30, 100, 1000])
def test_busy_traffic_is_no_spike(rate: float) -> None:
    """Events that come second by second in lumps, at a high rate for a day: none."""
    assert alarms(rate, STEADY, 1, minutes=1440) == []


@pytest.mark.parametrize("rate", [0.3, 1, 4])
def test_a_rhythm_of_office_hours_is_learnt(rate: float) -> None:
    """Nine times the rate within an hour is a spike on the first day, for nobody could know; soon it is none."""
    found = alarms(rate, OFFICE, 1, minutes=2 * WEEK_MINUTES)
    assert 1 <= len(found) <= 3
    assert sum(minute > 3 * 1440 for minute in found) <= 1


@pytest.mark.parametrize(
    ("rate", "limit", "least"),
    [
        (0.7, SLOW_LIMIT, 0.85),
        (1, SLOW_LIMIT, 0.95),
        (2, SLOW_LIMIT, 0.98),
        (3, SLOW_LIMIT, 0.98),
        (4, FAST_LIMIT, 0.92),
        (5, FAST_LIMIT, 0.95),
        (7, FAST_LIMIT, 0.98),
        (20, FAST_LIMIT, 0.98),
    ],
)
def test_a_step_of_five_is_seen_in_time(rate: float, limit: float, least: float) -> None:
    """Within two minutes where it becomes 20 a minute, within ten below, in so many of a hundred runs at least."""
    runs = 100 if rate < 20 else 20
    found = [delay(rate, seed, warm=360) for seed in range(runs)]
    assert sum(each <= limit for each in found) / runs >= least


def test_a_new_issue_is_no_spike() -> None:
    """Cold start: whatever comes in the first quarter of an hour is how much it is."""
    traffic = fresh()
    assert feed(traffic, NOW, 14 * MINUTE, 100) == []
    assert traffic.threshold == 0


def test_nine_events_are_no_spike() -> None:
    """So few are none however rare the issue was; the tenth makes it one."""
    traffic = used(rate=0.05, hours=24)
    signals = [observe(traffic, NOW + second * SECOND) for second in range(0, 200, 20)]
    assert signals.index(Signal.BEGAN) == spike.LEAST_EVENTS - 1


def test_a_single_burst_is_no_spike() -> None:
    """A hundred thousand in one slot are a burst; when it goes on into a third slot it is a spike."""
    traffic = used()
    assert observe(traffic, NOW + SLOT_MS, 100_000) is Signal.NONE
    assert observe(traffic, NOW + 2 * SLOT_MS, 100_000) is Signal.NONE
    assert observe(traffic, NOW + 3 * SLOT_MS, 100_000) is Signal.BEGAN
    traffic = used()
    assert observe(traffic, NOW + SLOT_MS, 100_000) is Signal.NONE
    assert feed(traffic, NOW + MINUTE, 4 * HOUR, 15 * SECOND) == []


def test_twice_the_rate_is_no_spike() -> None:
    """What lasts at less than 2.16 times the usual becomes the usual."""
    traffic = used()
    assert feed(traffic, NOW, DAY, MINUTE // 7) == []
    assert traffic.base_count / traffic.base_span == pytest.approx(7.5, rel=0.1)


def test_it_begins_once_and_ends_once() -> None:
    """One signal at the beginning, none while it lasts, one at the end: and not before it is really quieter."""
    traffic = used()
    assert feed(traffic, NOW, 2 * HOUR, 3 * SECOND) == [Signal.BEGAN]
    assert traffic.factor == pytest.approx(5, rel=0.2)
    assert feed(traffic, NOW + 2 * HOUR, HOUR, MINUTE // 8) == []
    assert feed(traffic, NOW + 3 * HOUR, HOUR, 15 * SECOND) == [Signal.ENDED]
    assert traffic.factor == 1


def test_the_baseline_is_not_taught_by_the_incident() -> None:
    """After two hours of five times the rate, the usual is what it was, and the next step is seen as quickly."""
    traffic = used()
    before = traffic.base_count / traffic.base_span
    feed(traffic, NOW, 2 * HOUR, 3 * SECOND)
    feed(traffic, NOW + 2 * HOUR, HOUR, 15 * SECOND)
    assert traffic.base_count / traffic.base_span == pytest.approx(before, rel=0.05)
    again = NOW + 3 * HOUR
    first = next(at for at in range(again, again + HOUR, 3 * SECOND) if observe(traffic, at) is Signal.BEGAN)
    assert first - again <= 2 * MINUTE


def test_what_lasts_is_the_new_usual() -> None:
    """After six hours a spike is over, and what it was is expected."""
    traffic = used()
    signals = feed(traffic, NOW, 12 * HOUR, 3 * SECOND)
    assert signals == [Signal.BEGAN, Signal.ENDED]
    assert traffic.expected == pytest.approx(20, rel=0.2)


def test_silence_is_not_quiet_traffic() -> None:
    """Nothing for six hours (an outage, ours or theirs), and then as before: no spike."""
    traffic = used()
    assert feed(traffic, NOW + 6 * HOUR, 4 * HOUR, 15 * SECOND) == []


def test_late_events_say_nothing() -> None:
    """A thousand events of ten minutes ago, from a device that was offline, are no spike now."""
    traffic = used()
    observe(traffic, NOW)
    before = traffic.copy()
    for number in range(1000):
        assert observe(traffic, NOW - 10 * MINUTE + number) is Signal.NONE
    assert traffic == before


@pytest.mark.parametrize("late", [0, 90 * SECOND, LATE_SLOTS * SLOT_MS])
def test_a_spike_of_which_most_comes_late(late: int) -> None:
    """Four of five events come minutes late, as from browsers, or hosts whose clocks differ: a step is seen all the same."""
    traffic = Traffic(NOW // SLOT_MS, 0.0)
    for at_ms in range(NOW, NOW + 4 * HOUR, 12 * SECOND):
        observe(traffic, at_ms - (0 if at_ms // (12 * SECOND) % 5 == 0 else late))
    begun = NOW + 4 * HOUR
    told = [
        at_ms - begun
        for at_ms in range(begun, begun + 5 * MINUTE, 2400)
        if observe(traffic, at_ms - (0 if at_ms // 2400 % 5 == 0 else late)) is Signal.BEGAN
    ]
    assert len(told) == 1
    assert told[0] <= 2 * MINUTE


def test_a_spike_that_somebody_knows_of_is_the_usual() -> None:
    """Whoever waits for another one hears of what is far beyond it, and of nothing less."""
    traffic = used()
    assert feed(traffic, NOW, 10 * MINUTE, 2 * SECOND) == [Signal.BEGAN]
    accept(traffic)
    assert traffic.expected == pytest.approx(30, rel=0.25)
    assert feed(traffic, NOW + 10 * MINUTE, 20 * MINUTE, 2 * SECOND) == []
    assert feed(traffic, NOW + 30 * MINUTE, 5 * MINUTE, SECOND // 5) == [Signal.BEGAN]
    before = used()
    after = before.copy()
    accept(after)
    assert after == before


def test_quietly_puts_it_off_to_the_next_event() -> None:
    """What may not be told with this event is told with the next."""
    traffic = used()
    quiet = [observe(traffic, NOW + second * SECOND, quietly=True) for second in range(120)]
    assert set(quiet) == {Signal.NONE}
    assert observe(traffic, NOW + 121 * SECOND) is Signal.BEGAN


def test_it_ends_by_quiet_alone() -> None:
    """Time ends it without an event."""
    traffic = used()
    feed(traffic, NOW, 10 * MINUTE, 3 * SECOND)
    assert settle(traffic, NOW + 10 * MINUTE) is Signal.NONE
    assert settle(traffic, NOW + 2 * HOUR) is Signal.ENDED
    assert settle(traffic, NOW + 3 * HOUR) is Signal.NONE


def test_two_issues_that_are_one_expect_both_rates() -> None:
    """After a merge the usual is the sum."""
    one, other = used(4, hours=24), used(6, hours=24)
    join(one, other)
    assert one.base_count / one.base_span == pytest.approx(10, rel=0.1)
    assert feed(one, NOW + MINUTE, HOUR, 6 * SECOND) == []


def timeline() -> Iterable[tuple[int, int]]:
    """Three days of events: steady, a spike, quiet, gaps."""
    dice = random.Random(7)  # noqa: S311 - a simulation
    at = NOW
    while at < NOW + 3 * DAY:
        busy = (at - NOW) % DAY > 20 * HOUR
        at += round(dice.expovariate(20 if busy else 3) * MINUTE) + (8 * HOUR if dice.random() < 0.0005 else 0)
        yield at, dice.choice([1, 1, 1, 2])


def test_a_restart_changes_nothing() -> None:
    """Read back from its stored form after every event, it says the same at the same moments, and is equal."""
    running, restarting = fresh(), fresh()
    for at, count in timeline():
        restarting = decode_traffic(encode_traffic(restarting))
        assert observe(running, at, count) is observe(restarting, at, count)
    assert running == restarting
    assert running.rates is not None


def test_its_memory_is_bounded() -> None:
    """However long it goes on, it takes 329 bytes to store, and a gap of a year costs less than a millisecond."""
    traffic = fresh()
    for at, count in timeline():
        observe(traffic, at, count)
        assert len(encode_traffic(traffic)) in (137, 329)
    years = itertools.count(1)
    assert cpu_seconds(lambda: observe(traffic, NOW + next(years) * 365 * DAY)) < 0.001


def test_the_hours_are_learnt_where_they_were() -> None:
    """Each hour of the day has the rate that it had, in UTC; an hour that was not seen is unknown."""
    traffic = fresh()
    feed(traffic, NOW, 3 * HOUR + MINUTE, 15 * SECOND)
    feed(traffic, NOW + 3 * HOUR + MINUTE, 2 * HOUR, 10 * SECOND)
    assert traffic.rates is not None
    assert list(traffic.rates[8:12]) == pytest.approx([4, 4, 4, 6], abs=0.2)
    assert set(traffic.rates[:8]) | set(traffic.rates[13:24]) == {UNKNOWN}


def test_weighing_an_event_is_cheap() -> None:
    """Its cost does not grow with what was seen: below 20 microseconds on any machine, measured over a spike."""
    traffic = used(rate=60, hours=4)
    moments = itertools.count(NOW, 100)

    def weigh() -> None:
        for at in itertools.islice(moments, 10_000):
            observe(traffic, at)

    assert cpu_seconds(weigh) / 10_000 < 20e-6
