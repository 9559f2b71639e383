"""One consumer's life, from joining the group to leaving it: polling, positions, back-pressure, lag.

Positions are those of the store: on assignment a partition starts at the greater of the stored position and the
group's commit, and the group's commit follows the store, never leads it. A consumer that broke is not mended but
thrown away; the service makes another.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from alertd.errors import AlertdError, IntakeFullError
from alertd.intake.kafka.records import read
from alertd.runtime import wait_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from alertd.clock import Clock
    from alertd.intake.kafka.options import KafkaOptions
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds
    from alertd.model.ids import IdSource
    from alertd.pipeline import Pipeline, Submission
    from alertd.store.base import PipelineStore

POLL_MS: Final = 200
"""How long one poll waits for records."""
BUSY_SECONDS: Final = 1.0
"""How long a full pipeline is waited for before partitions are paused (and polling goes on)."""
POLLS_IN_FLIGHT: Final = 4
"""How many polls' records may be on their way through the pipeline."""
COMMIT_SECONDS: Final = 0.5
"""How often the group's commit follows the store."""
LAG_SECONDS: Final = 5.0
"""How often the lag is measured."""
CALLBACK_SECONDS: Final = 3.0
"""The bound of each step of a rebalance."""
STOP_SECONDS: Final = 10.0
"""The bound of leaving the group."""

_log = structlog.get_logger("alertd.kafka")


class StalledError(AlertdError):
    """There are records, but none arrives."""


class PositionLostError(AlertdError):
    """A position is out of range, and the setting says to stop."""


class Session(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """One consumer. `start`, then `run` until `stop` or an error, then `close`."""

    def __init__(
        self,
        options: KafkaOptions,
        pipeline: Pipeline,
        store: PipelineStore,
        ids: IdSource,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
    ) -> None:
        self._options = options
        self._pipeline = pipeline
        self._store = store
        self._ids = ids
        self._clock = clock
        self._metrics = metrics
        self._bounds = bounds
        self._consumer: Any = None
        self._flying: set[asyncio.Future[Any]] = set()
        self._flying_events = 0
        self._bound = POLLS_IN_FLIGHT * options.max_poll_records
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()
        self._broken: BaseException | None = None
        self._generation = 0
        self._paused = False
        self._committed: dict[TopicPartition, int] = {}
        self._shown: set[tuple[str, int]] = set()
        self._last_record = clock.monotonic()

    async def start(self) -> None:
        """Connect and join. Raises KafkaError, OSError or ssl.SSLError."""
        self._consumer = AIOKafkaConsumer(
            **self._options.arguments(), partition_assignment_strategy=(StickyPartitionAssignor,)
        )
        self._consumer.subscribe(list(self._options.topics), listener=self)
        await self._consumer.start()

    def stop(self) -> None:
        """Ask `run` to return."""
        self._stopping.set()
        self._room.set()

    async def run(self) -> None:
        """Poll until asked to stop. Raises whatever broke the consumer."""
        helpers = [asyncio.create_task(self._every(COMMIT_SECONDS, self._commit), name="kafka-commit")]
        helpers.append(asyncio.create_task(self._every(LAG_SECONDS, self._measure), name="kafka-lag"))
        try:
            while not self._stopping.is_set():
                await self._poll()
            await self._settle()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def close(self) -> None:
        """Commit what is stored, then leave, both within their bounds; never raises."""
        if self._consumer is None:
            return
        await self._bounded(self._commit(), CALLBACK_SECONDS, "commit")
        await self._bounded(self._consumer.stop(), STOP_SECONDS, "stop")
        self._forget_lag()

    # -- polling --------------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        await self._wait_for_room()
        fetched = await self._fetch(self._options.max_poll_records)
        if fetched:
            self._last_record = self._clock.monotonic()
            await self._take(fetched)
        else:
            self._check_stall()

    async def _fetch(self, most: int) -> dict[TopicPartition, list[Any]]:
        try:
            fetched: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
                timeout_ms=POLL_MS, max_records=most
            )
        except OffsetOutOfRangeError as error:
            await self._position_lost(error)
            fetched = {}
        if self._broken is not None:
            raise self._broken
        return fetched

    async def _take(self, fetched: dict[TopicPartition, list[Any]]) -> None:
        now_ms, workspaces = self._clock.now_ms(), frozenset(self._pipeline.ruleset.workspaces)
        generation = self._generation
        for place, records in fetched.items():
            submission = read(
                (place.topic, place.partition),
                records,
                self._options.topics[place.topic],
                now_ms=now_ms,
                workspaces=workspaces,
                bounds=self._bounds,
                ids=self._ids,
            )
            while not self._stopping.is_set() and not self._try_offer(submission):
                await self._hold()
                if self._generation != generation:
                    return

    def _try_offer(self, submission: Submission) -> bool:
        count = len(submission.events) + len(submission.rejected)
        try:
            self._pipeline.offer(submission)
        except IntakeFullError:
            return False
        self._flying_events += count
        self._flying.add(submission.done)
        submission.done.add_done_callback(lambda done: self._landed(done, count))
        return True

    def _landed(self, done: asyncio.Future[Any], count: int) -> None:
        self._flying.discard(done)
        self._flying_events -= count
        if self._flying_events <= self._bound // 2:
            self._room.set()

    async def _wait_for_room(self) -> None:
        while self._flying_events > self._bound and not self._stopping.is_set():
            self._room.clear()
            if not await wait_event(self._room, BUSY_SECONDS):
                await self._hold()
        self._resume()

    async def _hold(self) -> None:
        """Let the pipeline catch up: partitions paused, polling going on so that the group keeps us."""
        paused = self._consumer.paused()
        fresh = [place for place in self._consumer.assignment() if place not in paused]
        if fresh:
            self._consumer.pause(*fresh)
        if not self._paused:
            self._paused = True
            _log.warning("kafka.paused", partitions=len(fresh), queued_events=self._pipeline.queued_events)
        self._metrics.kafka_paused.set(len(self._consumer.assignment()))
        self._rewind(await self._fetch(1))

    def _rewind(self, fetched: dict[TopicPartition, list[Any]]) -> None:
        """Put back what came in spite of the pause (a partition assigned meanwhile)."""
        for place, records in fetched.items():
            self._consumer.seek(place, records[0].offset)

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._consumer.resume(*self._consumer.paused())
            self._last_record = self._clock.monotonic()
            self._metrics.kafka_paused.set(0)
            _log.info("kafka.resumed")

    def _check_stall(self) -> None:
        silent = self._clock.monotonic() - self._last_record
        if silent < self._options.stall_seconds:
            return
        behind = [place for place in self._consumer.assignment() if self._behind(place)]
        if behind:
            raise StalledError(f"no record for {silent:.0f} s though {len(behind)} partitions have some")
        self._last_record = self._clock.monotonic()

    def _behind(self, place: TopicPartition) -> bool:
        high = self._consumer.highwater(place)
        return high is not None and high > self._pipeline.positions.get((place.topic, place.partition), 0)

    async def _settle(self) -> None:
        """Wait until nothing of ours is under way in the pipeline."""
        if self._flying:
            await asyncio.wait(self._flying)

    # -- positions ------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish what is under way of these partitions, tell the group, let go."""
        self._generation += 1
        places = [(place.topic, place.partition) for place in revoked]
        if places:
            await self._bounded(self._pipeline.revoke(places), CALLBACK_SECONDS, "revoke")
            await self._bounded(self._commit(), CALLBACK_SECONDS, "commit")
            self._committed.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start each partition where the store, or the group if it is further, has come to."""
        self._generation += 1
        self._last_record = self._clock.monotonic()
        try:
            for place in assigned:
                async with asyncio.timeout(self._options.request_timeout_seconds):
                    await self._begin(place)
        except (KafkaError, TimeoutError) as error:
            self._broken = error
        _log.info("kafka.assigned", partitions=[f"{p.topic}/{p.partition}" for p in assigned])

    async def _begin(self, place: TopicPartition) -> None:
        mine = self._pipeline.positions.get((place.topic, place.partition))
        group = await self._consumer.committed(place)
        start = max((offset for offset in (mine, group) if offset is not None), default=None)
        if start is None:
            start = (await self._consumer.beginning_offsets([place]))[place]
        self._pipeline.assign((place.topic, place.partition), start)
        self._consumer.seek(place, start)
        if self._paused:
            self._consumer.pause(place)

    async def _position_lost(self, error: OffsetOutOfRangeError) -> None:
        """Do as `offset_reset` says where the broker no longer (or not yet) has the record that comes next."""
        for place, offset in dict(error.args[0]).items():
            rule = self._options.offset_reset
            found = {"topic": place.topic, "partition": place.partition, "position": offset, "offset_reset": rule}
            if rule == "stop":
                _log.critical("kafka.position_lost", **found)
                raise PositionLostError(
                    f"{place.topic}/{place.partition}: the broker has no record at position {offset}; "
                    "records were lost, or the topic was made anew; set intake.kafka.offset_reset to go on"
                )
            ask = self._consumer.beginning_offsets if rule == "earliest" else self._consumer.end_offsets
            start = (await ask([place]))[place]
            _log.error("kafka.position_lost", **found, goes_on_at=start)
            await self._store.set_position((place.topic, place.partition), start)
            self._pipeline.assign((place.topic, place.partition), start)
            self._consumer.seek(place, start)

    async def _commit(self) -> None:
        """Let the group's commit follow the store."""
        ahead = {}
        for place in self._consumer.assignment():
            stored = self._pipeline.positions.get((place.topic, place.partition))
            if stored is not None and stored != self._committed.get(place):
                ahead[place] = stored
        if not ahead:
            return
        try:
            await self._consumer.commit(ahead)
        except (IllegalStateError, KafkaError) as error:
            _log.info("kafka.commit_put_off", error=str(error) or type(error).__name__)
        else:
            self._committed.update(ahead)

    # -- lag ------------------------------------------------------------------------------------------------------

    async def _measure(self) -> None:
        assignment = list(self._consumer.assignment())
        ends = await self._ends(assignment)
        shown = {(place.topic, place.partition) for place in assignment}
        for gone in self._shown - shown:
            self._metrics.kafka_lag.remove(*map(str, gone))
        for place, end in ends.items():
            position = self._pipeline.positions.get((place.topic, place.partition), end)
            self._metrics.kafka_lag.labels(place.topic, str(place.partition)).set(max(0, end - position))
        self._shown = {(place.topic, place.partition) for place in ends} | (self._shown & shown)

    async def _ends(self, assignment: list[TopicPartition]) -> dict[TopicPartition, int]:
        """High watermarks; they stand still while a partition is paused, so then the broker is asked."""
        if self._paused and assignment:
            found: dict[TopicPartition, int] = await self._consumer.end_offsets(assignment)
            return found
        marks = {place: self._consumer.highwater(place) for place in assignment}
        return {place: mark for place, mark in marks.items() if mark is not None}

    def _forget_lag(self) -> None:
        for gone in self._shown:
            self._metrics.kafka_lag.remove(*map(str, gone))
        self._shown = set()

    # -- helpers --------------------------------------------------------------------------------------------------

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._bounded(work(), STOP_SECONDS, getattr(work, "__name__", "work"))

    async def _bounded(self, work: Awaitable[object], seconds: float, what: str) -> None:
        """Run something of aiokafka that may hang or be cancelled from within, in a task of its own."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
                _log.warning("kafka.gave_up", what=what, seconds=seconds)
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("kafka.failed", what=what, error=str(error) or type(error).__name__)
