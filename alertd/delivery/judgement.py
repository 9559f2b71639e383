"""What a finished attempt means for its delivery: delivered, again later, or dead. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alertd.delivery.backoff import next_seconds
from alertd.model.delivery import Attempt, DeliveryState, OutcomeKind
from alertd.model.ids import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.model.delivery import Delivery, Outcome
    from alertd.model.destination import RetryOptions

RETRIED = frozenset({OutcomeKind.RETRY_LATER, OutcomeKind.AMBIGUOUS})
"""Outcomes after which a delivery is tried again, and which count as failures of the destination."""


def created_ms(delivery: Delivery) -> int:
    """When the delivery was made, in milliseconds since 1970."""
    return delivery.created_at_ms or milliseconds(delivery.id)


def bygone(outcome: Outcome) -> Outcome:
    """Read the failure of a destination that was exchanged meanwhile: that it is gone, or when to come again, is over."""
    kind = OutcomeKind.RETRY_LATER if outcome.kind is OutcomeKind.GONE else outcome.kind
    return replace(outcome, kind=kind, retry_after_seconds=None)


def judge_failure(
    delivery: Delivery, outcome: Outcome, span: tuple[int, int, int], retry: RetryOptions, random: Callable[[], float]
) -> Attempt:
    """Judge an attempt that did not deliver.

    Shapes: `span` is (started at in ms since 1970, duration in microseconds, now in ms since 1970). Retried outcomes
    are dead when all attempts are used up (`RetryOptions.used_up`) and past `give_up_after_seconds`; rejected and gone are
    dead at once.
    """
    started_ms, duration_us, now_ms = span
    number = delivery.attempts + 1
    if outcome.kind not in RETRIED or _over(delivery, outcome, now_ms, retry):
        return Attempt(delivery.id, number, started_ms, duration_us, outcome, DeliveryState.DEAD)
    wait = next_seconds(number, outcome.retry_after_seconds, retry, random)
    due_ms = now_ms + max(1, round(wait * 1000))
    return Attempt(delivery.id, number, started_ms, duration_us, outcome, DeliveryState.RETRYING, due_ms)


def _over(delivery: Delivery, outcome: Outcome, now_ms: int, retry: RetryOptions) -> bool:
    too_old = now_ms > created_ms(delivery) + retry.give_up_after_seconds * 1000
    return too_old or retry.used_up(delivery.attempts + 1, delivery.refused + outcome.refuses_rate)
