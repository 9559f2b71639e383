"""Facts, in memory."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from alertd.model.delivery import DeliveryState
from alertd.model.event import is_simulated
from alertd.model.ids import milliseconds
from alertd.store.facts import KeptFacts, PastDelivery, PastEvent
from alertd.store.memory_following import MemoryFollowing

if TYPE_CHECKING:
    from alertd.store.memory_rows import MemoryDelivery


class MemoryFacts(MemoryFollowing):
    """What is folded from the history."""

    def __init__(self, salt: int) -> None:
        super().__init__(salt)
        self._facts = KeptFacts()

    async def facts(self) -> KeptFacts:
        """Everything that was kept."""
        kept = self._facts
        about = {number: copy(facts) for number, facts in kept.subscriptions.items()}
        return KeptFacts(kept.through, kept.ended, about, {key: copy(facts) for key, facts in kept.types.items()})

    async def keep_facts(self, changed: KeptFacts) -> None:
        """Keep what has changed."""
        self._write()
        kept = self._facts
        if changed.through is not None:
            kept.through, kept.ended = changed.through, changed.ended
        kept.subscriptions |= {number: copy(facts) for number, facts in changed.subscriptions.items()}
        kept.types |= {key: copy(facts) for key, facts in changed.types.items()}
        for key in changed.forgotten:
            kept.types.pop(key, None)

    async def events_after(self, number: int, limit: int) -> list[PastEvent]:
        """Stored events with greater numbers."""
        found = sorted(each for each in self._events if each > number)[:limit]
        events = [self._events[each] for each in found]
        return [
            PastEvent(e.plan.number, e.plan.workspace_id, e.plan.event.type, e.verdicts, is_simulated(e.payload))
            for e in events
        ]

    async def ended_after(self, number: int, limit: int) -> list[PastDelivery]:
        """Deliveries with greater ids that were delivered or are dead."""
        ends = {DeliveryState.DELIVERED, DeliveryState.DEAD}
        found = sorted(each for each, kept in self._deliveries.items() if each > number and kept.state in ends)
        return [_past(self._deliveries[each]) for each in found[:limit]]


def _past(kept: MemoryDelivery) -> PastDelivery:
    delivery = kept.delivery
    last = kept.attempts[-1] if kept.attempts and kept.ended is None else None
    at_ms = milliseconds(delivery.id) if last is None else last.started_at_ms
    detail = (kept.ended or "") if last is None else last.outcome.detail
    mark = is_simulated(delivery.payload)
    return PastDelivery(delivery.id, delivery.subscription_id, kept.state, at_ms, detail, mark, delivery.also)
