"""The store in memory: the same promises as the others but durability. For tests and trials, and as the model of what a
store must do.

Nothing here awaits, so every method is one step for everybody else.
"""  # noqa: D205 - one thought, two lines

from __future__ import annotations

import dataclasses
import secrets
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from alertd.errors import (
    ConflictError,
    DuplicateEventsError,
    NotFoundError,
    StoreError,
    StoreUnavailableError,
)
from alertd.model.delivery import Delivery, DeliveryState, OutcomeKind
from alertd.model.ids import first_of, made_event_number, milliseconds
from alertd.model.verdict import encode
from alertd.store.base import DestinationState, Due, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from alertd.clock import Clock
    from alertd.engine.plan import CooldownKey, Plan
    from alertd.model.delivery import Attempt
    from alertd.model.token import Token
    from alertd.store.base import Batch, Filter, NameKey, Partition, RejectedRecord

_END = (1 << 63) - 1
_FIELDS = {"project": "", "environment": "", "severity": "info"}


@dataclass(slots=True)
class _Event:
    plan: Plan
    id: str
    made: bool
    revision: int
    payload: bytes
    verdicts: bytes

    def view(self) -> dict[str, Any]:
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
class _Kept:
    """A delivery as it is kept: as planned, its state, and its attempts (`ended`: none of them is its last word)."""

    delivery: Delivery
    state: DeliveryState = DeliveryState.PENDING
    attempts: list[Attempt] = field(default_factory=list)
    ended: str | None = None

    def view(self, workspace_id: int) -> dict[str, Any]:
        d = self.delivery
        last = self.attempts[-1] if self.attempts and self.ended is None else None
        return {
            "id": d.id,
            "event_number": d.event_number,
            "event_type": d.event_type,
            "payload": d.payload,
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
            "detail": last.outcome.detail if last else self.ended or "",
            "answer": last.outcome.answer if last else b"",
            "replay_of": d.replay_of,
        }


class MemoryStore:
    """Every protocol of `alertd.store.base`; `salt` is random unless given."""

    def __init__(self, clock: Clock, salt: int | None = None) -> None:
        self._clock = clock
        self._salt = secrets.randbits(54) if salt is None else salt
        self._closed = False
        self._events: dict[int, _Event] = {}
        self._keys: dict[tuple[int, str], int] = {}
        self._deliveries: dict[int, _Kept] = {}
        self._waiting: dict[int, dict[int, _Kept]] = {}
        self._by_event: dict[int, list[_Kept]] = {}
        self._positions: dict[Partition, int] = {}
        self._cooldowns: dict[CooldownKey, int] = {}
        self._rejected: dict[int, RejectedRecord] = {}
        self._states: dict[int, DestinationState] = {}
        self._tokens: dict[int, Token] = {}
        self._names: dict[int, NameKey] = {}
        self._meta: dict[str, str] = {}
        self._newest = 0

    # -- the pipeline ---------------------------------------------------------------------------------------------

    async def commit(self, batch: Batch) -> None:
        """Store a batch, all of it or nothing."""
        self._write()
        made = [self._is_made(plan) for plan in batch.plans]
        self._refuse_known(batch.plans, made)
        for plan, own in zip(batch.plans, made, strict=True):
            event = plan.event
            self._events[plan.number] = _Event(
                plan, event.id, own, batch.revision, event.payload, encode(plan.verdicts)
            )
            if not own:
                self._keys[plan.workspace_id, event.id] = plan.number
            for delivery in plan.deliveries:
                self._keep(_Kept(dataclasses.replace(delivery, attempts=0, created_at_ms=milliseconds(delivery.id))))
            self._newest = max(self._newest, plan.number, *(d.id for d in plan.deliveries))
        self._positions.update(batch.positions)
        self._cooldowns.update(batch.cooldowns)
        self._rejected.update({record.id: record for record in batch.rejected})
        self._newest = max(self._newest, *(record.id for record in batch.rejected), 0)

    async def positions(self) -> dict[Partition, int]:
        """All positions."""
        return dict(self._positions)

    async def set_position(self, partition: Partition, offset: int) -> None:
        """Move a position."""
        self._write()
        self._positions[partition] = offset

    async def cooldowns(self, now_ms: int) -> dict[CooldownKey, int]:
        """All cooldowns that still rest."""
        return {key: until for key, until in self._cooldowns.items() if until > now_ms}

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
            if attempt.next_at_ms is not None:
                kept.delivery.next_at_ms = attempt.next_at_ms
            self._move(kept, attempt.state)

    async def cancel_destination(self, destination_id: int, reason: str, held: Collection[int]) -> int:
        """Cancel what waits."""
        return self._end_all(destination_id, _END, DeliveryState.CANCELLED, reason, held)

    async def cancel(self, delivery_id: int, reason: str) -> DeliveryState:
        """Cancel one delivery if it waits."""
        self._write()
        kept = self._kept(delivery_id)
        self._end(kept, DeliveryState.CANCELLED, reason)
        return kept.state

    async def expire(self, destination_id: int, created_before_ms: int, reason: str, held: Collection[int]) -> int:
        """Make dead what was made before a time."""
        return self._end_all(destination_id, first_of(created_before_ms), DeliveryState.DEAD, reason, held)

    async def replay(self, delivery_id: int, new_id: int, now_ms: int) -> Delivery:
        """Repeat a final delivery."""
        self._write()
        kept = self._kept(delivery_id)
        if not kept.state.final:
            raise ConflictError(f"delivery {delivery_id} is {kept.state.word}: only a final one can be replayed")
        made_at = milliseconds(new_id)
        again = dataclasses.replace(
            kept.delivery, id=new_id, attempts=0, next_at_ms=now_ms, replay_of=delivery_id, created_at_ms=made_at
        )
        self._keep(_Kept(again))
        self._newest = max(self._newest, new_id)
        return dataclasses.replace(again)

    async def destination_states(self) -> dict[int, DestinationState]:
        """Everything kept about destinations."""
        return dict(self._states)

    async def set_destination_state(self, destination_id: int, state: DestinationState) -> None:
        """Keep a destination's state."""
        self._write()
        self._states[destination_id] = state

    async def outbox_counts(self) -> dict[tuple[int, DeliveryState], int]:
        """What waits, counted."""
        counts: dict[tuple[int, DeliveryState], int] = {}
        for destination_id, waiting in self._waiting.items():
            for kept in waiting.values():
                key = (destination_id, kept.state)
                counts[key] = counts.get(key, 0) + 1
        return counts

    # -- history --------------------------------------------------------------------------------------------------

    async def events(self, which: Filter, *, matched: bool | None = None) -> Page:
        """Events, newest first."""

        def fits(event: _Event) -> bool:
            return (
                self._event_fits(event, which)
                and matched in (None, event.plan.matched)
                and which.alert_number in (None, event.plan.number)
                and (
                    (which.destination, which.subscription, which.state) == (None, None, None)
                    or any(self._delivery_fits(kept, which) for kept in self._of(event.plan.number))
                )
            )

        chosen = [(number, event.view) for number, event in self._events.items() if fits(event)]
        return _page(which, chosen)

    async def event(self, workspace: str, event_id: str) -> dict[str, Any] | None:
        """One event by its own id."""
        workspace_ids = self._numbers("workspace", workspace)
        numbers = [self._keys[w, event_id] for w in workspace_ids if (w, event_id) in self._keys]
        made = made_event_number(event_id, self._salt)
        if not numbers and made in self._events and self._events[made].made:
            numbers = [made]
        found = [self._events[n] for n in numbers if self._events[n].plan.workspace_id in workspace_ids]
        return found[0].view() if found else None

    async def event_by_number(self, number: int) -> dict[str, Any] | None:
        """One event by its number."""
        event = self._events.get(number)
        return event.view() if event else None

    async def deliveries(self, which: Filter) -> Page:
        """Deliveries, newest first."""
        chosen = [
            (number, self._viewer(kept))
            for number, kept in self._deliveries.items()
            if self._delivery_fits(kept, which)
            and self._event_fits(self._events[kept.delivery.event_number], which)
            and which.alert_number in (None, kept.delivery.event_number)
        ]
        return _page(which, chosen)

    async def delivery(self, delivery_id: int) -> dict[str, Any] | None:
        """One delivery."""
        kept = self._deliveries.get(delivery_id)
        return self._viewer(kept)() if kept else None

    async def attempts(self, delivery_id: int) -> list[dict[str, Any]]:
        """All attempts of a delivery."""
        kept = self._deliveries.get(delivery_id)
        return [_attempt_view(attempt) for attempt in kept.attempts] if kept else []

    async def rejected(self, which: Filter) -> Page:
        """Rejected records, newest first."""
        chosen = [
            (number, lambda record=record: self._rejected_view(record))
            for number, record in self._rejected.items()
            if which.workspace in (None, record.workspace)
        ]
        return _page(dataclasses.replace(which, since_ms=None, until_ms=None), chosen)

    # -- tokens, names, facts -------------------------------------------------------------------------------------

    async def tokens(self) -> list[Token]:
        """All tokens."""
        return [self._tokens[number] for number in sorted(self._tokens)]

    async def add_token(self, token: Token) -> None:
        """Keep a token."""
        self._write()
        taken = {(t.workspace or "", t.name) for t in self._tokens.values()}
        digests = {t.digest for t in self._tokens.values()}
        if token.id in self._tokens or (token.workspace or "", token.name) in taken or token.digest in digests:
            raise ConflictError(f"a token {token.name!r}, or one with its secret, is kept already")
        self._tokens[token.id] = token

    async def remove_token(self, token_id: int) -> None:
        """Forget a token."""
        self._write()
        if self._tokens.pop(token_id, None) is None:
            raise NotFoundError(f"there is no token {token_id}")

    async def intern(self, keys: Sequence[NameKey]) -> dict[NameKey, int]:
        """Numbers of names."""
        self._write()
        known = {key: number for number, key in self._names.items()}
        for key in keys:
            if key not in known:
                known[key] = len(self._names) + 1
                self._names[known[key]] = key
        return {key: known[key] for key in keys}

    async def names(self) -> Mapping[int, NameKey]:
        """Every name."""
        return dict(self._names)

    async def get_meta(self, key: str) -> str | None:
        """A small fact."""
        return self._meta.get(key)

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a small fact."""
        self._write()
        self._meta[key] = value

    # -- housekeeping ---------------------------------------------------------------------------------------------

    @property
    def salt(self) -> int:
        """The constant in ids made for events."""
        return self._salt

    async def newest_number(self) -> int:
        """The greatest number ever given."""
        return self._newest

    async def retain(self, before_ms: int, limit: int) -> int:
        """Delete old events that are done with."""
        self._write()
        below = first_of(before_ms)
        old = sorted(number for number in self._events if number < below)
        going = [n for n in old if all(kept.state.final for kept in self._of(n))][:limit]
        for number in going:
            for kept in self._by_event.pop(number, ()):
                del self._deliveries[kept.delivery.id]
            event = self._events.pop(number)
            self._keys.pop((event.plan.workspace_id, event.id), None)
        if not going:
            self._rejected = {number: r for number, r in self._rejected.items() if number >= below}
            now_ms = self._clock.now_ms()
            self._cooldowns = {key: until for key, until in self._cooldowns.items() if until > now_ms}
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

    def _write(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the store is closed")

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

    def _keep(self, kept: _Kept) -> None:
        self._deliveries[kept.delivery.id] = kept
        self._by_event.setdefault(kept.delivery.event_number, []).append(kept)
        self._waiting.setdefault(kept.delivery.destination_id, {})[kept.delivery.id] = kept

    def _kept(self, delivery_id: int) -> _Kept:
        kept = self._deliveries.get(delivery_id)
        if kept is None:
            raise NotFoundError(f"there is no delivery {delivery_id}")
        return kept

    def _move(self, kept: _Kept, state: DeliveryState) -> None:
        kept.state = state
        if state.final:
            self._waiting[kept.delivery.destination_id].pop(kept.delivery.id, None)

    def _end(self, kept: _Kept, state: DeliveryState, reason: str) -> None:
        if not kept.state.final:
            kept.ended = reason
            self._move(kept, state)

    def _end_all(
        self, destination_id: int, below: int, state: DeliveryState, reason: str, held: Collection[int]
    ) -> int:
        self._write()
        waiting = self._waiting.get(destination_id, {})
        going = [kept for number, kept in waiting.items() if number < below and number not in frozenset(held)]
        for kept in going:
            self._end(kept, state, reason)
        return len(going)

    def _of(self, number: int) -> Sequence[_Kept]:
        return self._by_event.get(number, ())

    def _numbers(self, kind: str, name: str, workspace: str | None = None) -> list[int]:
        return [
            number
            for number, key in self._names.items()
            if (key[0], key[2]) == (kind, name) and (kind == "workspace" or workspace in (None, key[1]))
        ]

    def _event_fits(self, event: _Event, which: Filter) -> bool:
        if which.workspace is not None and event.plan.workspace_id not in self._numbers("workspace", which.workspace):
            return False
        if which.type not in (None, event.plan.event.type):
            return False
        wanted = {name: getattr(which, name) for name in _FIELDS if getattr(which, name) is not None}
        body = orjson.loads(event.payload) if wanted else {}
        return all((body.get(name) or _FIELDS[name]) == value for name, value in wanted.items())

    def _delivery_fits(self, kept: _Kept, which: Filter) -> bool:
        d = kept.delivery
        for kind, name, number in (
            ("destination", which.destination, d.destination_id),
            ("subscription", which.subscription, d.subscription_id),
        ):
            if name is not None and number not in self._numbers(kind, name, which.workspace):
                return False
        return which.state is None or kept.state.word == which.state

    def _viewer(self, kept: _Kept) -> Callable[[], dict[str, Any]]:
        return lambda: kept.view(self._events[kept.delivery.event_number].plan.workspace_id)

    def _rejected_view(self, record: RejectedRecord) -> dict[str, Any]:
        view = dataclasses.asdict(record)
        numbers = self._numbers("workspace", view.pop("workspace"))
        return {"workspace_id": numbers[0] if numbers else None, **view}


def _page(which: Filter, rows: Iterable[tuple[int, Callable[[], dict[str, Any]]]]) -> Page:
    low = 0 if which.since_ms is None else first_of(which.since_ms)
    below = min(
        _END if which.below is None else which.below, _END if which.until_ms is None else first_of(which.until_ms)
    )
    chosen = sorted((row for row in rows if low <= row[0] < below), key=lambda row: row[0], reverse=True)
    items = [view() for _, view in chosen[: which.limit]]
    return Page(items, chosen[which.limit - 1][0] if len(chosen) > which.limit else None)


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at_ms": attempt.started_at_ms,
        "duration_us": attempt.duration_us,
        "outcome": attempt.outcome.kind,
        "status": attempt.outcome.status,
        "detail": attempt.outcome.detail,
        "answer": attempt.outcome.answer,
    }
