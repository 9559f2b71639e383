"""A lane: one destination's bounded queue and its workers. A bulkhead: whatever happens here costs other lanes nothing.

Workers are started when there is something to do and end when there is not, and at most one timer is set: an idle lane
is only memory. A lane never waits by sleeping; it rests until its timer, a page of the store, a stored outcome or a
fresh delivery wakes it (`pump`).
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

from alertd.delivery.alarm import Alarm
from alertd.delivery.backlog import Backlog
from alertd.delivery.backoff import honoured_seconds
from alertd.delivery.endpoint import UNREAD, Endpoint
from alertd.delivery.judgement import RETRIED, bygone, created_ms, judge_failure
from alertd.delivery.meters import Meters
from alertd.delivery.reporter import Reporter
from alertd.delivery.rest import Rest
from alertd.model.delivery import Attempt, DeliveryState, Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.delivery.spec import LaneSpec
    from alertd.delivery.surroundings import Surroundings
    from alertd.model.delivery import Delivery
    from alertd.store.base import DestinationState, Due

YIELD_ATTEMPTS: Final = 8
"""A worker gives way to others after so many attempts, even when its destination answers without waiting."""

PAGE_GAP_MS: Final = 100
"""Retries that become due one by one are read in pages at least so far apart."""

_BYGONE: Final = -1  # in place of a probe's number: the destination was exchanged during the attempt
_DELIVERED: Final = OutcomeKind.DELIVERED
_STATE_DELIVERED: Final = DeliveryState.DELIVERED


class Lane:
    """One destination's queue and workers. Asleep until `start`; `disabled_reason` is empty while it is enabled."""

    __slots__ = (
        "_alarm",
        "_around",
        "_endpoint",
        "_quiet",
        "_running",
        "_sealed",
        "backlog",
        "disabled_at_ms",
        "disabled_reason",
        "last_error",
        "last_failure_ms",
        "last_success_ms",
        "meters",
        "reporter",
        "rest",
        "spec",
        "workers",
    )

    def __init__(self, spec: LaneSpec, around: Surroundings[Lane]) -> None:
        self.spec = spec
        self.backlog = Backlog(spec.options.queue.capacity)
        self.rest = Rest(spec.options, around.clock.monotonic(), spec.burst)
        self.workers: set[asyncio.Task[None]] = set()
        self.disabled_reason = ""
        self.disabled_at_ms: int | None = None
        self.last_success_ms: int | None = None
        self.last_failure_ms: int | None = None
        self.last_error = ""
        self.meters = Meters(around.metrics, spec.workspace, spec.name, lambda: self.backlog.depth)
        self.reporter = Reporter(spec.workspace, spec.name)
        self._around = around
        self._endpoint = Endpoint(spec.open, around.close)
        self._running = self._sealed = False
        self._alarm = Alarm(self.pump)
        self._quiet: asyncio.Event | None = None
        self._show()

    # ------------------------------------------------------------------ what the dispatcher asks

    @property
    def enabled(self) -> bool:
        """Whether it may send: switched on in the ruleset, and not disabled."""
        return self.spec.enabled and not self.disabled_reason

    def restore(self, state: DestinationState) -> None:
        """Take what the store kept about the destination before the first start."""
        self.disabled_reason = state.disabled_reason
        self.disabled_at_ms = state.disabled_at_ms
        if state.paused_until_ms is not None:
            self.rest.pause(state.paused_until_ms)
            self.rest.keep_within(self.spec.options, self._around.clock.now_ms())
        self._show()

    def start(self) -> None:
        """Begin to work."""
        self._running = True
        self.pump()

    def stop(self) -> None:
        """Begin nothing new; attempts in flight go on."""
        self._running = False
        self._alarm.clear()

    def retire(self) -> None:
        """Stop, and leave to the store all that is not in flight: the destination was removed."""
        self.stop()
        self.meters.remove()
        self.backlog.drop_queue()

    def disable(self, reason: str) -> None:
        """Send nothing until `enable`; what is queued waits in the store."""
        self.disabled_reason = reason
        self.disabled_at_ms = self._around.clock.now_ms()
        self._rest_while_disabled()

    def enable(self) -> None:
        """Send again; the breaker starts anew, a receiver's Retry-After stands."""
        self.disabled_reason = ""
        self.disabled_at_ms = None
        self.rest.forgive()
        self._resume()

    def update(self, spec: LaneSpec) -> None:
        """Take a new definition; attempts in flight end on the destination that they began on."""
        before, self.spec = self.spec, spec
        if spec == before:
            return
        if spec.open is not before.open:
            old, self._endpoint = self._endpoint, Endpoint(spec.open, self._around.close)
            old.retire(bygone=not spec.is_same_receiver(before))
            if old.bygone and self.rest.renew():
                self._around.paused(self)
        if self.rest.keep_within(spec.options, self._around.clock.now_ms()):
            self._around.paused(self)
        self.rest.configure(spec.options, self._around.clock.monotonic(), spec.burst)
        self.backlog.shrink(spec.options.queue.capacity)
        if self.enabled:
            self._resume()
        else:
            self._rest_while_disabled()

    def close(self) -> None:
        """Let go of the destination and of the gauges; nothing may be in flight."""
        self.stop()
        self._endpoint.retire()
        self.meters.remove()

    def seal(self) -> bool:
        """Keep pages away while the store changes this lane's deliveries; False when one is being read, or it is stopped."""
        begun = self._running and not self.backlog.reading and not self._sealed
        self._sealed = self._sealed or begun
        return begun

    def unseal(self) -> None:
        """Allow pages again."""
        self._sealed = False
        self.pump()
        self._settle()

    def withdrawn(self, delivery_id: int, *, final: bool) -> None:
        """Take note of a cancel that was tried: a page under way must not bring the delivery unless it failed."""
        backlog = self.backlog
        if delivery_id not in backlog.held and not backlog.reading:
            return
        backlog.forget(delivery_id)
        if not final:
            backlog.unseen = True
            self.pump()
        self._settle()

    async def settled(self, *, held: bool = True) -> None:
        """Wait until the store changes nothing of it by itself; with `held` also until nothing is in flight or not stored."""
        while self._sealed or (held and self.backlog.held):
            self._quiet = self._quiet or asyncio.Event()
            await self._quiet.wait()

    @property
    def endpoint(self) -> Endpoint:
        """The destination as it is now, for test messages."""
        return self._endpoint

    # ------------------------------------------------------------------ pages of the store

    def begin_page(self) -> int:
        """Begin to read a page; return how many deliveries it may bring (0: none wanted)."""
        if self._sealed or not self._working():
            return 0
        return self.backlog.begin_page()

    def end_page(self, due: Due | None, asked_ms: int) -> None:
        """Take the page; None: reading failed, and is tried again soon."""
        if due is not None and self._working():
            self.backlog.end_page(due, asked_ms, self._around.barred)
            self.pump()
        else:
            self.backlog.end_page(None, asked_ms, ())
            if self._working():
                self._alarm.set(1.0)

    def stored(self, attempts: Sequence[Attempt]) -> None:
        """Take note that these attempts are stored."""
        self.meters.stored(attempts)
        backlog = self.backlog
        backlog.stored(attempts)
        self._settle()
        if backlog.next_due_ms is not None or backlog.unseen:
            self.pump()

    # ------------------------------------------------------------------ the engine room

    def pump(self) -> None:
        """Start what may start now; else see to it that the lane is woken in time."""
        backlog = self.backlog
        if not self._working() or not (backlog.queue or backlog.unseen or backlog.next_due_ms is not None):
            return
        wait = self._rest_seconds()
        if wait > 0:
            self._alarm.set(wait)
            return
        self._see_to_pages()
        options = self.spec.options.queue
        free = min(len(backlog.queue), (1 if self._endpoint.instant else options.concurrency) - len(self.workers))
        if free > 0:
            self._spawn(1 if self.rest.breaker.opened else free)

    def _working(self) -> bool:
        return self._running and not self.disabled_reason and self.spec.enabled

    def _rest_seconds(self) -> float:
        if self._around.outcomes.full:
            self._around.outcomes.call_when_room(self.pump)
            return inf
        if not self.rest.bound:
            return 0.0
        clock = self._around.clock
        return self.rest.seconds(clock.now_ms(), clock.monotonic())

    def _see_to_pages(self) -> None:
        backlog = self.backlog
        if backlog.next_due_ms is not None:
            wait_ms = max(backlog.next_due_ms, backlog.read_at_ms + PAGE_GAP_MS) - self._around.clock.now_ms()
            if wait_ms > 0:
                self._alarm.set(wait_ms / 1000)
            else:
                backlog.became_due()
        if backlog.unseen and not self._sealed and backlog.wants_page():
            self._around.ask(self)

    def _spawn(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            task = loop.create_task(self._work())
            self.workers.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.workers.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._around.fail(error)
        elif self.backlog.queue:
            self.pump()  # what came between the worker's last look and its end found no free worker

    def _next(self) -> Delivery | None:
        """Return the delivery to attempt now; None: the worker has nothing to do, and somebody will wake the lane."""
        backlog = self.backlog
        if not self._running or self.disabled_reason or not self.spec.enabled:
            return None
        if self.rest.bound or self._around.outcomes.full:
            wait = self._rest_seconds()
            if wait > 0:
                self._alarm.set(wait)
                return None
        if backlog.unseen:
            self._see_to_pages()
        return backlog.pop() if backlog.queue else None

    async def _work(self) -> None:
        burst = 0
        while (delivery := self._next()) is not None:
            await self._attempt(delivery)
            burst += 1
            if burst == YIELD_ATTEMPTS:
                burst = 0
                await asyncio.sleep(0)

    async def _attempt(self, delivery: Delivery) -> None:
        around = self._around
        clock, flying = around.clock, around.flying
        probe = self.rest.begin() if self.rest.bound else 0
        endpoint = self._endpoint
        endpoint.users += 1
        flying[delivery.id] = delivery.destination_id
        started_ms = clock.now_ms()
        began = clock.monotonic()
        try:
            message = UNREAD if endpoint.instant else around.naming.message(delivery, self.spec.workspace)
            outcome = await endpoint.destination.attempt(message)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._abandon(delivery, probe)
                raise
            outcome = Outcome(OutcomeKind.AMBIGUOUS, detail="the attempt was cancelled from within")
        except Exception as error:  # noqa: BLE001 - a destination that breaks its contract must not end the lane
            outcome = self.reporter.broken(error)
        finally:
            del flying[delivery.id]
            endpoint.users -= 1
            if endpoint.retired:
                probe = _BYGONE if endpoint.bygone else probe
                endpoint.let_go()
        self._finish(delivery, outcome, started_ms, clock.monotonic() - began, probe)

    def _abandon(self, delivery: Delivery, probe: int) -> None:
        self.rest.breaker.neutral(probe=probe)
        self.backlog.abandoned(delivery.id)
        self._settle()

    def _finish(self, delivery: Delivery, outcome: Outcome, started_ms: int, seconds: float, probe: int) -> None:
        around = self._around
        self.backlog.flying -= 1
        self.meters.took(seconds)
        if outcome.kind is _DELIVERED:
            attempt = Attempt(
                delivery.id, delivery.attempts + 1, started_ms, int(seconds * 1e6), outcome, _STATE_DELIVERED
            )
            self.last_success_ms = started_ms
            around.reached((started_ms - created_ms(delivery)) / 1000 + seconds)
            rest = self.rest
            if (rest.refusals or rest.throttle or rest.breaker.streak) and probe != _BYGONE:
                self._recover(seconds)
            if outcome.retry_after_seconds is not None and probe != _BYGONE:
                self._rest_for(outcome.retry_after_seconds)
        else:
            attempt = self._fail(delivery, outcome, started_ms, seconds, probe)
        around.finish(delivery, attempt, self)
        if around.debug and attempt.state is _STATE_DELIVERED:
            self.reporter.succeeded(delivery, attempt)

    def _fail(self, delivery: Delivery, outcome: Outcome, started_ms: int, seconds: float, probe: int) -> Attempt:
        around, retry = self._around, self.spec.options.retry
        now, now_ms = around.clock.monotonic(), around.clock.now_ms()
        outcome = bygone(outcome) if probe == _BYGONE else outcome
        attempt = judge_failure(delivery, outcome, (started_ms, int(seconds * 1e6), now_ms), retry, around.random)
        self.last_failure_ms = started_ms
        self.last_error = outcome.detail
        self.reporter.failed(delivery, attempt, now)
        if probe == _BYGONE:
            return attempt
        if outcome.kind not in RETRIED or outcome.is_well:
            self.rest.breaker.neutral(probe=probe)
            if outcome.kind is OutcomeKind.GONE:
                around.gone(self, outcome.detail or "the receiver is gone")
        else:
            if self._rest_for(outcome.retry_after_seconds):
                around.paused(self)
            if self.rest.failed(outcome, now, seconds, probe=probe):
                self.meters.breaker(opened=True)
                self.reporter.breaker_opened(self.spec.options.breaker.cool_seconds, outcome)
        return attempt

    def _rest_for(self, asked_seconds: float | None) -> bool:
        """Rest as long as the receiver asked for, within the bound; return whether the rest is longer now."""
        seconds = honoured_seconds(asked_seconds, self.spec.options.retry)
        return seconds > 0 and self.rest.pause(self._around.clock.now_ms() + round(seconds * 1000))

    def _recover(self, seconds: float) -> None:
        if self.rest.succeeded(self._around.clock.monotonic(), seconds):
            self.meters.breaker(opened=False)
            self.reporter.breaker_closed()
            self.pump()

    def _rest_while_disabled(self) -> None:
        self._alarm.clear()
        self.backlog.drop_queue()
        self._show()
        self._settle()

    def _resume(self) -> None:
        self._show()
        self.backlog.unseen = True
        self.pump()

    def _show(self) -> None:
        self.meters.capacity(self.backlog.capacity)
        self.meters.disabled(disabled=not self.enabled)
        self.meters.breaker(opened=self.rest.breaker.opened)

    def _settle(self) -> None:
        if self._quiet is not None and not self._sealed:
            self._quiet.set()
            self._quiet = None
