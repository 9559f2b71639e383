"""A small world for lanes: a store in memory, scripted destinations, and a loop whose time runs only when all wait."""
# ruff: noqa: D102 - the fakes obey protocols that say it

from __future__ import annotations

import asyncio
import random
import selectors
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from alertd.delivery.dispatcher import Dispatcher
from alertd.delivery.hub import Hub
from alertd.delivery.naming import Naming
from alertd.delivery.spec import LaneSpec
from alertd.errors import ConflictError, NotFoundError, StoreUnavailableError
from alertd.metrics import Metrics
from alertd.model.delivery import DELIVERED, Delivery, DeliveryState, Outcome, OutcomeKind
from alertd.model.destination import BreakerOptions, DeliveryOptions, QueueOptions, RetryOptions
from alertd.model.ids import IdSource, milliseconds
from alertd.store.base import DestinationState, Due

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pydantic import BaseModel

    from alertd.destinations.base import Message
    from alertd.model.delivery import Attempt
    from alertd.model.ids import NameKey
    from alertd.store.resource import AuditEntry

START_MS = 1_800_000_000_000

RETRY = Outcome(OutcomeKind.RETRY_LATER, 503, "returned 503")
AMBIGUOUS = Outcome(OutcomeKind.AMBIGUOUS, None, "timed out")
REJECTED = Outcome(OutcomeKind.REJECTED, 400, "returned 400")
GONE = Outcome(OutcomeKind.GONE, 410, "returned 410")
OK = DELIVERED


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: where the loop would wait, its time jumps."""

    loop: SimulatedLoop

    @override
    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            ready = super().select(5)
            if not ready:
                raise AssertionError("everything waits for ever")
        elif not ready and timeout:
            self.loop.now += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop with simulated time: no test waits for real."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    @override
    def time(self) -> float:
        return self.now


class LoopClock:
    """The loop's time as a clock; `step_ms` moves the wall alone."""

    def __init__(self) -> None:
        self.step_ms = 0

    def now_ms(self) -> int:
        return START_MS + self.step_ms + int((self.monotonic() - 1000) * 1000)

    def wall_seconds(self) -> int:
        return self.now_ms() // 1000

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class Row:
    """A delivery as the store keeps it."""

    delivery: Delivery
    state: DeliveryState = DeliveryState.PENDING
    reason: str = ""
    attempts: list[Attempt] = field(default_factory=list)


class FakeStore:
    """An outbox in memory that checks what it is told. `unavailable` makes every write fail; `delay` slows all calls."""

    def __init__(self, delay: Callable[[], float] = lambda: 0.0) -> None:
        self.rows: dict[int, Row] = {}
        self.states: dict[int, DestinationState] = {}
        self.lines: list[AuditEntry] = []
        self.unavailable = False
        self.broken = False
        self.delay = delay
        self.batches: list[int] = []
        self.recorded = asyncio.Event()
        self.pages: list[tuple[int, int]] = []
        self.reading = self.reading_most = 0

    def add(self, *deliveries: Delivery) -> None:
        for delivery in deliveries:
            self.rows[delivery.id] = Row(delivery)

    def state(self, delivery: Delivery | int) -> DeliveryState:
        return self.rows[delivery if isinstance(delivery, int) else delivery.id].state

    def open_rows(self, destination_id: int, held: Collection[int] = ()) -> list[Row]:
        return [
            row
            for row in self.rows.values()
            if row.delivery.destination_id == destination_id and not row.state.final and row.delivery.id not in held
        ]

    async def _pass(self) -> None:
        await passes(self.delay())

    def _check(self) -> None:
        if self.broken:
            raise RuntimeError("broken store")
        if self.unavailable:
            raise StoreUnavailableError("disk full")

    async def due(self, destination_id: int, now_ms: int, limit: int, held: Collection[int]) -> Due:
        self.reading += 1
        self.reading_most = max(self.reading, self.reading_most)
        try:
            await self._pass()
            self._check()
            rows = [row.delivery for row in self.open_rows(destination_id, held)]
            due = sorted((d for d in rows if d.next_at_ms <= now_ms), key=lambda d: (d.next_at_ms, d.id))
            self.pages.append((destination_id, min(limit, len(due))))
            later = min((d.next_at_ms for d in rows if d.next_at_ms > now_ms), default=None)
            page = [replace(delivery) for delivery in due[:limit]]
            await self._pass()
            return Due(page, later, len(due) > limit)
        finally:
            self.reading -= 1

    async def destinations_with_work(self) -> list[int]:
        return sorted({row.delivery.destination_id for row in self.rows.values() if not row.state.final})

    async def names(self) -> Mapping[int, NameKey]:
        return {number: ("destination", "default", f"d{number}") for number in range(1, 100)}

    async def record(self, attempts: Sequence[Attempt]) -> None:
        await self._pass()
        self._check()
        self.batches.append(len(attempts))
        self.recorded.set()
        for attempt in attempts:
            row = self.rows[attempt.delivery_id]
            assert attempt.number == len(row.attempts) + 1, "attempts are numbered without gaps"
            row.attempts.append(attempt)
            assert not row.state.final, "nothing is attempted after its end"
            row.state = attempt.state
            row.delivery.attempts = attempt.number
            row.delivery.ambiguous |= attempt.outcome.kind is OutcomeKind.AMBIGUOUS
            row.delivery.refused += attempt.outcome.refuses_rate
            if attempt.next_at_ms is not None:
                row.delivery.next_at_ms = attempt.next_at_ms
        await self._pass()

    async def cancel_destination(self, destination_id: int, reason: str, held: Collection[int]) -> int:
        await self._pass()
        self._check()
        return self._end(self.open_rows(destination_id, held), DeliveryState.CANCELLED, reason)

    async def cancel(self, delivery_id: int, reason: str, audit: AuditEntry | None = None) -> DeliveryState:
        await self._pass()
        self._check()
        if delivery_id not in self.rows:
            raise NotFoundError(str(delivery_id))
        row = self.rows[delivery_id]
        before = row.state
        if not before.final:
            self._end([row], DeliveryState.CANCELLED, reason)
            if audit is not None:
                self.lines.append(audit)
        await self._pass()
        return before

    async def expire(self, destination_id: int, created_before_ms: int, reason: str, held: Collection[int]) -> int:
        await self._pass()
        self._check()
        rows = [
            row for row in self.open_rows(destination_id, held) if milliseconds(row.delivery.id) < created_before_ms
        ]
        return self._end(rows, DeliveryState.DEAD, reason)

    async def hasten(self, destination_id: int, held: Collection[int]) -> int:
        await self._pass()
        self._check()
        now_ms = LoopClock().now_ms()
        later = [row for row in self.open_rows(destination_id, held) if row.delivery.next_at_ms > now_ms]
        for row in later:
            row.delivery.next_at_ms = now_ms
        await self._pass()
        return len(later)

    def _end(self, rows: list[Row], state: DeliveryState, reason: str) -> int:
        for row in rows:
            row.state = state
            row.reason = reason
        return len(rows)

    async def replay(self, delivery_id: int, new_id: int, now_ms: int) -> Delivery:
        if not self.rows[delivery_id].state.final:
            raise ConflictError
        again = replace(
            self.rows[delivery_id].delivery,
            id=new_id,
            replay_of=delivery_id,
            attempts=0,
            refused=0,
            next_at_ms=now_ms,
        )
        self.add(again)
        return replace(again)

    async def destination_states(self) -> dict[int, DestinationState]:
        return dict(self.states)

    async def set_destination_state(
        self, destination_id: int, state: DestinationState, audit: Sequence[AuditEntry] = ()
    ) -> None:
        await self._pass()
        self._check()
        self.states[destination_id] = state
        self.lines += audit

    async def outbox_counts(self) -> dict[tuple[int, DeliveryState], int]:
        counts: dict[tuple[int, DeliveryState], int] = defaultdict(int)
        for row in self.rows.values():
            if not row.state.final:
                counts[row.delivery.destination_id, row.state] += 1
        return counts


class Scripted:
    """A destination that answers as it is told: outcomes in turn, then the last one for ever; callables are called."""

    def __init__(self, *outcomes: Outcome | BaseException, seconds: float = 0.0) -> None:
        self.outcomes = list(outcomes) or [OK]
        self.seconds = seconds
        self.gate: asyncio.Event | None = None
        self.messages: list[Message] = []
        self.flying: set[str] = set()
        self.flying_most = 0
        self.cut = 0
        self.closed = 0
        self.times: list[float] = []

    @property
    def sent(self) -> list[str]:
        return [message.delivery_id for message in self.messages]

    async def attempt(self, message: Message) -> Outcome:
        assert not self.closed, "a closed destination is not attempted"
        assert message.delivery_id not in self.flying, "never twice at the same time"
        self.messages.append(message)
        self.times.append(asyncio.get_running_loop().time())
        self.flying.add(message.delivery_id)
        self.flying_most = max(self.flying_most, len(self.flying))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        try:
            if self.seconds:
                await passes(self.seconds)
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cut += 1
            raise
        finally:
            self.flying.discard(message.delivery_id)
        assert not self.closed, "a destination is closed after its last attempt"
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def close(self) -> None:
        self.closed += 1


def options(**given: Any) -> DeliveryOptions:
    """Options by field name, whichever group they belong to."""
    groups: dict[str, type[BaseModel]] = {"queue": QueueOptions, "retry": RetryOptions, "breaker": BreakerOptions}
    made: dict[str, Any] = {}
    for name, model in groups.items():
        made[name] = model(**{key: value for key, value in given.items() if key in model.model_fields})
    return DeliveryOptions(**made)


NAMES = {7: "a-subscription", 8: "a-channel"}
NAMING = Naming(NAMES, lambda alert_id: f"http://alertd/alerts/{alert_id}")


class World:
    """A dispatcher with its surroundings."""

    def __init__(self, *, drain_seconds: float = 5.0, seed: int = 1, store: FakeStore | None = None) -> None:
        self.clock = LoopClock()
        self.store = store or FakeStore()
        self.metrics = Metrics()
        self.hub = Hub()
        self.ids = IdSource(self.clock, max(self.store.rows, default=0))
        self.disabled: list[frozenset[int]] = []
        self.gone: list[tuple[str, str]] = []
        self.random = random.Random(seed)  # noqa: S311 - a test
        self.dispatcher = Dispatcher(
            self.store,
            self.clock,
            self.metrics,
            self.hub,
            drain_seconds=drain_seconds,
            on_disabled=self.disabled.append,
            random=self.random.random,
            on_gone=lambda spec, reason: self.gone.append((spec.name, reason)),
        )
        self.task: asyncio.Task[None] | None = None

    def spec(self, destination: Scripted, number: int = 1, *, enabled: bool = True, **given: Any) -> LaneSpec:
        return LaneSpec(number, "default", f"d{number}", options(**given), enabled, destination)

    def deliveries(self, count: int = 1, number: int = 1) -> list[Delivery]:
        """Make deliveries and commit them."""
        made = []
        for _ in range(count):
            first = self.ids.take(2)
            made.append(Delivery(first + 1, first, number, 7, 8, 0, self.clock.now_ms(), "run:failed", b"{}"))
        self.store.add(*(replace(delivery) for delivery in made))
        return made

    def offer(self, count: int = 1, number: int = 1) -> list[Delivery]:
        made = self.deliveries(count, number)
        self.dispatcher.offer(made)
        return made

    async def start(self, *specs: LaneSpec) -> None:
        await self.dispatcher.apply(specs, NAMING)
        self.task = asyncio.ensure_future(self.dispatcher.run())
        await asyncio.sleep(0)

    async def stop(self) -> None:
        self.dispatcher.stop()
        if self.task is not None:
            await self.task

    async def all_final(self, seconds: float = 1e6) -> None:
        await until(lambda: all(row.state.final for row in self.store.rows.values()), seconds)

    def lane(self, number: int = 1) -> Any:
        return self.dispatcher._lanes[number]

    def sample(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait, in simulated time, until a condition holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        for _ in range(20):
            await asyncio.sleep(0)
            if condition():
                return
        assert loop.time() < deadline, "it never happened"
        await passes(0.001 if seconds <= 60 else min(0.05, seconds / 5000))


async def passes(seconds: float) -> None:
    """Let simulated time pass: only on a loop whose time jumps where it would wait."""
    await asyncio.sleep(seconds)
