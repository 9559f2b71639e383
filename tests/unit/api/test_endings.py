"""Why a delivery ended undelivered: the reason that the API shows beside the last error."""

from __future__ import annotations

from typing import Any

import pytest

from alertd.api.endings import why_ended
from alertd.model.delivery import DeliveryState, Outcome, OutcomeKind
from alertd.model.destination import RetryOptions
from alertd.model.ids import first_of
from tests.unit.api.bench import HOME, running

RETRY = RetryOptions(max_attempts=3, give_up_after_seconds=60)
BORN_MS = 1_778_112_000_000


def row(state: DeliveryState = DeliveryState.DEAD, **given: Any) -> dict[str, Any]:
    """A delivery as the store gives it: dead after its third attempt of one second, ten seconds after it was made."""
    made = {"id": first_of(BORN_MS), "state": state, "attempts": 3, "outcome": OutcomeKind.RETRY_LATER, "detail": "x"}
    return {**made, "status": None, "started_at_ms": BORN_MS + 10_000, "duration_us": 1_000_000, **given}


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.DELIVERED])
def test_what_goes_on_or_arrived_has_no_reason(state: DeliveryState) -> None:
    """Only an end without arrival needs one."""
    assert why_ended(row(state), RETRY) is None


@pytest.mark.parametrize("kind", [OutcomeKind.RETRY_LATER, OutcomeKind.AMBIGUOUS])
@pytest.mark.parametrize(
    ("attempts", "started_ms", "reason"),
    [
        (3, 10_000, "attempts_exhausted"),
        (2, 59_000, "attempts_exhausted"),
        (2, 59_001, "gave_up"),
        (1, 90_000, "gave_up"),
    ],
)
def test_the_bound_that_was_met_is_told(kind: OutcomeKind, attempts: int, started_ms: int, reason: str) -> None:
    """At the last attempt its number, before it the age; the attempt's own time counts."""
    given = row(outcome=kind, attempts=attempts, started_at_ms=BORN_MS + started_ms)
    assert why_ended(given, RETRY) == reason


def test_a_rate_that_is_refused_ends_by_age() -> None:
    """However many attempts came too soon, what ended it is its age, where nobody set their number."""
    unset, late = RetryOptions(give_up_after_seconds=60), BORN_MS + 59_001
    assert why_ended(row(status=429, attempts=30, started_at_ms=late), unset) == "gave_up"
    assert why_ended(row(status=503, attempts=30, started_at_ms=late), unset) == "gave_up"
    assert why_ended(row(status=503, attempts=30), unset) == "attempts_exhausted"
    assert why_ended(row(status=429, attempts=30, started_at_ms=late), RETRY) == "attempts_exhausted"


def test_what_nobody_would_try_again_says_so() -> None:
    """A refusal and a receiver that is gone are final at once."""
    assert why_ended(row(outcome=OutcomeKind.REJECTED), RETRY) == "rejected"
    assert why_ended(row(outcome=OutcomeKind.GONE), RETRY) == "gone"


def test_an_end_without_an_attempt_tells_what_the_store_was_told() -> None:
    """Such as waiting too long for a disabled destination, or its removal."""
    assert why_ended(row(outcome=None, detail="gave_up"), RETRY) == "gave_up"
    assert why_ended(row(DeliveryState.CANCELLED, outcome=None, detail="destination_removed"), None) == (
        "destination_removed"
    )


async def test_the_api_shows_it() -> None:
    """Beside the error of the last attempt; a delivered one has none."""
    async with running() as call:
        call.bench.doors["default", "hook"].outcome = Outcome(OutcomeKind.REJECTED, 400, "returned 400")
        await call.sent({"type": "t", "severity": "error"})
        [page] = await call.settled(f"{HOME}/deliveries?destination=page")
        [hook] = await call.settled(f"{HOME}/deliveries?destination=hook", "dead")
        assert (page["reason"], page["error"]) == (None, None)
        assert (hook["reason"], hook["error"]) == ("rejected", "returned 400")
        _, shown = await call("GET", f"{HOME}/deliveries/{hook['id']}")
        assert shown["reason"] == "rejected"
