"""What a throttle makes of refusals and successes, at its bounds."""

from __future__ import annotations

from itertools import pairwise

import pytest

from alertd.delivery.throttle import (
    DOUBLING_SECONDS,
    FIRST_PROBE_SECONDS,
    FREE_DELIVERIES,
    GROWTH,
    HEADROOM,
    LONGEST_PROBE_SECONDS,
    LONGEST_SECONDS,
    QUIET_SECONDS,
    SHORTEST_SECONDS,
    SLOWER_MOST,
    Throttle,
)


def refused(*, now: float = 100.0, asked: float = 0.0) -> Throttle:
    """Make one that has seen its first refusal, of an attempt that took a moment."""
    made = Throttle(now)
    made.refused(now, 0.01, asked)
    return made


def attempt(throttle: Throttle, now: float) -> float:
    """Begin as soon as it allows; return when that was."""
    at = now + throttle.wait_seconds(now)
    assert throttle.wait_seconds(at) == pytest.approx(0, abs=1e-9)
    throttle.begin()
    return at


def cycles(throttle: Throttle, now: float, *, takes: int, rest: float, count: int) -> float:
    """Let a receiver take so many and then nothing for so long, so many times; return when it was."""
    for _ in range(count):
        for _ in range(takes):
            now = attempt(throttle, now)
            throttle.taken(now, 0.0)
        open_at = now + rest
        while (now := attempt(throttle, now)) < open_at:
            throttle.refused(now, 0.0, 0.0)
    return now


def test_probes_are_twice_as_far_apart_each_time() -> None:
    """So a receiver is found whose limit is of another order, and one that is down is left alone."""
    throttle, now, begun = refused(), 100.0, [100.0]
    for _ in range(14):
        now = attempt(throttle, now)
        begun.append(now)
        throttle.refused(now, 0.0, 0.0)
    apart = [later - earlier for earlier, later in pairwise(begun)]
    assert apart[:4] == pytest.approx([FIRST_PROBE_SECONDS * 2**n for n in range(4)])
    assert apart[-3:] == pytest.approx([LONGEST_PROBE_SECONDS] * 3)


def test_what_had_begun_before_the_first_refusal_says_nothing_new() -> None:
    """Four at once are refused together: one lesson. A success among them does not end it."""
    throttle = refused()
    for later in (0.0, 0.001, 0.002):
        throttle.refused(100 + later, 0.02, 0.0)
    throttle.taken(100.003, 0.02)
    assert throttle.wait_seconds(100.003) == pytest.approx(FIRST_PROBE_SECONDS - 0.003)
    assert throttle.per_second == pytest.approx(1 / FIRST_PROBE_SECONDS)


def test_only_one_probe_is_under_way() -> None:
    """The next one may begin when this one has had its time."""
    throttle = refused()
    at = attempt(throttle, 100.0)
    assert throttle.wait_seconds(at + 0.01) > 0


def test_a_cycle_is_the_pace() -> None:
    """Twenty, and after ten seconds it takes something again: nine tenths of two a second, and the first step beyond it."""
    throttle = refused()
    now = attempt(throttle, 100.0)
    for _ in range(20):
        throttle.taken(now, 0.0)
    throttle.refused(now, 0.0, 0.0)
    throttle.taken(now + 10, 0.0)
    assert throttle.seconds * (1 + GROWTH / 3) == pytest.approx(0.5 / HEADROOM)


@pytest.mark.parametrize("taken", [1, 8, 9, 20])
def test_a_long_silence_after_a_few_is_no_pace(taken: int) -> None:
    """Eight times slower at most, or as many times as there were deliveries."""
    throttle = refused()
    now = attempt(throttle, 100.0)
    for _ in range(taken):
        throttle.taken(now, 0.0)
    throttle.refused(now, 0.0, 0.0)
    throttle.taken(now + 100_000, 0.0)
    slowest = FIRST_PROBE_SECONDS * max(SLOWER_MOST, taken)
    assert throttle.seconds * 2 >= slowest / 1.5  # one step of growth is in it
    assert throttle.seconds <= slowest


def test_no_pace_is_much_slower_than_the_receiver_asked_for() -> None:
    """Who may come again in a second is not left alone for a minute because others were faster."""
    throttle = refused(asked=1.0)
    cycles(throttle, 100.0, takes=1, rest=300.0, count=6)
    throttle.taken(10_000.0, 0.0)
    assert throttle.seconds <= SLOWER_MOST * 1.0
    free = refused()
    cycles(free, 100.0, takes=1, rest=300.0, count=6)
    free.taken(10_000.0, 0.0)
    assert free.seconds > 2 * SLOWER_MOST


def test_no_pace_is_slower_than_the_slowest() -> None:
    """Whatever was measured."""
    throttle = refused()
    cycles(throttle, 100.0, takes=1, rest=5000.0, count=9)
    throttle.taken(100_000.0, 0.0)
    assert LONGEST_SECONDS / 2 < throttle.seconds <= LONGEST_SECONDS


def test_a_pace_grows_until_it_is_none() -> None:
    """Doubled at each success at first, until it is as fast as anybody is."""
    throttle = refused()
    now = attempt(throttle, 100.0)
    throttle.taken(now, 0.0)
    assert throttle.seconds == pytest.approx(FIRST_PROBE_SECONDS / 2)
    for _ in range(FREE_DELIVERIES - 2):
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
        assert not throttle.is_over(now)
    assert throttle.seconds == SHORTEST_SECONDS
    throttle.taken(now, 0.0)
    assert throttle.is_over(now)
    assert now < 100.0 + 1.0


def test_a_pace_that_was_none_for_a_minute_is_forgotten() -> None:
    """Also by a lane that had little to send."""
    throttle = refused()
    begun = now = attempt(throttle, 100.0)
    for _ in range(20):
        throttle.taken(now, 0.0)
        now = attempt(throttle, now)
    assert throttle.seconds == SHORTEST_SECONDS
    assert not throttle.is_over(begun + QUIET_SECONDS)
    assert throttle.is_over(begun + QUIET_SECONDS + 0.5)


def doubled(throttle: Throttle, now: float) -> float:
    """Send until the pace has doubled since the cycle that begins now; return when."""
    throttle.taken(now, 0.0)
    before = throttle.seconds
    while throttle.seconds > before / 2:
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
    return now


def test_a_found_pace_grows_slowly_and_more_slowly_when_it_is_confirmed() -> None:
    """It doubles in two minutes; in four when it came out again; in two after anything else."""
    throttle = refused()
    now = cycles(throttle, 100.0, takes=30, rest=30.0, count=3)
    for doubling, silence in ((DOUBLING_SECONDS, 30.0), (2 * DOUBLING_SECONDS, 4000.0), (DOUBLING_SECONDS, 0.0)):
        end = doubled(throttle, now)
        assert end - now == pytest.approx(doubling, rel=0.12)
        throttle.refused(end, 0.0, 0.0)
        throttle.wait_seconds(end + silence)
        throttle.begin()
        now = end + silence


def test_a_lane_with_little_to_do_learns_no_pace_from_it() -> None:
    """One success a minute is what there was to send, not what the receiver takes."""
    throttle = refused()
    now = attempt(throttle, 100.0)
    throttle.taken(now, 0.0)
    learnt = throttle.seconds
    for _ in range(10):
        now = attempt(throttle, now + QUIET_SECONDS)
        throttle.taken(now, 0.0)
        assert throttle.seconds == learnt
    throttle.refused(now, 0.0, 0.0)
    now = attempt(throttle, now)
    throttle.taken(now, 0.0)
    assert throttle.seconds <= learnt


def test_a_quiet_lane_forgets() -> None:
    """After a minute beyond two turns, not before."""
    throttle = refused()
    now = attempt(throttle, 100.0)
    throttle.taken(now, 0.0)
    quiet = QUIET_SECONDS + 2 * throttle.seconds
    assert not throttle.is_over(now + quiet)
    assert throttle.is_over(now + quiet + 0.001)
