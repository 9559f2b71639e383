"""Makes what stores keep, for the store suites: a clock that stands still, names, plans, attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from alertd.engine.plan import Plan
from alertd.model.delivery import Attempt, Delivery, DeliveryState, Outcome, OutcomeKind
from alertd.model.event import Event, with_id
from alertd.model.ids import IdSource, made_event_id
from alertd.model.severity import BY_WORD
from alertd.model.verdict import Verdict, VerdictCode
from alertd.store.base import Batch

if TYPE_CHECKING:
    from alertd.model.ids import NameKey
    from alertd.store.base import Store

START_MS = 1_800_000_000_000
NAMES: list[NameKey] = [
    ("workspace", "default", "default"),
    ("workspace", "other", "other"),
    *(("destination", "default", f"d{n}") for n in range(3)),
    ("destination", "other", "d0"),
    *(("subscription", "default", f"s{n}") for n in range(2)),
    *(("channel", "default", f"c{n}") for n in range(2)),
]
"""Interned into a fresh store in this order, so their numbers are 1, 2, …"""


class StillClock:
    """A clock that moves when told to."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        """Say what was set."""
        return self.ms

    def wall_seconds(self) -> int:
        """Say what was set."""
        return self.ms // 1000

    def monotonic(self) -> float:
        """Say what was set."""
        return self.ms / 1000


class Maker:
    """Makes plans for one store; every number comes from one source, as in the daemon."""

    def __init__(self, clock: StillClock, salt: int, floor: int = 0) -> None:
        self.clock = clock
        self.salt = salt
        self.ids = IdSource(clock, floor)

    def plan(
        self,
        event_id: str | None = None,
        *,
        to: tuple[int, ...] = (3,),
        workspace: str = "default",
        event_type: str = "run:failed",
        verdicts: list[Verdict] | None = None,
        **fields: str,
    ) -> Plan:
        """Plan one event with a delivery to each destination; without an id it gets a made one."""
        number = self.ids.take(1 + len(to))
        body = {**({"id": event_id} if event_id is not None else {}), "type": event_type, **fields}
        severity = BY_WORD[fields.get("severity", "info")]
        event = Event(
            event_type, event_id or "", workspace, fields.get("project", ""), fields.get("environment", ""), severity, "",
            event_type, body, orjson.dumps(body),
        )  # fmt: skip
        if event_id is None:
            with_id(event, made_event_id(number, self.salt))
        now = self.clock.now_ms()
        deliveries = [
            Delivery(number + 1 + i, number, d, 7, 5, 0, now, event_type, event.payload) for i, d in enumerate(to)
        ]
        if verdicts is None:
            verdicts = [Verdict(7, 5, VerdictCode.SENT)] if to else []
        return Plan(event, number, 1 if workspace == "default" else 2, bool(to), verdicts, deliveries, {})

    async def stored(self, store: Store, event_id: str | None = None, **options: object) -> Plan:
        """Plan one event and commit it."""
        plan = self.plan(event_id, **options)  # type: ignore[arg-type]  # options by name
        await store.commit(Batch(1, [plan]))
        return plan

    def attempt(
        self, delivery_id: int, number: int = 1, state: DeliveryState = DeliveryState.DELIVERED, wait_ms: int = 1000
    ) -> Attempt:
        """Make an attempt whose outcome fits its delivery's new state."""
        kinds = {DeliveryState.DELIVERED: OutcomeKind.DELIVERED, DeliveryState.RETRYING: OutcomeKind.RETRY_LATER}
        kind = kinds.get(state, OutcomeKind.REJECTED)
        good = kind is OutcomeKind.DELIVERED
        outcome = Outcome(
            kind, 200 if good else 503, "" if good else f"try {number} failed", f"answer {number}".encode()
        )
        now = self.clock.now_ms()
        next_at = now + wait_ms if state is DeliveryState.RETRYING else None
        return Attempt(delivery_id, number, now, 1500 + number, outcome, state, next_at)
