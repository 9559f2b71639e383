"""The pipeline: what arrived becomes plans, plans become one commit, and only then is anything acknowledged.

Batching is natural: while one commit runs, submissions pile up, and the next batch takes what is there, up to a bound.
A submission is never split: all of it is stored or nothing. When the store cannot write, submissions of HTTP fail at
once (503) and those of Kafka are kept and tried again, so that their order and positions hold.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from alertd.deeds import settling
from alertd.engine.chain import follow
from alertd.engine.memory import EngineMemory, Overlay
from alertd.engine.router import EngineState, plan
from alertd.engine.state import Changes
from alertd.errors import DuplicateEventsError, IntakeFullError, StoreUnavailableError
from alertd.model.event import with_id
from alertd.model.ids import made_event_id
from alertd.model.verdict import VerdictCode
from alertd.submission import Accepted, BatchUnderWay, QueueBounds, Submission, turn_away
from alertd.tally import Tally
from alertd.undo import OnFailure
from alertd.weighing import Issues, concerned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from alertd.clock import Clock
    from alertd.engine.issues.batch import Loaded
    from alertd.engine.plan import Made
    from alertd.engine.ruleset import Ruleset
    from alertd.metrics import Metrics
    from alertd.model.delivery import Delivery
    from alertd.model.event import Event
    from alertd.model.ids import IdSource
    from alertd.store.base import Partition, PipelineStore
    from alertd.submission import PlannedHook
    from alertd.tally import FactSink
    from alertd.weighing import Concerned, Deed

_log = structlog.get_logger("alertd.pipeline")

BATCH_EVENTS: Final = 500
"""A batch takes no further submission once it holds so many events (one submission may itself hold more)."""
GATHER_TURNS: Final = 3
"""How many turns of the event loop a batch waits, so that requests that have already arrived are in it."""
STORE_RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0)
"""Pauses before Kafka's submissions are tried again while the store cannot write; the last one repeats."""
SETTLE_SECONDS: Final = 5.0
"""How long after a start nothing is moved by time alone, so that values which came meanwhile are looked at first."""
ALARM_SECONDS: Final = 1.0
"""How long the clock is not looked at while something is due later, so that a step of it is noticed."""


class Pipeline:
    """Takes submissions until it is `stopping`, decides with the current ruleset, commits, acknowledges, hands deliveries on."""

    name = "pipeline"

    def __init__(
        self,
        store: PipelineStore,
        ids: IdSource,
        salt: int,
        clock: Clock,
        metrics: Metrics,
        ruleset: Ruleset,
        deliver: Callable[[list[Delivery]], None],
        *,
        bounds: QueueBounds | None = None,
        on_committed: PlannedHook | None = None,
        facts: FactSink | None = None,
        issues: Issues | None = None,
    ) -> None:
        self._store = store
        self._ids = ids
        self._salt = salt
        self._clock = clock
        self._metrics = metrics
        self._ruleset = ruleset
        self._deliver = deliver
        self._bounds = bounds or QueueBounds()
        self._on_committed = on_committed
        self._queue: deque[Submission] = deque()
        self._under_way: list[Submission] = []
        self._queued_events = self._queued_bytes = self._failures = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.stopping = False
        self._tally = Tally(metrics, facts, ruleset)
        self._due_from = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._closed: Mapping[int, VerdictCode] = {}
        self._disabled: frozenset[int] = frozenset()
        self.memory = EngineMemory()
        self.issues = issues or Issues(store)
        self._tally.watch(self.issues)
        self.memory.use(ruleset)
        self.positions: dict[Partition, int] = {}
        metrics.intake_queued.set_function(lambda: self._queued_events)
        metrics.intake_capacity.set(self._bounds.max_events)

    # -- what others ask ------------------------------------------------------------------------------------------

    @property
    def ruleset(self) -> Ruleset:
        """The ruleset that decides now."""
        return self._ruleset

    async def load(self) -> None:
        """Take up where the store left off."""
        self.positions.update(await self._store.positions())
        now_ms, series = self._clock.now_ms(), await self._store.series()
        self.memory.load(await self._store.cooldowns(now_ms), await self._store.counts(now_ms), series, now_ms)
        await self.issues.load()

    def state(self) -> EngineState:
        """What deciding depends on now, for explaining."""
        return self.memory.state(Overlay(), self._closed)

    @property
    def disabled(self) -> frozenset[int]:
        """Destinations that are switched off."""
        return self._disabled

    @disabled.setter
    def disabled(self, numbers: frozenset[int]) -> None:
        self._disabled = numbers
        self._closed = dict.fromkeys(numbers, VerdictCode.DESTINATION_DISABLED)

    async def swap(self, ruleset: Ruleset) -> None:
        """Decide with another ruleset from the next batch on; return when no batch of the old one is under way."""
        self._ruleset = ruleset
        self.memory.use(ruleset)
        self._tally.use(ruleset)
        self._wake.set()
        self._metrics.ruleset_channels.set(ruleset.channel_count)
        await self._idle.wait()

    async def submit(self, events: list[Event], size: int, source: str = "http") -> list[Accepted]:
        """Store events and return what became of each, in order.

        Raises IntakeFullError when the queue is full, StoreUnavailableError when the store cannot write.
        """
        submission = Submission(source, events, size, asyncio.get_running_loop().create_future())
        self.offer(submission)
        return await submission.done

    def do(self, deed: Deed) -> asyncio.Future[list[Accepted]]:
        """Do something to issues and incidents, in the order of the events; awaited, it raises as `submit` does.

        Raises IntakeFullError at once. Whoever holds the lock of issues has the word until it is given back.
        """
        submission = Submission("alertd", [], 0, asyncio.get_running_loop().create_future(), deed=deed)
        self.offer(submission)
        return submission.done

    async def settle(self, now_ms: int) -> None:
        """Let time pass for open incidents and their issues, unless there is too much to do. Raises StoreUnavailableError."""
        if (resting := await self.issues.resting(self._ruleset, now_ms)) and self.has_room() and not self.stopping:
            await self.do(settling(resting, now_ms))

    def offer(self, submission: Submission) -> None:
        """Queue a submission; its future tells the rest. Raises IntakeFullError when the queue is full."""
        if self.stopping:
            raise IntakeFullError
        if self._queued_events and not self.has_room(len(submission.events), submission.size):
            raise IntakeFullError
        self._queue.append(submission)
        self._queued_events += len(submission.events)
        self._queued_bytes += submission.size
        self._wake.set()

    def has_room(self, events: int = 1, size: int = 1) -> bool:
        """Whether so much more may be queued."""
        return (
            self._queued_events + events <= self._bounds.max_events
            and self._queued_bytes + size <= self._bounds.max_bytes
        )

    @property
    def failing(self) -> bool:
        """Whether the last commit could not be written."""
        return self._failures > 0

    @property
    def queued_events(self) -> int:
        """How many events wait for their commit, those of the batch under way included."""
        return self._queued_events

    def assign(self, partition: Partition, offset: int) -> None:
        """Take a partition on from an offset: records before it are done already."""
        self.positions[partition] = offset

    async def revoke(self, partitions: Iterable[Partition]) -> None:
        """Forget what is queued of these partitions; return when nothing of them is under way.

        What is under way may still be committed, but is not tried again when that fails.
        """
        gone = set(partitions)
        for submission in (*self._queue, *self._under_way):
            if submission.partition in gone:
                submission.done.cancel()
        for submission in [s for s in self._queue if s.partition in gone]:
            self._release(submission)
        self._queue = deque(s for s in self._queue if s.partition not in gone)
        await self._idle.wait()

    # -- the service ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is queued is committed."""
        self.stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Commit batch after batch. Cancelled or broken, it leaves nobody waiting."""
        if self.memory.next_due_ms() is not None:
            self._due_from = self._clock.monotonic() + SETTLE_SECONDS
        with OnFailure(self._abandon):
            while await self._is_needed():
                self._under_way = self._take() if self._queue else []
                self._idle.clear()
                try:
                    await self._process(self._under_way)
                finally:
                    self._idle.set()
                self._under_way = []
                if self._failures:
                    await self._pause()

    async def _is_needed(self) -> bool:
        """Wait until there is something to do; not any more when it was asked to stop."""
        while True:
            while not self._queue and not self._is_due():
                if self.stopping:
                    return False
                self._set_alarm()
                await self._wake.wait()
            await self._gather()
            if self._queue or self._is_due():  # nothing was revoked meanwhile
                return True

    def _is_due(self) -> bool:
        """Whether time alone moves something now."""
        at = self.memory.next_due_ms()
        reached = at is not None and not self.stopping and at <= self._clock.now_ms()
        return reached and self._clock.monotonic() >= self._due_from

    def _set_alarm(self) -> None:
        """Wake up when time will move something, to look at the clock again, or when somebody asks for it."""
        self._wake.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        if (at := self.memory.next_due_ms()) is not None:
            wait = max((at - self._clock.now_ms()) / 1000, self._due_from - self._clock.monotonic())
            self._alarm = asyncio.get_running_loop().call_later(min(ALARM_SECONDS, max(0.001, wait)), self._wake.set)

    async def _gather(self) -> None:
        """Let what has already arrived join the batch: a few turns of the event loop, no timer."""
        for _ in range(GATHER_TURNS):
            await asyncio.sleep(0)

    def _take(self) -> list[Submission]:
        taken = [self._queue.popleft()]
        events = len(taken[0].events)
        while self._queue and events < BATCH_EVENTS:
            taken.append(self._queue.popleft())
            events += len(taken[-1].events)
        return taken

    async def _pause(self) -> None:
        seconds = STORE_RETRY_SECONDS[min(self._failures, len(STORE_RETRY_SECONDS)) - 1]
        with suppress(TimeoutError):  # cut short when somebody waits for an answer
            async with asyncio.timeout(seconds):
                while all(s.partition is not None for s in self._queue):
                    self._wake.clear()
                    await self._wake.wait()

    def _abandon(self) -> None:
        """Tell those who wait that the pipeline ends without an answer for them."""
        self.stopping = True
        for submission in (*self._under_way, *self._queue):
            submission.refuse("the daemon stopped before this was stored")

    def _release(self, submission: Submission) -> None:
        self._queued_events -= len(submission.events)
        self._queued_bytes -= submission.size

    # -- one batch ------------------------------------------------------------------------------------------------

    async def _process(self, submissions: list[Submission]) -> None:
        events = concerned(self._ruleset, (event for each in submissions for event in each.events))
        deeds = [each.deed for each in submissions if each.deed is not None]
        if not events and not deeds:
            return await self._commit(submissions, events, deeds)
        async with self.issues.lock:
            return await self._commit(submissions, events, deeds)

    async def _commit(self, submissions: list[Submission], events: list[Concerned], deeds: list[Deed]) -> None:
        work = BatchUnderWay(submissions, self.positions)
        try:
            while not await self._store_all(work, events, deeds):
                pass
        except StoreUnavailableError as error:
            self._failed(submissions, error)
        else:
            self._committed(work)

    async def _store_all(self, work: BatchUnderWay, events: list[Concerned], deeds: list[Deed]) -> bool:
        """Plan and commit; False when some of it is known, without which it is to be done again."""
        unknown = [each for each in events if (each[1].workspace, each[1].id) not in work.known]
        read = await self.issues.read(unknown, deeds, self._clock.now_ms())
        for gone in turn_away(work.submissions, self._ruleset.workspaces.keys()):
            self._release(gone)
        try:
            with OnFailure(lambda: None if work.issues is None else self.issues.discard(work.issues)):
                self._plan(work, read, deeds)
                started = self._clock.monotonic()
                await self._store.commit(work.batch)
        except DuplicateEventsError as error:
            work.known.update(error.known)
            return False
        self._metrics.commit_seconds.observe(self._clock.monotonic() - started)
        return True

    def _plan(self, work: BatchUnderWay, read: Loaded | None, deeds: Iterable[Deed]) -> None:
        now_ms = self._clock.now_ms()
        work.begin(self._ruleset.revision)
        batch = work.batch
        overlay = Overlay(batch.cooldowns, Changes(batch.counts, batch.series))
        state = self.memory.state(overlay, self._closed)
        ruleset, ids, plans = self._ruleset, self._ids, batch.plans

        def make(makes: Iterable[Made]) -> None:
            made = follow(ruleset, state, overlay, makes, ids, now_ms, work.seen)
            work.made += len(made)
            plans.extend(made)

        issues = work.issues = None if read is None else self.issues.begin(read, ruleset, now_ms)
        if self._is_due():
            make(self.memory.due(now_ms, overlay))
        for event in work.fresh(ruleset.workspaces):
            number = ids.take(1, now_ms)
            if not event.id or event.made:
                with_id(event, made_event_id(number, self._salt))
            weighed = None
            if issues is not None:
                weighed = issues.weigh(event, ruleset.workspaces[event.workspace].id, number)
            decided = plan(ruleset, state, event, number, now_ms)
            ids.extend(len(decided.deliveries))
            plans.append(decided)
            if decided.cooldowns or decided.changes is not None:
                overlay.take(decided)
            if decided.makes:
                make(decided.makes)
            if weighed is not None and issues is not None and (told := issues.planned(weighed, decided)):
                make(told)
        if issues is not None:
            make(made for deed in deeds for made in deed.act(issues))
            batch.issues = issues.writes()

    def _failed(self, submissions: list[Submission], error: StoreUnavailableError) -> None:
        self._failures += 1
        self._metrics.commit_failures.inc()
        _log.error("commit.failed", events=sum(len(s.events) for s in submissions), error=str(error))
        waiting, self._queue = (*submissions, *self._queue), deque()
        for submission in waiting:
            if submission.partition is not None and not submission.done.cancelled():
                self._queue.append(submission)
                continue
            self._release(submission)
            submission.refuse(str(error))

    def _committed(self, work: BatchUnderWay) -> None:
        if self._failures:
            _log.info("commit.recovered", failures=self._failures)
            self._failures = 0
        batch = work.batch
        self.memory.absorb(batch.cooldowns, Changes(batch.counts, batch.series))
        self.positions.update(batch.positions)
        if work.issues is not None:
            self.issues.keep(work.issues)
        deliveries = [delivery for decided in batch.plans for delivery in decided.deliveries]
        if deliveries:
            self._deliver(deliveries)
        for submission in work.submissions:
            self._release(submission)
            if not submission.done.done():
                submission.done.set_result(work.results(submission))
        self._tally.count(work, self._ruleset)
        if self._on_committed is not None and batch.plans:
            self._on_committed(batch.plans)
