"""What the backoff promises: bounded, spread, and never shorter than the receiver asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alertd.delivery.backoff import ceiling_seconds, honoured_seconds, next_seconds, wait_seconds
from alertd.model.destination import RetryOptions

retries = st.builds(
    RetryOptions,
    initial_seconds=st.floats(0.001, 1e6),
    factor=st.floats(1, 1e3),
    max_seconds=st.floats(0.001, 1e6),
    jitter=st.sampled_from(["full", "none"]),
    retry_after_max_seconds=st.floats(0.001, 1e6),
)
chances = st.floats(0, 1, exclude_max=True)


def test_steps_double_up_to_the_cap() -> None:
    """The defaults give 5, 10, 20 … seconds, and an hour at most."""
    steps = [ceiling_seconds(n, 5, 2, 3600) for n in range(1, 13)]
    assert steps == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_a_huge_number_of_failures_does_not_overflow() -> None:
    """However many failures, the wait is the cap."""
    assert ceiling_seconds(10**6, 5, 2, 3600) == 3600


@given(retries, st.integers(1, 10**6), chances)
def test_the_wait_lies_between_nothing_and_the_ceiling(retry: RetryOptions, failures: int, chance: float) -> None:
    """Full jitter draws from the whole span; without jitter the wait is the ceiling itself."""
    ceiling = ceiling_seconds(failures, retry.initial_seconds, retry.factor, retry.max_seconds)
    wait = wait_seconds(failures, retry, lambda: chance)
    assert 0 <= wait <= ceiling <= retry.max_seconds
    assert wait == ceiling * (1 if retry.jitter == "none" else chance)


@given(retries, st.integers(1, 100), chances, st.floats(0, 1e7))
def test_retry_after_is_never_shortened_but_by_its_own_bound(
    retry: RetryOptions,
    failures: int,
    chance: float,
    asked: float,
) -> None:
    """The next attempt comes after the longer of schedule and Retry-After, even above `max_seconds`."""
    honoured = honoured_seconds(asked, retry)
    assert honoured == min(asked, retry.retry_after_max_seconds)
    chosen = next_seconds(failures, asked, retry, lambda: chance)
    assert chosen == max(honoured, wait_seconds(failures, retry, lambda: chance))


def test_no_retry_after_asks_for_no_rest() -> None:
    """Absent, zero, negative and nonsensical values do not hold the lane."""
    for asked in (None, 0, -5, float("nan")):
        assert honoured_seconds(asked, RetryOptions()) == 0
