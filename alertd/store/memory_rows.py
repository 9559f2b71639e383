"""Rows of the store in memory: events and deliveries as they are kept, and as the history shows them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from alertd.model.delivery import Delivery, DeliveryState, OutcomeKind
from alertd.store.base import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alertd.engine.plan import Plan
    from alertd.model.delivery import Attempt
    from alertd.store.base import Filter, RejectedRecord


@dataclass(slots=True)
class MemoryEvent:
    """An event as it is kept: its plan, and what was written of it."""

    plan: Plan
    id: str
    made: bool
    revision: int
    payload: bytes
    verdicts: bytes

    def view(self) -> dict[str, Any]:
        """Write it as a row of the history."""
        return {
            "number": self.plan.number,
            "workspace_id": self.plan.workspace_id,
            "type": self.plan.event.type,
            "matched": self.plan.matched,
            "payload": self.payload,
            "verdicts": self.verdicts,
            "revision": self.revision,
        }


@dataclass(slots=True)
class MemoryDelivery:
    """A delivery as it is kept: as planned, its state, and its attempts (`ended`: none of them is its last word).

    `digest_id` is the digest that it came together in; `actor` asked for it, if it is a replay, as part of `replay_id`.
    """

    delivery: Delivery
    state: DeliveryState = DeliveryState.PENDING
    attempts: list[Attempt] = field(default_factory=list)
    ended: str | None = None
    digest_id: int | None = None
    actor: str | None = None
    replay_id: int | None = None

    @property
    def detail(self) -> str:
        """Why its last attempt failed, or why it ended without one; empty: nothing went wrong."""
        if self.ended is not None:
            return self.ended
        return self.attempts[-1].outcome.detail if self.attempts else ""

    def view(self, workspace_id: int, event_id: str) -> dict[str, Any]:
        """Write it as a row of the history."""
        d = self.delivery
        last = self.attempts[-1] if self.attempts and self.ended is None else None
        return {
            "id": d.id,
            "event_number": d.event_number,
            "event_id": event_id,
            "event_type": d.event_type,
            "workspace_id": workspace_id,
            "destination_id": d.destination_id,
            "subscription_id": d.subscription_id,
            "channel_id": d.channel_id,
            "state": self.state,
            "attempts": d.attempts,
            "next_at_ms": None if self.state.final else d.next_at_ms,
            "started_at_ms": last.started_at_ms if last else None,
            "duration_us": last.duration_us if last else None,
            "outcome": OutcomeKind(last.outcome.kind) if last else None,
            "status": last.outcome.status if last else None,
            "detail": self.detail,
            "answer": last.outcome.answer if last else b"",
            "replay_of": None if d.replay_of == d.id else d.replay_of,
            "digest_count": d.digest.count if d.digest is not None else None,
            "digest_id": self.digest_id,
            "replayed_by": self.actor,
            "replay_id": self.replay_id,
            "also": d.also,
        }


def page_of(which: Filter, rows: Iterable[tuple[int, Callable[[], dict[str, Any]]]]) -> Page:
    """Choose one page of numbered rows, newest first."""
    low, below = which.bounds
    chosen = sorted((row for row in rows if low <= row[0] < below), key=lambda row: row[0], reverse=True)
    items = [view() for _, view in chosen[: which.limit]]
    return Page(items, chosen[which.limit - 1][0] if len(chosen) > which.limit else None)


def attempt_view(attempt: Attempt) -> dict[str, Any]:
    """Write an attempt as a row of the history."""
    return {
        "number": attempt.number,
        "started_at_ms": attempt.started_at_ms,
        "duration_us": attempt.duration_us,
        "outcome": attempt.outcome.kind,
        "status": attempt.outcome.status,
        "detail": attempt.outcome.detail,
        "answer": attempt.outcome.answer,
    }


def rejected_view(record: RejectedRecord, workspace_id: int | None) -> dict[str, Any]:
    """Write a rejected record as a row of the history, with its workspace's number, if it has one."""
    return {"workspace_id": workspace_id, **asdict(record)}
