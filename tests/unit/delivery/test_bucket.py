"""What the token bucket promises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alertd.delivery.bucket import BURST_SECONDS, TokenBucket


@given(st.floats(0.01, 1e4), st.lists(st.floats(0, 5), max_size=200))
def test_never_more_than_rate_and_burst(rate: float, gaps: list[float]) -> None:
    """In any span at most `rate x span + burst` attempts begin, however the time passes."""
    bucket = TokenBucket(rate, 0)
    now, taken = 0.0, 0
    for gap in gaps:
        now += gap
        for _ in range(50):
            if bucket.wait_seconds(now) > 0:
                break
            bucket.take()
            taken += 1
    assert taken <= rate * now + bucket.burst + 1e-6


@given(st.floats(0.01, 1e4))
def test_the_wait_that_it_tells_is_enough(rate: float) -> None:
    """After the wait a token is there: no second look is needed."""
    bucket = TokenBucket(rate, 100)
    while not bucket.wait_seconds(100):
        bucket.take()
    assert bucket.wait_seconds(100 + bucket.wait_seconds(100)) == 0


def test_the_burst_is_a_tenth_of_a_second_and_at_least_one() -> None:
    """Slow rates are paced one by one."""
    assert TokenBucket(1, 0).burst == 1
    assert TokenBucket(100, 0).burst == 100 * BURST_SECONDS


def test_a_clock_that_stands_still_or_jumps_back_gives_nothing() -> None:
    """Only time that passes fills it."""
    bucket = TokenBucket(1, 10)
    bucket.take()
    assert bucket.wait_seconds(10) == 1
    assert bucket.wait_seconds(5) == 1


@given(st.floats(0.01, 1e4), st.floats(0, 1e6), st.none() | st.floats(1, 100))
def test_a_quiet_time_saves_up_the_burst_and_no_more(rate: float, quiet: float, burst: float | None) -> None:
    """However long nothing was sent, what may then begin at once is the burst."""
    bucket = TokenBucket(rate, 0, burst)
    now, taken = max(quiet, 2 * bucket.burst / rate), 0
    while not bucket.wait_seconds(now):
        bucket.take()
        taken += 1
    assert taken == int(bucket.burst + 1e-6)
