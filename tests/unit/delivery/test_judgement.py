"""What an attempt that did not deliver means."""

from __future__ import annotations

import pytest

from alertd.delivery.judgement import judge_failure
from alertd.model.delivery import Attempt, Delivery, DeliveryState, Outcome, OutcomeKind
from alertd.model.destination import DeliveryOptions, Destination, RetryOptions
from alertd.model.ids import first_of

BORN = 1_800_000_000_000


def judge(
    kind: OutcomeKind,
    *,
    status: int | None = None,
    attempts: int = 0,
    refused: int = 0,
    age_ms: int = 0,
    created: int = 0,
    **retry: object,
) -> Attempt:
    """Judge one attempt of a delivery born at BORN."""
    delivery = Delivery(first_of(BORN) + 1, first_of(BORN), 1, 7, 8, attempts, BORN, "t", b"{}", created_at_ms=created)
    delivery.refused = refused
    made = RetryOptions.model_validate(retry)
    return judge_failure(delivery, Outcome(kind, status), (BORN, 10, BORN + age_ms), made, lambda: 1.0)


@pytest.mark.parametrize("kind", [OutcomeKind.RETRY_LATER, OutcomeKind.AMBIGUOUS])
def test_failures_are_tried_again(kind: OutcomeKind) -> None:
    """Retry later and ambiguous wait for their backoff."""
    attempt = judge(kind, attempts=1)
    assert (attempt.state, attempt.number, attempt.next_at_ms) == (DeliveryState.RETRYING, 2, BORN + 10_000)


@pytest.mark.parametrize("kind", [OutcomeKind.REJECTED, OutcomeKind.GONE])
def test_rejections_are_dead_at_once(kind: OutcomeKind) -> None:
    """Nothing would change by trying again."""
    attempt = judge(kind)
    assert (attempt.state, attempt.next_at_ms) == (DeliveryState.DEAD, None)


def test_the_last_attempt_is_the_bound() -> None:
    """Attempt `max_attempts` is the last, the one before is not."""
    assert judge(OutcomeKind.RETRY_LATER, attempts=1, max_attempts=3).state is DeliveryState.RETRYING
    assert judge(OutcomeKind.RETRY_LATER, attempts=2, max_attempts=3).state is DeliveryState.DEAD


@pytest.mark.parametrize("status", [429, 421, 450, 451, 452])
def test_a_rate_that_is_refused_uses_up_no_delivery(status: int) -> None:
    """However often it came too soon, it is tried again until it is too old; SMTP has words of its own for that."""
    late = {"give_up_after_seconds": 60}
    soon = {"status": status, "attempts": 50, "refused": 50}
    assert judge(OutcomeKind.RETRY_LATER, **soon, age_ms=60_000, **late).state is DeliveryState.RETRYING
    assert judge(OutcomeKind.RETRY_LATER, **soon, age_ms=60_001, **late).state is DeliveryState.DEAD


@pytest.mark.parametrize(("status", "kind"), [(503, OutcomeKind.RETRY_LATER), (None, OutcomeKind.AMBIGUOUS)])
def test_other_failures_are_counted_without_what_came_too_soon(status: int | None, kind: OutcomeKind) -> None:
    """Twelve of them are the last, whatever was refused before and between."""
    assert judge(kind, status=status, attempts=50, refused=40).state is DeliveryState.RETRYING
    assert judge(kind, status=status, attempts=51, refused=40).state is DeliveryState.DEAD
    assert judge(OutcomeKind.RETRY_LATER, status=429, attempts=51, refused=40).state is DeliveryState.RETRYING


def test_a_number_of_attempts_that_somebody_set_is_theirs() -> None:
    """Then a 429 is an attempt like any other, whether it was set for all destinations or for one; the default is no choice."""
    assert judge(OutcomeKind.RETRY_LATER, status=429, attempts=2, refused=2, max_attempts=3).state is DeliveryState.DEAD
    written = {"max_attempts": 12}
    for all_, own, used_up in (
        ({}, {}, False), (written, {}, False), ({}, written, False), ({"max_attempts": 3}, written, False),
        ({"max_attempts": 11}, {}, True), ({}, {"max_attempts": 11}, True), (written, {"max_attempts": 11}, True),
    ):  # fmt: skip
        defaults = DeliveryOptions(retry=RetryOptions(**all_, initial_seconds=1))
        made = Destination(name="d", type="null", retry=RetryOptions(**own, factor=3))
        assert defaults.for_destination(made).retry.used_up(12, 1) is used_up


def test_it_gives_up_after_its_time() -> None:
    """At `give_up_after_seconds` it is still tried, past it no more; its birth is read from its id if not given."""
    late = {"give_up_after_seconds": 60}
    assert judge(OutcomeKind.RETRY_LATER, age_ms=60_000, **late).state is DeliveryState.RETRYING
    assert judge(OutcomeKind.RETRY_LATER, age_ms=60_001, **late).state is DeliveryState.DEAD
    assert judge(OutcomeKind.RETRY_LATER, age_ms=60_001, created=BORN + 5, **late).state is DeliveryState.RETRYING
