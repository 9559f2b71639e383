"""Digests in memory: deliveries that are too many for a destination come together in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from alertd.model.delivery import Delivery, DeliveryState
from alertd.model.digest import DIGEST_TYPE, DIGESTED, EMPTY, Listed
from alertd.model.ids import milliseconds
from alertd.model.severity import BY_WORD, Severity
from alertd.store.digests import PASS_MAX, Spilled
from alertd.store.memory_facts import MemoryFacts
from alertd.store.memory_rows import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Collection

    from alertd.store.digests import Spill


class MemoryDigests(MemoryFacts):
    """What makes digests, and the deliveries that wait."""

    def __init__(self, salt: int) -> None:
        super().__init__(salt)
        self._waiting: dict[int, dict[int, MemoryDelivery]] = {}
        self._newest = 0

    async def waiting(self, destination_id: int, busy: Collection[int]) -> int:
        """How many deliveries wait; digests do not count."""
        return len(self._countable(destination_id, frozenset(busy)))

    async def digest(self, spill: Spill) -> Spilled:
        """Put the newest pending deliveries beyond the bound together."""
        self._write()
        over = len(self._countable(spill.destination_id, spill.busy)) - spill.keep
        waiting = self._countable(spill.destination_id, spill.held)
        pending = sorted((k for k in waiting if k.state is DeliveryState.PENDING), key=_turn)
        chosen = pending[max(0, len(pending) - over) :][:PASS_MAX] if over > 0 else []
        if not chosen:
            return Spilled()
        into = self._open_digest(spill, chosen[0])
        made = into is None
        if into is None:
            into = self._begin_digest(spill, chosen[0])
        d = into.delivery
        known = d.digest or EMPTY
        listed = [Listed(*_of(kept.delivery)) for kept in chosen[: known.missing]]
        events = [orjson.loads(kept.delivery.payload) for kept in chosen]
        worst = max(BY_WORD.get(event.get("severity"), Severity.INFO) for event in events)
        d.digest = known.with_more(len(chosen), listed, worst, (event.get("project") or "" for event in events))
        for kept in chosen:
            kept.digest_id = d.id
            self._end(kept, DeliveryState.CANCELLED, DIGESTED)
        return Spilled(len(chosen), d.id, made)

    def _countable(self, destination_id: int, but: frozenset[int]) -> list[MemoryDelivery]:
        waiting = self._waiting.get(destination_id, {}).values()
        return [kept for kept in waiting if kept.delivery.digest is None and kept.delivery.id not in but]

    def _open_digest(self, spill: Spill, first: MemoryDelivery) -> MemoryDelivery | None:
        """Find the newest digest of this run that was never attempted, if nothing that stays is to come after it."""
        waiting = self._waiting.get(spill.destination_id, {}).values()
        found = [k for k in waiting if k.delivery.replay_of == k.delivery.id >= spill.since]
        last = max(found, key=_turn, default=None)
        if last is None or last.state is not DeliveryState.PENDING or last.delivery.id in spill.held:
            return None
        pending = self._countable(spill.destination_id, frozenset())
        between = (k for k in pending if k.state is DeliveryState.PENDING and _turn(last) < _turn(k) < _turn(first))
        return None if any(between) else last

    def _begin_digest(self, spill: Spill, first: MemoryDelivery) -> MemoryDelivery:
        origin, new_id = first.delivery, spill.new_id
        delivery = Delivery(
            new_id, origin.event_number, spill.destination_id, origin.subscription_id, origin.channel_id, 0, spill.now_ms,
            DIGEST_TYPE, origin.payload, None, new_id, milliseconds(new_id), digest=EMPTY,
        )  # fmt: skip
        kept = MemoryDelivery(delivery)
        self._keep(kept)
        self._newest = max(self._newest, new_id)
        return kept

    def _keep(self, kept: MemoryDelivery) -> None:
        self._deliveries[kept.delivery.id] = kept
        self._by_event.setdefault(kept.delivery.event_number, []).append(kept)
        self._waiting.setdefault(kept.delivery.destination_id, {})[kept.delivery.id] = kept

    def _set_state(self, kept: MemoryDelivery, state: DeliveryState) -> None:
        kept.state = state
        if state.final:
            self._waiting[kept.delivery.destination_id].pop(kept.delivery.id, None)

    def _end(self, kept: MemoryDelivery, state: DeliveryState, reason: str) -> None:
        if not kept.state.final:
            kept.ended = reason
            self._set_state(kept, state)
            self._logged(kept.delivery.id, 0, state)


def _turn(kept: MemoryDelivery) -> tuple[int, int]:
    """Where a delivery stands in its destination's queue."""
    return (kept.delivery.next_at_ms, kept.delivery.id)


def _of(delivery: Delivery) -> tuple[int, int, str | None, bytes]:
    return (delivery.id, delivery.event_number, delivery.trigger, delivery.payload)
