"""What a throttle makes of refusals and successes, at its bounds."""

from __future__ import annotations

from itertools import pairwise
from math import log2

import pytest

from alertd.delivery.throttle import (
    CALM_SECONDS,
    DOUBLING_SECONDS,
    FIRST_PROBE_SECONDS,
    FREE_DELIVERIES,
    FREE_DOUBLING_SECONDS,
    FREED,
    GROWTH,
    HEADROOM,
    HEEDLESS_SECONDS,
    ISOLATED_MOST,
    LONGEST_PROBE_SECONDS,
    QUIET_SECONDS,
    SEVERAL,
    SHORTEST_SECONDS,
    SLOWER,
    SLOWER_MOST,
    SWIFT_SECONDS,
    VAIN_MOST,
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


@pytest.mark.parametrize(("asked", "longest"), [(0.0, 8.0), (1.0, 8.0), (5.0, 40.0), (86_400.0, 600.0)])
def test_no_pace_is_much_slower_than_the_receiver_asked_for(asked: float, longest: float) -> None:
    """Who may come again in a second is not left alone for a minute because others were faster."""
    throttle, now = refused(asked=asked), 100.0
    for _ in range(12):
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
        throttle.refused(now, 0.0, asked)
        now += 100_000
    throttle.wait_seconds(now)
    throttle.begin()
    throttle.taken(now, 0.0)
    assert longest / 1.5 < throttle.seconds <= longest


def test_a_pace_grows_until_it_is_none() -> None:
    """By three tenths at each success at first, until it is as fast as anybody is."""
    throttle = refused()
    now = attempt(throttle, 100.0)
    throttle.taken(now, 0.0)
    assert throttle.seconds == pytest.approx(FIRST_PROBE_SECONDS / (1 + GROWTH))
    for _ in range(FREE_DELIVERIES - 2):
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
        assert not throttle.is_over(now)
    assert throttle.seconds == SHORTEST_SECONDS
    throttle.taken(now, 0.0)
    assert throttle.is_over(now)
    assert now < 100.0 + 1.5


def test_a_pace_that_was_none_for_a_minute_is_forgotten() -> None:
    """Also by a lane that had little to send."""
    throttle = refused()
    begun = now = attempt(throttle, 100.0)
    for _ in range(30):
        throttle.taken(now, 0.0)
        now = attempt(throttle, now)
    assert throttle.seconds == SHORTEST_SECONDS
    assert not throttle.is_over(begun + QUIET_SECONDS)
    assert throttle.is_over(begun + QUIET_SECONDS + 0.5)


STEP = 1.5


def grown(throttle: Throttle, now: float, *, by: float = STEP) -> float:
    """Send until the pace has grown by so much since the cycle that begins now; return when."""
    throttle.taken(now, 0.0)
    before = throttle.seconds
    while throttle.seconds > before / by:
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
    return now


def test_a_found_pace_grows_slowly_and_more_slowly_when_it_is_confirmed() -> None:
    """It doubles in two minutes; in four when it came out again; in two after anything else."""
    throttle = refused()
    now = cycles(throttle, 100.0, takes=30, rest=30.0, count=3)
    for doubling, silence in ((DOUBLING_SECONDS, 30.0), (2 * DOUBLING_SECONDS, 4000.0), (DOUBLING_SECONDS, 0.0)):
        end = grown(throttle, now)
        assert end - now == pytest.approx(doubling * log2(STEP), rel=0.12)
        throttle.refused(end, 0.0, 0.0)
        throttle.wait_seconds(end + silence)
        throttle.begin()
        now = end + silence


def test_a_confirmed_pace_that_is_no_limit_any_more_grows_fast() -> None:
    """Up to `FREED` times what was confirmed it takes its time; beyond that nobody refuses, and it doubles in half a minute."""
    throttle = refused()
    now = cycles(throttle, 100.0, takes=30, rest=30.0, count=4)
    begun = now
    now = grown(throttle, now, by=FREED)
    assert now - begun > DOUBLING_SECONDS
    begun = now
    now = grown(throttle, now, by=8.0)
    assert now - begun == pytest.approx(3 * FREE_DOUBLING_SECONDS, rel=0.1)


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


def isolated(throttle: Throttle, now: float, *, behind: int) -> float:
    """Refuse one attempt behind so many that are taken; the next one is taken again. Return when."""
    for _ in range(behind):
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
    now = attempt(throttle, now)
    throttle.refused(now, 0.0, 0.0)
    return now


@pytest.mark.parametrize(("behind", "over"), [(SEVERAL - 1, False), (SEVERAL, True)])
def test_refusals_by_chance_teach_nothing(behind: int, *, over: bool) -> None:
    """Single ones behind several deliveries, again and again at a swift pace: it begins anew."""
    throttle, now = refused(), 100.0
    for _ in range(30):
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
    for _ in range(ISOLATED_MOST):
        assert not throttle.is_over(now)
        now = isolated(throttle, now, behind=behind)
    now = attempt(throttle, now)
    throttle.taken(now, 0.0)
    assert throttle.is_over(now) is over


def test_refusals_in_a_row_are_no_chance() -> None:
    """A second probe that is refused says that there is a limit."""
    throttle, now = refused(), 100.0
    for _ in range(ISOLATED_MOST - 1):
        now = isolated(throttle, now, behind=SEVERAL)
    now = attempt(throttle, now)
    throttle.refused(now, 0.0, 0.0)
    for _ in range(2):
        now = isolated(throttle, now, behind=SEVERAL)
    assert not throttle.is_over(now)


def test_a_slow_pace_is_not_given_up_for_single_refusals() -> None:
    """At one in two seconds there is a limit, and it is all but met."""
    throttle = refused()
    now = cycles(throttle, 100.0, takes=30, rest=30.0, count=3)
    for _ in range(2 * ISOLATED_MOST):
        now = isolated(throttle, now, behind=8 * SEVERAL)
    assert throttle.seconds > SWIFT_SECONDS
    assert not throttle.is_over(now)


def attempts(throttle: Throttle, now: float, *, taken: int, refusals: int, rest: float = 200.0) -> float:
    """Have so many taken and so many refused in a row, then end the cycle after a rest; return when."""
    for _ in range(taken):
        throttle.taken(now, 0.0)
    for _ in range(refusals):
        throttle.refused(now, 0.0, 0.0)
    now += rest
    throttle.wait_seconds(now)
    throttle.begin()
    throttle.taken(now, 0.0)
    return now


def test_a_slower_pace_that_does_not_help_is_given_up() -> None:
    """As large a part is refused at the slowest pace as at the first one: somebody else uses the limit up, or there is none.

    It takes the pace again at which as much was taken, grows from there whatever is refused, and begins anew in half an hour.
    """
    throttle, now = refused(), 100.0
    for _ in range(5):
        now = attempts(throttle, now, taken=2, refusals=5, rest=1.0)
    quick = throttle.seconds
    slowest = quick
    while not throttle.is_heedless:
        slowest = max(slowest, throttle.seconds)
        now = attempts(throttle, now, taken=2, refusals=5)
    assert slowest > quick * SLOWER**VAIN_MOST
    assert throttle.seconds == pytest.approx(quick, rel=0.05)
    begun = now
    while now < begun + FREE_DOUBLING_SECONDS:
        before = throttle.seconds
        now = attempt(throttle, now)
        throttle.refused(now, 0.0, 0.0)
        assert throttle.seconds == before
        now = attempt(throttle, now)
        throttle.taken(now, 0.0)
        assert throttle.seconds < before
    while now < begun + HEEDLESS_SECONDS:
        assert not throttle.is_over(now)
        now = attempt(throttle, now + QUIET_SECONDS / 2)
        throttle.taken(now, 0.0)
    assert throttle.is_over(begun + HEEDLESS_SECONDS + 0.001)


def test_a_slower_pace_that_helps_is_kept() -> None:
    """A smaller and smaller part is refused."""
    throttle, now = refused(), 100.0
    for taken in (2, 2, 2, 2, 2, 10, 10, 20, 40, 80, 160):
        now = attempts(throttle, now, taken=taken, refusals=3)
        assert not throttle.is_heedless


def test_a_lane_with_a_trickle_forgets_when_nothing_was_refused_for_long() -> None:
    """One success in half a minute teaches nothing, and nothing is kept for it."""
    throttle, now = refused(), 100.0
    while now < 100 + CALM_SECONDS:
        assert not throttle.is_over(now)
        now = attempt(throttle, now + 30)
        throttle.taken(now, 0.0)
    assert throttle.is_over(now + 30)


def test_a_rest_that_was_asked_for_is_no_quiet() -> None:
    """What was learnt is there when it is over."""
    throttle = refused(asked=3600.0)
    assert not throttle.is_over(100.0 + 3600.0)
    assert throttle.is_over(100.0 + 3600.0 + QUIET_SECONDS + 1)


def test_who_is_slow_for_another_reason_has_something_to_send() -> None:
    """A rate that was set keeps attempts ten seconds apart: the pace is learnt all the same."""
    throttle, now = refused(), 100.0
    for _ in range(9):
        throttle.wait_seconds(now)
        throttle.begin(10.0)
        throttle.taken(now, 0.0)
        now += 10.0
    assert throttle.seconds < FIRST_PROBE_SECONDS / 8


def test_an_old_attempt_ends_no_cycle() -> None:
    """One that began before the last refusal and is refused late says nothing new."""
    throttle = refused()
    now = attempt(throttle, 100.0)
    throttle.taken(now, 0.0)
    throttle.refused(now + 20, 30.0, 0.0)
    assert throttle.wait_seconds(now + 20) == 0
