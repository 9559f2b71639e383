"""What one lane tells people: log events for its failures and its breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from alertd.clock import rfc3339
from alertd.delivery.muffler import Muffler
from alertd.model.delivery import Outcome, OutcomeKind
from alertd.model.ids import DELIVERY, format_id

if TYPE_CHECKING:
    from alertd.model.delivery import Attempt, Delivery

_log = structlog.get_logger("alertd.delivery")


class Reporter:
    """Speaks for one lane. The same failure again and again is logged now and then, with how many were left out."""

    __slots__ = ("_muffler", "_name", "_workspace")

    def __init__(self, workspace: str, name: str) -> None:
        self._workspace = workspace
        self._name = name
        self._muffler = Muffler()

    def failed(self, delivery: Delivery, attempt: Attempt, now: float) -> None:
        """Log an attempt that did not deliver; `now` is monotonic seconds."""
        outcome = attempt.outcome
        if self._muffler.lets_through((outcome.kind, outcome.status, attempt.state), now):
            wide = self._wide(delivery, attempt)
            _log.warning("delivery.attempted", **wide, **_left_out(self._muffler.clear()))

    def succeeded(self, delivery: Delivery, attempt: Attempt) -> None:
        """Log a delivered attempt (asked for only when debug logs are on)."""
        _log.debug("delivery.attempted", **self._wide(delivery, attempt))

    def broken(self, error: Exception) -> Outcome:
        """Log a destination that raised, against its contract; return what that counts as."""
        _log.error("destination.broken", workspace=self._workspace, destination=self._name, exc_info=error)
        return Outcome(OutcomeKind.AMBIGUOUS, detail=f"internal error: {type(error).__name__}")

    def breaker_opened(self, cool_seconds: float, outcome: Outcome) -> None:
        """Log that the breaker opened; probes that fail afterwards are muffled like any failure."""
        _log.warning(
            "breaker.opened",
            workspace=self._workspace,
            destination=self._name,
            cool_seconds=cool_seconds,
            detail=outcome.detail,
            **_left_out(self._muffler.clear()),
        )

    def breaker_closed(self) -> None:
        """Log that the destination works again."""
        _log.info(
            "breaker.closed",
            workspace=self._workspace,
            destination=self._name,
            **_left_out(self._muffler.reset()),
        )

    def disabled(self, reason: str) -> None:
        """Log that nothing more is sent until somebody enables the destination."""
        _log.warning("destination.disabled", workspace=self._workspace, destination=self._name, reason=reason)

    def enabled(self) -> None:
        """Log that the destination is sent to again."""
        _log.info("destination.enabled", workspace=self._workspace, destination=self._name)

    def _wide(self, delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
        outcome = attempt.outcome
        return {
            "delivery": format_id(DELIVERY, delivery.id),
            "workspace": self._workspace,
            "destination": self._name,
            "attempt": attempt.number,
            "outcome": outcome.kind.word,
            "state": attempt.state.word,
            "status": outcome.status,
            "duration_ms": round(attempt.duration_us / 1000, 3),
            "detail": outcome.detail,
            "next_at": None if attempt.next_at_ms is None else rfc3339(attempt.next_at_ms),
        }


def _left_out(count: int) -> dict[str, int]:
    return {"left_out": count} if count else {}
