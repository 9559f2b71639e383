"""What a lane's rest promises: whoever asks for the longest is heard, and new options give nothing away."""

from __future__ import annotations

from alertd.delivery.rest import REFUSALS, Rest
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.destination import DeliveryOptions


def options(rate: float | None = None, timeout: float = 10) -> DeliveryOptions:
    """Options with a rate, and something that has nothing to do with it."""
    return DeliveryOptions.model_validate({"queue": {"rate_per_second": rate}, "timeout_seconds": timeout})


def test_a_later_answer_does_not_shorten_the_rest() -> None:
    """A receiver that asks for a minute, and in an answer that was on its way for a second, rests for the minute."""
    rest = Rest(options(), 0)
    assert rest.pause(60_000)
    assert not rest.pause(1_000)
    assert rest.seconds(1_000, 1) == 59
    assert rest.pause(90_000)
    assert rest.paused_until(1_000) == 90_000
    assert rest.seconds(90_000, 90) == 0
    assert not rest.bound


def test_a_rest_is_kept_within_what_the_options_allow() -> None:
    """A bound that is lowered is in force for the rest that has begun; one above it changes nothing."""
    rest = Rest(options(), 0)
    rest.pause(60_000)
    allowed = DeliveryOptions.model_validate({"retry": {"retry_after_max_seconds": 5}})
    assert not rest.keep_within(allowed, 55_000)
    assert rest.keep_within(allowed, 1_000)
    assert rest.paused_until(1_000) == 6_000
    assert not rest.keep_within(allowed, 1_000)


def test_new_options_at_the_same_rate_fill_no_bucket() -> None:
    """A reload is no way round the rate; another rate begins anew."""
    rest = Rest(options(1), 0)
    assert rest.seconds(0, 0) == 0
    rest.begin()
    rest.configure(options(1, timeout=20), 0)
    assert rest.seconds(0, 0) == 1
    rest.configure(options(2), 0)
    assert rest.seconds(0, 0) == 0
    rest.configure(options(), 0)
    assert not rest.bound


REFUSED = Outcome(OutcomeKind.RETRY_LATER, 429, "returned 429")
FAILED = Outcome(OutcomeKind.RETRY_LATER, 503, "returned 503")


def test_refusals_in_a_row_are_no_failures() -> None:
    """From the third on they teach a pace, and those before it are forgiven."""
    rest = Rest(options(), 0)
    for _ in range(REFUSALS):
        assert not rest.failed(REFUSED, 1.0, 0.1, probe=0)
    assert rest.breaker.streak == 0
    assert rest.learnt_rate(1.0)


def test_refusals_close_no_breaker() -> None:
    """One that failures have opened waits for a success, of which everybody hears."""
    rest = Rest(options(), 0)
    opened = [rest.failed(FAILED, 1.0, 0.1, probe=0) for _ in range(rest.breaker.failures)]
    assert opened.count(True) == 1
    for now in (100.0, 200.0, 300.0):
        assert rest.seconds(0, now) == 0
        assert not rest.failed(REFUSED, now, 0.1, probe=rest.begin())
    assert rest.breaker.opened
    assert rest.learnt_rate(300.0)
    assert rest.seconds(0, 400.0) == 0
    assert rest.begin()
    assert rest.succeeded(400.0, 0.1)
