"""How long-lived things live: one contract for all of them, and the runner that starts, watches and stops them.

Services are grouped in stages. Stages start in the order given and stop in the reverse order, one after the other: put
the store first and the intake last, and a soft stop closes the intake, lets the pipeline drain, lets the lanes drain and
ends with the store. The wiring itself (what is in which stage) is not here but in the composition root.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias

import structlog

from alertd.errors import ServiceFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from types import FrameType, TracebackType

    from structlog.typing import FilteringBoundLogger

    from alertd.clock import Clock

    _Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

log: FilteringBoundLogger = structlog.get_logger("alertd.runtime")


COLLECTOR_THRESHOLDS: Final = (50_000, 20, 100)
"""Allocations, and collections of the younger generation, between two runs of the collector."""


HEAPS_MAX: Final = 2
"""Heaps that the C library may keep: one for the event loop, one for all other threads."""
_M_ARENA_MAX: Final = -8  # malloc.h of glibc


class Service(Protocol):
    """Something long-lived.

    `run` works until it is cancelled, or until `stop` was asked and the work at hand is done. `stop` only asks; asking
    twice, or before `run`, is fine. A `run` that raises, or returns without having been asked, has died.
    """

    name: str

    async def run(self) -> None:
        """Work."""

    def stop(self) -> None:
        """Ask to finish what is at hand and return from `run`."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Services that are asked to stop together; or what makes them, called when those of the stages before it were started.

    The death of a service in an `essential` stage ends the daemon; elsewhere it is only logged. `grace_seconds` is what
    the stage gets to finish even when the deadline of the whole stop has passed: for the store, which the stages that
    were cut before it still write to.
    """

    name: str
    services: Sequence[Service] | Callable[[], Coroutine[Any, Any, Sequence[Service]]]
    essential: bool = True
    grace_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StopLimits:
    """How long a stop may take: `drain_seconds` for all stages together, then `cancel_seconds` for each that is cut."""

    drain_seconds: float = 5.0
    cancel_seconds: float = 2.0


class StopRequest:
    """The wish that the daemon ends: asked once it is a soft stop, asked again a hard one. Belongs to the event loop."""

    def __init__(self) -> None:
        self.soft = asyncio.Event()
        self.hard = asyncio.Event()
        self.reason = ""

    def ask(self, reason: str) -> None:
        """Ask to stop; the reason of the first one who asks is kept."""
        if self.soft.is_set():
            self.hard.set()
        else:
            self.reason = reason
            self.soft.set()


class Signals:
    """The signals of the process while the block is open: SIGTERM and SIGINT ask to stop, SIGHUP calls `reload`.

    `reload` is called on the event loop and must not block or raise. What was installed before is put back at the end.
    """

    STOPPING: Final = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, stop: StopRequest, reload: Callable[[], object]) -> None:
        self._stop = stop
        self._reload = reload
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        """Install the handlers on the running loop."""
        loop = asyncio.get_running_loop()
        for number in (*self.STOPPING, signal.SIGHUP):
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self._received, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was installed before."""
        loop = asyncio.get_running_loop()
        for number, handler in self._before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()

    def _received(self, number: signal.Signals) -> None:
        log.info("signal.received", signal=number.name)
        if number in self.STOPPING:
            self._stop.ask(number.name)
        else:
            self._reload()


class LoopLag:
    """A service that tells, once per interval, how late the event loop woke it: the pause that everything else felt."""

    name = "loop-lag"

    def __init__(self, record: Callable[[float], object], clock: Clock, *, interval_seconds: float = 1.0) -> None:
        self._record = record
        self._clock = clock
        self._interval = interval_seconds
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Tick until stopped."""
        while not self._stopping.is_set():
            begun = self._clock.monotonic()
            if not await wait_event(self._stopping, self._interval):
                self._record(max(0.0, self._clock.monotonic() - begun - self._interval))

    def stop(self) -> None:
        """End with the current tick."""
        self._stopping.set()


def share_heaps() -> None:
    """Let threads share their heaps, where the C library can: call it before there are any.

    By default each gets one of its own and keeps what it freed: beside a great backlog that was a tenth of what the daemon
    had grown by.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, HEAPS_MAX)


def calm_collector() -> None:
    """Let the cyclic garbage collector look less often, and never again at what start-up made.

    Events and plans are freed by reference counts; with Python's defaults the collector walked them at every 700
    allocations, which was a sixth of the hot path. It works from here on, also when it was off until now.
    """
    gc.collect()
    _trim_heap()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    gc.enable()


def _trim_heap() -> None:
    """Give back what reading and compiling the configuration freed, where the C library can: it keeps it otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def wait_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, at most that long, and say whether it is set: a sleep that a stop request cuts short."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


def look_away(task: asyncio.Future[Any]) -> None:
    """Take the error of a task that nobody may wait for any longer, lest the loop complains about it."""
    if not task.cancelled():
        task.exception()


async def run_services(
    stages: Sequence[Stage],
    stop: StopRequest,
    *,
    limits: StopLimits | None = None,
    on_started: Callable[[], object] = lambda: None,
    on_stopping: Callable[[str], object] = lambda reason: None,
) -> None:
    """Start the stages in order, watch them until a stop is asked or an essential service dies, then stop them.

    `on_started` is called once all stages were started, `on_stopping` with the reason when the stop begins (readiness goes,
    systemd is told). Raises `ServiceFailedError`, with the service's own error as its cause, when an essential service
    died, or could not be stopped; and whatever the making of a stage raises, once those before it have stopped.
    """
    runner = _Runner(stages, stop, limits or StopLimits())
    try:
        try:
            if await runner.start():
                on_started()
        except Exception as error:
            log.error("daemon.start_failed", error=_told(error))  # noqa: TRY400 - whoever started it shows the rest
            on_stopping("the start failed")
            await runner.wind_down()
            raise
        await runner.watch()
        reason = runner.reason()
        log.info("daemon.stopping", reason=reason)
        on_stopping(reason)
        await runner.wind_down()
    finally:
        await runner.cut(runner.alive())
    failure = runner.failure
    if failure is None:
        log.info("daemon.stopped", reason=reason)
        return
    log.critical("daemon.failed", service=failure.service.name, error=failure.text)
    raise ServiceFailedError(f"service {failure.service.name} {failure.text}") from failure.cause


@dataclass(frozen=True, slots=True)
class _Failure:
    """A service that died, and of what."""

    service: Service
    cause: BaseException | None

    @property
    def text(self) -> str:
        if self.cause is None:
            return "returned without being asked"
        return f"died: {_told(self.cause)}"


def _told(error: BaseException) -> str:
    said, kind = str(error), type(error).__name__
    return f"{kind}: {said}" if said else kind


class _Runner:
    """The tasks of one `run_services`."""

    def __init__(self, stages: Sequence[Stage], stop: StopRequest, limits: StopLimits) -> None:
        self._stages = stages
        self._stop = stop
        self._limits = limits
        self._tasks: dict[asyncio.Task[None], tuple[Stage, Service]] = {}
        self._asked: set[asyncio.Task[None]] = set()
        self.failure: _Failure | None = None

    async def start(self) -> bool:
        """Start stage after stage; say whether all are there: a stop, or a death, comes before those yet to be made."""
        for stage in self._stages:
            services = await self._make(stage.services) if callable(stage.services) else stage.services
            if services is None:
                return False
            for service in services:
                task = asyncio.create_task(service.run(), name=f"service:{service.name}")
                self._tasks[task] = (stage, service)
        return self.failure is None and not self._stop.soft.is_set()

    async def _make(self, make: Callable[[], Coroutine[Any, Any, Sequence[Service]]]) -> Sequence[Service] | None:
        making = asyncio.create_task(make())
        making.add_done_callback(look_away)
        try:
            await self._wait(self._stop.soft, lambda: making.done() or self.failure is not None, making)
        finally:
            if not making.done():
                making.cancel()
                await asyncio.wait({making}, timeout=self._limits.cancel_seconds)
        over = self.failure is not None or self._stop.soft.is_set()
        if over and (not making.done() or making.cancelled() or making.exception() is not None):
            return None
        if making.cancelled():
            raise RuntimeError("the making of a stage was cancelled")
        return making.result()

    async def watch(self) -> None:
        """Return when a stop is asked or an essential service is dead."""
        await self._wait(self._stop.soft, lambda: self.failure is not None)

    def reason(self) -> str:
        return f"{self.failure.service.name} {self.failure.text}" if self.failure else self._stop.reason

    def alive(self) -> list[asyncio.Task[None]]:
        return list(self._tasks)

    async def wind_down(self) -> None:
        """Stop the stages in reverse order, each after the one before it has ended or was cut."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.drain_seconds
        for stage in reversed(self._stages):
            if self._stop.hard.is_set():
                break
            self._reap()
            self._ask(stage)
            await self._drain(stage, max(deadline - loop.time(), stage.grace_seconds))
        if self._stop.hard.is_set():
            log.warning("daemon.cut", services=[service.name for _, service in self._tasks.values()])

    async def cut(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Cancel and wait a bounded time; who resists even that is named and left behind."""
        left = {task for task in tasks if task in self._tasks}
        for task in left:
            self._asked.add(task)
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=self._limits.cancel_seconds)
        self._reap()
        for task in left:
            if entry := self._tasks.pop(task, None):
                log.error("service.abandoned", service=entry[1].name, seconds=self._limits.cancel_seconds)

    def _of(self, stage: Stage) -> list[asyncio.Task[None]]:
        return [task for task, (own, _) in self._tasks.items() if own is stage]

    def _ask(self, stage: Stage) -> None:
        for task in self._of(stage):
            self._asked.add(task)
            service = self._tasks[task][1]
            try:
                service.stop()
            except Exception as error:  # noqa: BLE001 - the boundary of a service: the others are stopped all the same
                self._fail(stage, service, error)
                task.cancel()

    async def _drain(self, stage: Stage, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wait(self._stop.hard, lambda: not self._of(stage))
        except TimeoutError:
            left = self._of(stage)
            names = [self._tasks[task][1].name for task in left]
            log.warning("stage.cut", stage=stage.name, services=names, drain_seconds=self._limits.drain_seconds)
            await self.cut(left)

    async def _wait(self, until: asyncio.Event, or_when: Callable[[], bool], *others: asyncio.Task[Any]) -> None:
        """Take note of services that end, until the event is set or the condition holds."""
        waiter = asyncio.create_task(until.wait())
        try:
            self._reap()
            while not (until.is_set() or or_when()):
                await asyncio.wait({waiter, *others, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
                self._reap()
        finally:
            waiter.cancel()

    def _reap(self) -> None:
        for task in [task for task in self._tasks if task.done()]:
            stage, service = self._tasks.pop(task)
            self._ended(task, stage, service)

    def _ended(self, task: asyncio.Task[None], stage: Stage, service: Service) -> None:
        asked = task in self._asked
        cause: BaseException | None = asyncio.CancelledError() if task.cancelled() else task.exception()
        if asked and (cause is None or task.cancelled()):
            log.debug("service.stopped", service=service.name, cut=task.cancelled())
            return
        self._fail(stage, service, cause)

    def _fail(self, stage: Stage, service: Service, cause: BaseException | None) -> None:
        failure = _Failure(service, cause)
        log.error("service.died", service=service.name, essential=stage.essential, error=failure.text, exc_info=cause)
        if stage.essential and self.failure is None:
            self.failure = failure
