"""Replays in memory: one by one, or many in steps."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from alertd.errors import ConflictError, NotFoundError
from alertd.model.delivery import DeliveryState
from alertd.model.ids import DELIVERY, REPLAY, format_id, milliseconds
from alertd.store.memory_digests import MemoryDigests
from alertd.store.memory_rows import MemoryDelivery
from alertd.store.replaying import AS_IT_WAS, LOOKS, PART, Replay, ReplayRule, ReplayState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.model.delivery import Delivery
    from alertd.store.resource import AuditEntry


class MemoryReplays(MemoryDigests):
    """What sends again."""

    def __init__(self, salt: int) -> None:
        super().__init__(salt)
        self._replays: dict[int, Replay] = {}
        self._origins: dict[int, list[int]] = {}

    async def replay(
        self, origin: int, new_id: int, now_ms: int, rule: ReplayRule = AS_IT_WAS, audit: Sequence[AuditEntry] = ()
    ) -> Delivery:
        """Repeat a final delivery."""
        self._write()
        kept = self._kept(origin)
        if not kept.state.final:
            shown = format_id(DELIVERY, origin)
            raise ConflictError(f"delivery {shown} is {kept.state.word}: only a final one can be replayed")
        self._audit += audit
        return self._repeat(kept.delivery, new_id, now_ms, rule)

    async def replay_many(self, origins: Sequence[tuple[int, int]], now_ms: int, rule: ReplayRule) -> list[Delivery]:
        """Repeat those of some deliveries that are final and bring something."""
        self._write()
        made = []
        for delivery_id, new_id in origins:
            kept = self._deliveries.get(delivery_id)
            if kept is not None and self._brings_something(kept, rule):
                made.append(self._repeat(kept.delivery, new_id, now_ms, rule))
        return made

    async def replayable(self, origins: Sequence[int], rule: ReplayRule) -> int:
        """How many replays would be made of these now."""
        keys: set[Any] = set()
        for kept in (self._deliveries[number] for number in origins if number in self._deliveries):
            d = kept.delivery
            if self._brings_something(kept, rule):
                own = (d.event_number, d.destination_id, d.subscription_id)
                keys.add(d.id if d.digest else own if rule.destination_id is None else own[:1])
        return len(keys)

    async def begin_replay(self, replay: Replay, origins: Sequence[int], audit: Sequence[AuditEntry] = ()) -> None:
        """Keep a replay."""
        self._write()
        self._replays[replay.id] = replay
        self._origins[replay.id] = list(origins)
        self._audit += audit
        self._newest = max(self._newest, replay.id)

    async def step_replay(
        self, replay_id: int, first_id: int, count: int, now_ms: int, present: frozenset[int]
    ) -> tuple[Replay, list[Delivery]]:
        """Deal with the next origins."""
        self._write()
        replay = self._replay(replay_id)
        if replay.state is not ReplayState.RUNNING:
            return replay, []
        end = min(replay.looked + LOOKS, (replay.looked // PART + 1) * PART)
        made: list[Delivery] = []
        looked = replay.looked
        while looked < min(end, replay.total) and len(made) < count:
            pair = (self._origins[replay_id][looked], first_id + len(made))
            made += await self.replay_many([pair], now_ms, replay.rule(present))
            looked += 1
        after = dataclasses.replace(replay, looked=looked, made=replay.made + len(made))
        if after.looked >= after.total:
            after = dataclasses.replace(after, state=ReplayState.DONE, ended_at_ms=now_ms)
        self._save(after)
        return after, made

    async def end_replay(
        self,
        replay_id: int,
        state: ReplayState,
        reason: str,
        now_ms: int,
        audit: Callable[[Replay], AuditEntry] | None = None,
    ) -> Replay:
        """End a replay if it is running."""
        self._write()
        replay = self._replay(replay_id)
        if replay.state is ReplayState.RUNNING:
            replay = dataclasses.replace(replay, state=state, reason=reason, ended_at_ms=now_ms)
            self._save(replay)
            if audit is not None:
                self._audit.append(audit(replay))
        return replay

    async def replay_by_id(self, replay_id: int) -> Replay | None:
        """One replay."""
        return self._replays.get(replay_id)

    async def replays(self, workspace: str | None, below: int | None, limit: int) -> list[Replay]:
        """Replays, newest first."""
        found = [each for each in self._replays.values() if workspace in (None, each.workspace)]
        chosen = [each for each in found if below is None or each.id < below]
        return sorted(chosen, key=lambda each: each.id, reverse=True)[:limit]

    async def running_replays(self) -> list[Replay]:
        """Those that go on, oldest first."""
        running = [each for each in self._replays.values() if each.state is ReplayState.RUNNING]
        return sorted(running, key=lambda each: each.id)

    def _forget_replays(self, before_ms: int) -> None:
        over = [r.id for r in self._replays.values() if r.ended_at_ms is not None and r.ended_at_ms < before_ms]
        for number in over:
            del self._replays[number]

    def _save(self, replay: Replay) -> None:
        """Note how far a replay is; one that ended needs its origins no more."""
        self._replays[replay.id] = replay
        if replay.state is not ReplayState.RUNNING:
            del self._origins[replay.id]

    def _replay(self, replay_id: int) -> Replay:
        found = self._replays.get(replay_id)
        if found is None:
            raise NotFoundError(f"there is no replay {format_id(REPLAY, replay_id)}")
        return found

    def _repeat(self, origin: Delivery, new_id: int, now_ms: int, rule: ReplayRule) -> Delivery:
        again = dataclasses.replace(
            origin,
            id=new_id,
            destination_id=origin.destination_id if rule.destination_id is None else rule.destination_id,
            attempts=0,
            next_at_ms=now_ms,
            replay_of=origin.id,
            created_at_ms=milliseconds(new_id),
            ambiguous=False,
            refused=0,
        )
        asked = rule.actor or rule.replay_id is not None
        self._keep(MemoryDelivery(again, actor=rule.actor if asked else None, replay_id=rule.replay_id))
        self._newest = max(self._newest, new_id)
        return dataclasses.replace(again)

    def _brings_something(self, origin: MemoryDelivery, rule: ReplayRule) -> bool:
        """Whether a replay is made of one under this rule."""
        reaches = origin.state.final and rule.reaches(origin.delivery.destination_id)
        return reaches and not self._has_it(origin.delivery, rule)

    def _has_it(self, origin: Delivery, rule: ReplayRule) -> bool:
        """Whether the destination has, or is about to have, what an origin would bring it."""
        to = origin.destination_id if rule.destination_id is None else rule.destination_id
        return any(
            _brings_the_same(other.delivery, origin)
            and other.delivery.id >= rule.since
            and other.delivery.destination_id == to
            and other.state not in (DeliveryState.DEAD, DeliveryState.CANCELLED)
            and (rule.destination_id is not None or other.delivery.subscription_id == origin.subscription_id)
            for other in self._of(origin.event_number)
        )

    def _kept(self, delivery_id: int) -> MemoryDelivery:
        kept = self._deliveries.get(delivery_id)
        if kept is None:
            raise NotFoundError(f"there is no delivery {format_id(DELIVERY, delivery_id)}")
        return kept


def _brings_the_same(other: Delivery, origin: Delivery) -> bool:
    """Whether one is a replay of the same event, or another delivery of it; of a digest only its own replays count."""
    if origin.digest:
        return other.id != other.replay_of and origin.id in (other.replay_of, other.id)
    return not other.digest and (other.replay_of is not None or other.id != origin.id)
