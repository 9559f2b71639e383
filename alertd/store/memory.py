"""The store in memory: the same promises as the others but durability. For tests and trials, and as the model of what a
store must do.

Nothing here awaits, so every method is one step for everybody else.
"""  # noqa: D205 - one thought, two lines

from __future__ import annotations

import dataclasses
import secrets
from itertools import pairwise
from typing import TYPE_CHECKING

from alertd.errors import DuplicateEventsError, StoreError
from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.model.ids import END, SALT_BITS, first_of, made_event_number, milliseconds
from alertd.model.verdict import encode
from alertd.store.base import DestinationState, Due
from alertd.store.memory_forgetting import MemoryForgetting
from alertd.store.memory_rows import MemoryDelivery, MemoryEvent

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from alertd.clock import Clock
    from alertd.engine.plan import Plan
    from alertd.model.delivery import Attempt
    from alertd.store.base import Batch, Partition
    from alertd.store.resource import AuditEntry


class MemoryStore(MemoryForgetting):
    """Every protocol of `alertd.store.base`; `salt` is random unless given."""

    def __init__(self, clock: Clock, salt: int | None = None) -> None:
        super().__init__(secrets.randbits(SALT_BITS) if salt is None else salt)
        self._clock = clock
        self._positions: dict[Partition, int] = {}
        self._states: dict[int, DestinationState] = {}

    # -- the pipeline ---------------------------------------------------------------------------------------------

    async def commit(self, batch: Batch) -> None:
        """Store a batch, all of it or nothing."""
        self._write()
        made = [self._is_made(plan) for plan in batch.plans]
        self._refuse_known(batch.plans, made)
        for plan, own in zip(batch.plans, made, strict=True):
            event = plan.event
            self._events[plan.number] = MemoryEvent(
                plan, event.id, own, batch.revision, plan.payload, encode(plan.verdicts, plan.violations)
            )
            if not own:
                self._keys[plan.workspace_id, event.id] = plan.number
            for delivery in plan.deliveries:
                self._keep(
                    MemoryDelivery(dataclasses.replace(delivery, attempts=0, created_at_ms=milliseconds(delivery.id)))
                )
            self._newest = max(self._newest, plan.number, *(d.id for d in plan.deliveries))
        self._positions.update(batch.positions)
        self._change_state(batch)
        if batch.issues is not None:
            self._take_issues(batch.issues)
        self._rejected.update({record.id: record for record in batch.rejected})
        self._newest = max(self._newest, *(record.id for record in batch.rejected), 0)

    async def positions(self) -> dict[Partition, int]:
        """All positions."""
        return dict(self._positions)

    async def set_position(self, partition: Partition, offset: int) -> None:
        """Move a position."""
        self._write()
        self._positions[partition] = offset

    # -- delivery -------------------------------------------------------------------------------------------------

    async def due(self, destination_id: int, now_ms: int, limit: int, held: Collection[int]) -> Due:
        """What is due, oldest first."""
        kept = frozenset(held)
        waiting = [k.delivery for k in self._waiting.get(destination_id, {}).values() if k.delivery.id not in kept]
        found = sorted((d.next_at_ms, d.id, d) for d in waiting if d.next_at_ms <= now_ms)
        later = min((d.next_at_ms for d in waiting if d.next_at_ms > now_ms), default=None)
        return Due([dataclasses.replace(d) for _, _, d in found[:limit]], later, len(found) > limit)

    async def destinations_with_work(self) -> list[int]:
        """Destinations with deliveries that are not final."""
        return sorted(number for number, waiting in self._waiting.items() if waiting)

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Store attempts of deliveries that are not final."""
        self._write()
        for attempt in attempts:
            kept = self._deliveries.get(attempt.delivery_id)
            if kept is None or kept.state.final or kept.delivery.attempts >= attempt.number:
                continue
            kept.attempts.append(attempt)
            kept.delivery.attempts = attempt.number
            kept.delivery.ambiguous |= attempt.outcome.kind is OutcomeKind.AMBIGUOUS
            kept.delivery.refused += attempt.outcome.refuses_rate
            if attempt.next_at_ms is not None:
                kept.delivery.next_at_ms = attempt.next_at_ms
            self._set_state(kept, attempt.state)
            self._logged(attempt.delivery_id, attempt.number, attempt.state)

    async def cancel_destination(self, destination_id: int, reason: str, held: Collection[int]) -> int:
        """Cancel what waits."""
        return self._end_all(destination_id, END, DeliveryState.CANCELLED, reason, held)

    async def cancel(self, delivery_id: int, reason: str, audit: AuditEntry | None = None) -> DeliveryState:
        """Cancel one delivery if it waits."""
        self._write()
        kept = self._kept(delivery_id)
        before = kept.state
        if audit is not None and not before.final:
            self._audit.append(audit)
        self._end(kept, DeliveryState.CANCELLED, reason)
        return before

    async def expire(self, destination_id: int, created_before_ms: int, reason: str, held: Collection[int]) -> int:
        """Make dead what was made before a time."""
        return self._end_all(destination_id, first_of(created_before_ms), DeliveryState.DEAD, reason, held)

    async def hasten(self, destination_id: int, held: Collection[int]) -> int:
        """Make due what waits for a later attempt."""
        self._write()
        now_ms, kept_back = self._clock.now_ms(), frozenset(held)
        waiting = [kept.delivery for kept in self._waiting.get(destination_id, {}).values()]
        later = [each for each in waiting if each.next_at_ms > now_ms and each.id not in kept_back]
        for delivery in later:
            delivery.next_at_ms = now_ms
        return len(later)

    async def destination_states(self) -> dict[int, DestinationState]:
        """Everything kept about destinations."""
        return dict(self._states)

    async def set_destination_state(
        self, destination_id: int, state: DestinationState, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Keep a destination's state."""
        self._write()
        self._states[destination_id] = state
        self._audit += [line for line in audit if line not in self._audit]

    async def outbox_counts(self) -> dict[tuple[int, DeliveryState], int]:
        """What waits, counted."""
        counts: dict[tuple[int, DeliveryState], int] = {}
        for destination_id, waiting in self._waiting.items():
            for kept in waiting.values():
                key = (destination_id, kept.state)
                counts[key] = counts.get(key, 0) + 1
        return counts

    # -- housekeeping ---------------------------------------------------------------------------------------------

    @property
    def salt(self) -> int:
        """The constant in ids made for events."""
        return self._salt

    async def newest_number(self) -> int:
        """The greatest number ever given."""
        return self._newest

    async def bring_back(self, now_ms: int) -> int:
        """Bring back what a clock that was ahead put off."""
        self._write()
        moved = 0
        for kept in (kept for waiting in self._waiting.values() for kept in waiting.values()):
            delivery = kept.delivery
            began = max(milliseconds(delivery.id), kept.attempts[-1].started_at_ms if kept.attempts else 0)
            if began > now_ms:
                delivery.next_at_ms = now_ms + max(0, delivery.next_at_ms - began)
                moved += 1
        return moved

    async def retain(self, before_ms: int, limit: int) -> int:
        """Delete old events that are done with."""
        self._write()
        below = first_of(before_ms)
        old = sorted(number for number in self._events if number < below)
        going = [n for n in old if all(kept.state.final for kept in self._of(n))][:limit]
        for number in going:
            for kept in self._by_event.pop(number, ()):
                del self._deliveries[kept.delivery.id]
            self._acknowledged.pop(number, None)
            self._issue_events.pop(number, None)
            event = self._events.pop(number)
            self._keys.pop((event.plan.workspace_id, event.id), None)
        if not going:
            self._rejected = {number: r for number, r in self._rejected.items() if number >= below}
            self._forget_log(before_ms)
            self._forget_replays(before_ms)
        return len(going)

    async def backup(self, path: str) -> None:
        """Refuse: there is no file to copy."""
        raise StoreError("a store in memory has no file to copy")

    async def healthy(self) -> bool:
        """Whether it is open."""
        return not self._closed

    async def close(self) -> None:
        """Take no more writes."""
        self._closed = True

    # -- below ----------------------------------------------------------------------------------------------------

    def _is_made(self, plan: Plan) -> bool:
        return plan.event.made or made_event_number(plan.event.id, self._salt) == plan.number

    def _refuse_known(self, plans: Sequence[Plan], made: Sequence[bool]) -> None:
        known: dict[tuple[str, str], int] = {}
        for plan, own in zip(plans, made, strict=True):
            number = plan.number if own and plan.number in self._events else None
            if not own:
                number = self._keys.get((plan.workspace_id, plan.event.id)) or self._made(plan)
            if number is not None:
                known[plan.event.workspace, plan.event.id] = number
        if known:
            raise DuplicateEventsError(known)
        named = {(p.workspace_id, p.event.id) for p in plans}
        numbers = [n for p in plans for n in (p.number, *(d.id for d in p.deliveries))]
        taken = any(n in self._events or n in self._deliveries for n in numbers)
        if taken or len(named) < len(plans) or any(a == b for a, b in pairwise(sorted(numbers))):
            raise StoreError("a batch names an event twice, or a number that is taken")

    def _made(self, plan: Plan) -> int | None:
        number = made_event_number(plan.event.id, self._salt)
        event = self._events.get(number) if number is not None else None
        return number if event and event.made and event.plan.workspace_id == plan.workspace_id else None

    def _end_all(
        self, destination_id: int, below: int, state: DeliveryState, reason: str, held: Collection[int]
    ) -> int:
        self._write()
        waiting = self._waiting.get(destination_id, {})
        kept_back = frozenset(held)
        going = [kept for number, kept in waiting.items() if number < below and number not in kept_back]
        for kept in going:
            self._end(kept, state, reason)
        return len(going)
