"""The dispatcher: the service that owns all lanes, and what the rest of alertd knows of delivery.

It has no deliveries of its own: everything that is not final is in the store, and what a lane holds in memory is only
the part that it is working on.
"""

from __future__ import annotations

import asyncio
import random as randomness
from typing import TYPE_CHECKING, Any, Final

import structlog

from alertd.delivery.cancelling import Canceller
from alertd.delivery.endpoint import closed
from alertd.delivery.expiry import Expiry
from alertd.delivery.feeder import Feeder
from alertd.delivery.hastening import Hastener
from alertd.delivery.headway import Headway
from alertd.delivery.lane import Lane
from alertd.delivery.naming import Naming
from alertd.delivery.outcomes import OutcomeLog
from alertd.delivery.persistence import to_the_end
from alertd.delivery.removal import Removals
from alertd.delivery.rounds import Rounds
from alertd.delivery.snapshot import SWITCHED_OFF, LaneSnapshot, snapshot_of
from alertd.delivery.spec import LaneSpec
from alertd.delivery.spiller import Spiller
from alertd.delivery.states import StateKeeper
from alertd.delivery.surroundings import Surroundings
from alertd.errors import ConflictError, NotFoundError
from alertd.store.base import DestinationState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence

    from alertd.clock import Clock
    from alertd.delivery.hub import Hub
    from alertd.destinations.base import Message, OpenDestination
    from alertd.metrics import Metrics
    from alertd.model.delivery import Attempt, Delivery, Outcome
    from alertd.model.ids import IdSource
    from alertd.store.base import OutboxStore
    from alertd.store.resource import AuditEntry

__all__ = ["Dispatcher", "LaneSnapshot", "LaneSpec"]

CUT_SECONDS: Final = 0.5
"""How long attempts that were cancelled at the end of the drain may take to end."""
FLUSH_SECONDS: Final = 1.25
"""How long the last outcomes may take to be stored at shutdown; what is not stored by then is sent again after a restart."""
STATE_SECONDS: Final = 5.0
"""How long `enable` and `disable` wait for the store."""

GONE: Final = "gone: "
"""How the reason begins of a destination that was disabled by what its receiver said."""

_NOTHING: Final = DestinationState()
_log = structlog.get_logger("alertd.delivery")


class Dispatcher:
    """Delivers. Call `apply` before `run`; `offer` after each commit.

    `on_disabled` hears the ids of all destinations that take nothing now, whenever they change; `on_ended` each attempt
    after which its delivery is delivered or dead; `on_gone` why a receiver that wants nothing more was disabled. `random`
    gives [0, 1); `ids` numbers digests (None: none are made).
    """

    name = "dispatcher"

    def __init__(
        self,
        store: OutboxStore,
        clock: Clock,
        metrics: Metrics,
        hub: Hub,
        *,
        drain_seconds: float = 5.0,
        on_disabled: Callable[[frozenset[int]], None] = lambda _: None,
        random: Callable[[], float] = randomness.random,
        on_ended: Callable[[Delivery, Attempt], None] = lambda delivery, attempt: None,
        ids: IdSource | None = None,
        on_gone: Callable[[LaneSpec, str], None] = lambda spec, reason: None,
    ) -> None:
        self._store, self._clock, self._drain_seconds = store, clock, drain_seconds
        self._on_disabled, self._on_gone = on_disabled, on_gone
        self._lanes: dict[int, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._applying = asyncio.Lock()
        self._loaded = self._running = self._stopping = False
        self._wake = asyncio.Event()
        self._error: BaseException | None = None
        self._disabled: frozenset[int] = frozenset()
        self._outcomes = OutcomeLog(store, self._fail, on_stored=hub.ring)
        self.headway = Headway(self._lanes.values, self._outcomes, clock)
        self._feeder = Feeder(store, clock, self._fail)
        self._states = StateKeeper(store, self._state_of, self._fail)
        spiller = None if ids is None else Spiller(store, clock, ids)
        self._rounds = Rounds(self._lanes.values, Expiry(store, clock), spiller, self._fail)
        self._removals = Removals(store, self._background, self._all_lanes)
        self._hastener = Hastener(store, self._background)
        self._around: Surroundings[Lane] = Surroundings(
            clock=clock,
            random=random,
            metrics=metrics,
            reached=metrics.event_to_delivery_seconds.labels().observe,
            outcomes=self._outcomes,
            naming=Naming({}, str),
            ask=self._feeder.ask,
            gone=self._gone,
            paused=lambda lane: self._states.changed(lane.spec.destination_id),
            close=self._close,
            fail=self._fail,
            flying={},
            barred=set(),
            ended=on_ended,
        )
        self._canceller = Canceller(store, self._around, self._all_lanes)

    # ------------------------------------------------------------------ the ruleset

    async def apply(self, specs: Iterable[LaneSpec], naming: Naming) -> None:
        """Take the destinations of a ruleset: at start, and at every reload, in one step.

        New ones get a lane, changed ones go on with the new options, also where what they were before was refused for good;
        removed ones end what is in flight, the rest of theirs is cancelled. Raises StoreUnavailableError at the start alone.
        """
        async with self._applying:
            wanted = {spec.destination_id: spec for spec in specs}
            states: dict[int, DestinationState] = {}
            work: Sequence[int] = ()
            if not self._loaded:
                states = await self._store.destination_states()
                work = await self._store.destinations_with_work()
            await self._removals.swept(wanted)
            self._around.naming = naming
            for destination_id in [known for known in self._lanes if known not in wanted]:
                self._remove(destination_id)
            for spec in wanted.values():
                self._take(spec, states.get(spec.destination_id))
            for destination_id in set(work) - wanted.keys():
                self._removals.remove(destination_id)
            for destination_id in {known for known, state in states.items() if state != _NOTHING} - wanted.keys():
                self._states.changed(destination_id)
            self._start_with(work if not self._loaded else ())
            self._loaded = True
            self._tell_disabled()

    def rename(self, naming: Naming) -> None:
        """Take the names of a ruleset whose destinations are those of the one before."""
        self._around.naming = naming

    def log_successes(self, *, on: bool) -> None:
        """Say of each delivered attempt in the log, or of none."""
        self._around.debug = on

    @property
    def disabled(self) -> frozenset[int]:
        """Ids of all destinations that take nothing now."""
        return self._disabled

    def _take(self, spec: LaneSpec, state: DestinationState | None) -> None:
        if (lane := self._lanes.get(spec.destination_id)) is not None:
            is_another = not spec.is_same_receiver(lane.spec)
            lane.update(spec)
            if is_another:
                if lane.disabled_reason.startswith(GONE):  # a new secret, say: the old one was refused
                    self._enable(lane)
                self._hastener.hasten(lane)
            return
        lane = self._lanes[spec.destination_id] = Lane(spec, self._around)
        lane.backlog.held |= self._removals.held(spec.destination_id)
        if state is not None:
            lane.restore(state)
        if self._running:
            lane.start()

    def _remove(self, destination_id: int) -> None:
        """See a lane out; what the store keeps about it goes as well, so that it begins anew if it ever comes back."""
        if self._state_of(destination_id) != _NOTHING:
            self._states.changed(destination_id)
        self._removals.remove(destination_id, self._lanes.pop(destination_id))

    def _start_with(self, work: Iterable[int]) -> None:
        for destination_id in work:
            lane = self._lanes.get(destination_id)
            if lane is not None:
                lane.backlog.behind = lane.backlog.unseen = True

    # ------------------------------------------------------------------ deliveries

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take fresh deliveries, in the very step that learnt of their commit; what finds no room is read later."""
        if self._stopping:
            return
        lanes = self._lanes
        touched = set()
        for delivery in deliveries:
            lane = lanes.get(delivery.destination_id)
            if lane is None:
                self._removals.remove(delivery.destination_id)
            else:
                lane.backlog.take(delivery)
                touched.add(lane)
        for lane in touched:
            lane.pump()

    @property
    def in_flight(self) -> Collection[int]:
        """The deliveries that are being attempted now."""
        return self._around.flying.keys()

    async def cancel(
        self, delivery_id: int, destination_id: int | None = None, audit: AuditEntry | None = None
    ) -> None:
        """Cancel a delivery that waits, and keep `audit` if this call did it; cancelling it twice, or at once, is fine.

        Raises NotFoundError, ConflictError when it is in flight or final, StoreUnavailableError. `destination_id`, if
        known, is only for the metric.
        """
        await self._canceller.cancel(delivery_id, audit, self._lanes.get(destination_id or 0))

    # ------------------------------------------------------------------ destinations

    async def disable(self, destination_id: int, reason: str, audit: AuditEntry | None = None) -> None:
        """Send nothing more to a destination until `enable`; its deliveries wait. Keep `audit` with that if this call did it.

        Raises NotFoundError; StoreUnavailableError when it is in force but not stored yet (it will be), or too much waits.
        """
        lane = self._lane(destination_id)
        if lane.disabled_reason != reason:
            self._states.check_room(destination_id)
            self._disable(lane, reason, audit)
        await self._states.flush(STATE_SECONDS)

    async def enable(self, destination_id: int, audit: AuditEntry | None = None) -> None:
        """Send again, and now, what waits; `audit` as in `disable`. Raises NotFoundError, ConflictError when its configuration has it off, and as `disable`."""
        lane = self._lane(destination_id)
        if not lane.spec.enabled:
            raise ConflictError(f"the destination is {SWITCHED_OFF}")
        if lane.disabled_reason:
            self._states.check_room(destination_id)
            self._enable(lane, audit)
            self._tell_disabled()
        self._hastener.hasten(lane)
        await self._states.flush(STATE_SECONDS)

    def _enable(self, lane: Lane, audit: AuditEntry | None = None) -> None:
        lane.enable()
        lane.reporter.enabled()
        self._states.changed(lane.spec.destination_id, audit)

    def opened(self, destination_id: int) -> OpenDestination:
        """Return what a destination's lane sends through. Raises NotFoundError."""
        return self._lane(destination_id).endpoint.destination

    async def test(self, destination_id: int, message: Message) -> tuple[Outcome, float]:
        """Send a test message, enabled or not; return what came of it and its seconds. Raises NotFoundError."""
        lane = self._lane(destination_id)
        endpoint = lane.endpoint
        began = self._clock.monotonic()
        endpoint.users += 1
        try:
            outcome = await endpoint.destination.attempt(message)
        except Exception as error:  # noqa: BLE001 - a destination that breaks its contract
            outcome = lane.reporter.broken(error)
        finally:
            endpoint.users -= 1
            endpoint.let_go()
        return outcome, self._clock.monotonic() - began

    def present(self) -> frozenset[int]:
        """Return the destinations that there are now."""
        return frozenset(self._lanes)

    def snapshot(self, destination_id: int) -> LaneSnapshot:
        """How a destination stands now. Raises NotFoundError."""
        return snapshot_of(self._lane(destination_id), self._around.flying, self._clock)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes of all destinations."""
        return tuple(self._lanes.values())

    def _lane(self, destination_id: int) -> Lane:
        lane = self._lanes.get(destination_id)
        if lane is None:
            raise NotFoundError(f"there is no destination {destination_id}")
        return lane

    def _gone(self, lane: Lane, reason: str) -> None:
        if not lane.disabled_reason and self._lanes.get(lane.spec.destination_id) is lane:
            self._disable(lane, f"{GONE}{reason}")
            self._on_gone(lane.spec, lane.disabled_reason)

    def _disable(self, lane: Lane, reason: str, audit: AuditEntry | None = None) -> None:
        lane.disable(reason)
        lane.reporter.disabled(reason)
        self._states.changed(lane.spec.destination_id, audit)
        self._tell_disabled()

    def _tell_disabled(self) -> None:
        disabled = frozenset(number for number, lane in self._lanes.items() if not lane.enabled)
        if disabled != self._disabled:
            self._disabled = disabled
            self._on_disabled(disabled)

    def _state_of(self, destination_id: int) -> DestinationState:
        lane = self._lanes.get(destination_id)
        if lane is None:
            return _NOTHING
        return DestinationState(lane.disabled_reason, lane.disabled_at_ms, lane.rest.paused_until(self._clock.now_ms()))

    # ------------------------------------------------------------------ the service

    async def run(self) -> None:
        """Deliver until stopped; then end what is in flight, within the drain, and store every outcome."""
        rounds = asyncio.ensure_future(self._rounds.run())
        try:
            if not self._stopping:
                self._running = True
                for lane in self._lanes.values():
                    lane.start()
            await self._wake.wait()
            if self._error is None:
                await self._drain()
        finally:
            rounds.cancel()
            await to_the_end(self._shut())
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Begin nothing new, end what is in flight."""
        self._stopping = True
        self._running = False
        for lane in self._lanes.values():
            lane.stop()
        self._wake.set()

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._wake.set()

    def _workers(self) -> set[asyncio.Task[None]]:
        return {task for lane in self._all_lanes() for task in lane.workers}

    def _all_lanes(self) -> tuple[Lane, ...]:
        return (*self._lanes.values(), *self._removals.lanes())

    async def _drain(self) -> None:
        if (workers := self._workers()) and self._drain_seconds > 0:
            await asyncio.wait(workers, timeout=self._drain_seconds)

    async def _shut(self) -> None:
        self.stop()
        await self._feeder.stop()
        workers = self._workers()
        for task in workers:
            task.cancel()
        if workers:
            await asyncio.wait(workers, timeout=CUT_SECONDS)
        lost = await self._outcomes.close(FLUSH_SECONDS)
        if lost:
            _log.error("outcomes.lost", attempts=lost, consequence="they are attempted again after a restart")
        await self._states.close(FLUSH_SECONDS)
        self._removals.stop()
        for lane in self._lanes.values():
            lane.close()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=CUT_SECONDS)
        for task in set(self._tasks):
            task.cancel()

    def _close(self, destination: OpenDestination) -> None:
        self._background(closed(destination))

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    # ------------------------------------------------------------------ what waits too long, or is too much

    async def sweep(self) -> None:
        """Make dead what waited longer than `give_up_after_seconds` for a destination that takes nothing."""
        await self._rounds.sweep()

    async def spill(self) -> None:
        """Put together in digests what waits beyond `queue.spill_max`."""
        await self._rounds.spill()
