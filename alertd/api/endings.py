"""Why a delivery ended undelivered, in one word. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.delivery.expiry import GAVE_UP
from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.model.ids import milliseconds

if TYPE_CHECKING:
    from alertd.model.destination import RetryOptions

ATTEMPTS_EXHAUSTED: Final = "attempts_exhausted"
"""`retry.max_attempts` were made."""


def why_ended(row: dict[str, Any], retry: RetryOptions | None) -> str | None:
    """Return the reason of a dead or cancelled delivery; None for others.

    Without an attempt at its end it is what the store was told (`gave_up`, `destination_removed`, …). After one it is
    `rejected`, `gone`, or which of the bounds in `retry` was met; `retry` None means that nobody knows them any longer.
    """
    if row["state"] not in (DeliveryState.DEAD, DeliveryState.CANCELLED):
        return None
    kind = row["outcome"]
    if kind is None:
        return row["detail"] or None
    if kind in (OutcomeKind.REJECTED, OutcomeKind.GONE):
        return OutcomeKind(kind).word
    if retry is None or (retry.counts_refusals and row["attempts"] >= retry.max_attempts):
        return ATTEMPTS_EXHAUSTED
    ended_ms = row["started_at_ms"] + row["duration_us"] / 1000
    too_old = ended_ms > milliseconds(row["id"]) + retry.give_up_after_seconds * 1000
    return GAVE_UP if too_old else ATTEMPTS_EXHAUSTED
