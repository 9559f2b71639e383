"""When a failed delivery is tried again: exponential steps, capped, with full jitter. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.model.destination import RetryOptions


def ceiling_seconds(failures: int, initial_seconds: float, factor: float, max_seconds: float) -> float:
    """Return the longest wait after `failures` failed attempts in a row (from 1), in seconds, never above `max_seconds`."""
    try:
        step = float(initial_seconds) * float(factor) ** max(0, failures - 1)
    except OverflowError:
        return max_seconds
    return min(max_seconds, step)


def wait_seconds(failures: int, retry: RetryOptions, random: Callable[[], float]) -> float:
    """Return the wait after `failures` failed attempts (from 1), in seconds; `random` gives [0, 1).

    Full jitter: evenly between nothing and the ceiling, so that the retries of an outage spread out.
    """
    ceiling = ceiling_seconds(failures, retry.initial_seconds, retry.factor, retry.max_seconds)
    return ceiling if retry.jitter == "none" else ceiling * random()


def honoured_seconds(retry_after_seconds: float | None, retry: RetryOptions) -> float:
    """Return how long a receiver's Retry-After makes its whole lane rest: shortened by `retry_after_max_seconds` alone."""
    if retry_after_seconds is None or not retry_after_seconds > 0:
        return 0.0
    return min(float(retry_after_seconds), float(retry.retry_after_max_seconds))


def next_seconds(
    failures: int, retry_after_seconds: float | None, retry: RetryOptions, random: Callable[[], float]
) -> float:
    """Return the wait before the next attempt: the longer of the schedule's and the receiver's."""
    return max(wait_seconds(failures, retry, random), honoured_seconds(retry_after_seconds, retry))
