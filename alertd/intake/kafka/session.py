"""One consumer's life, from joining the group to leaving it: polling, and back-pressure.

A consumer that broke is not mended but thrown away; the service makes another.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import (
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from alertd.engine.refusal import refusals
from alertd.errors import AlertdError, IntakeFullError
from alertd.intake.kafka.bounded import bounded, dispose, poll_ended, tear_out
from alertd.intake.kafka.positions import Positions
from alertd.intake.kafka.records import read
from alertd.intake.kafka.unpacking import ALLOWANCE, install
from alertd.intake.kafka.watch import LAG_SECONDS, Watch
from alertd.runtime import wait_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiokafka import TopicPartition

    from alertd.clock import Clock
    from alertd.errors import Problem
    from alertd.intake.kafka.options import KafkaOptions
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds, Event
    from alertd.model.ids import IdSource
    from alertd.pipeline import Pipeline
    from alertd.store.base import PipelineStore
    from alertd.submission import Submission

POLL_MS: Final = 200
"""How long one poll waits for records."""
BUSY_SECONDS: Final = 1.0
"""How long a busy pipeline is waited for before partitions are paused (and polling goes on)."""
POLLS_IN_FLIGHT: Final = 4
"""How many polls' records may be on their way through the pipeline."""
BYTES_IN_FLIGHT: Final = 16 * 1024 * 1024
"""How many bytes of records may be on their way through the pipeline."""
WAY_SHARE: Final = 24
"""Others go first for so many times as long as it took to read what a poll brought. That is a fourth of what it costs in all, so they get six times its cost."""
WAY_SECONDS: Final = 0.25
"""But no longer than that."""
COMMIT_SECONDS: Final = 0.5
"""How often the group's commit follows the store."""
LOOK_SECONDS: Final = 0.5
"""How often the consumer is looked at from outside."""
SETTLE_SECONDS: Final = 2.0
"""How long a stop waits for the commit of what was read."""
TOPICS_SECONDS: Final = 5.0
"""How long a start waits for topics that the brokers do not know, or make just now, when they know another one."""
STOP_SECONDS: Final = 4.0
"""The bound of leaving the group."""
POLL_STOP_SECONDS: Final = 1.0
"""How long a stop waits for a poll: while the group waits for another member, a poll lasts as long as that takes."""
UNSETTLED_STOP_SECONDS: Final = 2.0
"""The bound of leaving a group that has not settled: the broker answers only when it has."""

_log = structlog.get_logger("alertd.kafka")


class BrokenError(AlertdError):
    """The consumer is of no use any longer."""


class Session:
    """One consumer. `start`, then `run` until `stop` or an error, then `close`; `bounds` may change while it runs.

    `give_way` lets others go first, for so many seconds at most, and says for how many.
    """

    def __init__(
        self,
        options: KafkaOptions,
        pipeline: Pipeline,
        store: PipelineStore,
        ids: IdSource,
        clock: Clock,
        metrics: Metrics,
        bounds: Bounds,
        give_way: Callable[[float], Awaitable[float]] | None = None,
    ) -> None:
        self._options = options
        self._pipeline = pipeline
        self._ids = ids
        self._clock = clock
        self._metrics = metrics
        self.bounds = bounds
        self._give_way = give_way
        self._positions = Positions(options, pipeline, store)
        self._watch = Watch(self._positions, clock, metrics, options.stall_seconds)
        self._consumer: Any = None
        self._flying: dict[asyncio.Future[Any], tuple[int, int]] = {}
        self._flying_events = 0
        self._flying_bytes = 0
        self._missing: list[str] = []
        metrics.events.labels("kafka", "rejected")  # 0 from the beginning: the first one is an increase
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Connect and join. Raises KafkaError, OSError, ssl.SSLError or UnknownClientError."""
        # One assignor only, for each costs a round of joining; a class of its own, for it remembers in the class.
        assignor = type("OwnSticky", (StickyPartitionAssignor,), {})
        arguments = await asyncio.to_thread(self._options.arguments)  # reading certificates takes its time
        install(self._options.max_batch_bytes)
        self._consumer = AIOKafkaConsumer(**arguments, partition_assignment_strategy=(assignor,))
        self._positions.watch(self._consumer)
        self._consumer.subscribe(list(self._options.topics), listener=self._positions)
        self._consumer._wait_topics = self._wait_topics  # noqa: SLF001 - it waits for each of them, and reads none before
        await self._consumer.start()
        self._watch.watch(self._consumer)

    async def _wait_topics(self) -> None:
        """Wait until the brokers know the topics, for a while; one that they do not know then is read from when it is there.

        The group is asked again when its partitions come. Raises KafkaError when none is known, or one may not be read.
        """
        client, loop = self._consumer._client, asyncio.get_running_loop()  # noqa: SLF001 - nothing public waits
        began = loop.time()
        while missing := self.missing_topics():
            waited, is_none = loop.time() - began, len(missing) == len(self._options.topics)
            if denied := client.cluster.unauthorized_topics.intersection(missing):
                raise TopicAuthorizationFailedError(*sorted(denied))
            if waited > (self._options.request_timeout_seconds if is_none else TOPICS_SECONDS):
                break
            await client.force_metadata_update()
            if self.missing_topics():
                await asyncio.sleep(self._options.retry_backoff_ms / 1000)
        if len(missing) == len(self._options.topics):
            raise UnknownTopicOrPartitionError

    def missing_topics(self) -> list[str]:
        """Name the topics that the brokers do not know."""
        if self._consumer is None or not self._consumer._client.cluster.brokers():  # noqa: SLF001 - nothing public tells
            return []
        known = self._consumer._client.cluster.topics()  # noqa: SLF001 - as above
        return [name for name in self._options.topics if name not in known]

    def stop(self) -> None:
        """Ask `run` to return."""
        self._stopping.set()
        self._room.set()

    async def run(self) -> None:
        """Poll until asked to stop. Raises whatever broke the consumer."""
        tasks = {
            asyncio.create_task(self._poll_on(), name="kafka-poll"),
            asyncio.create_task(self._every(COMMIT_SECONDS, self._commit), name="kafka-commit"),
            asyncio.create_task(self._every(LAG_SECONDS, self._measure), name="kafka-lag"),
            asyncio.create_task(self._every(LOOK_SECONDS, self._look), name="kafka-watch"),
            asyncio.create_task(self._overdue(), name="kafka-overdue"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.cancelled():
                    raise BrokenError("the consumer's own tasks were cancelled")
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1)

    async def close(self) -> None:
        """Commit what is stored, then leave, each within its bound. Cancelled, it tears the consumer out at once."""
        if self._consumer is None:
            return
        try:
            await self._settle()
            await bounded(self._positions.commit(), SETTLE_SECONDS, "commit")
            await dispose(self._consumer, STOP_SECONDS if self._positions.settled else UNSETTLED_STOP_SECONDS)
        finally:
            tear_out(self._consumer)
            self._watch.forget()
            self._metrics.kafka_paused.set(0)

    async def _overdue(self) -> None:
        """Return when a poll has not ended in time after a stop was asked; it may be cut, for it is the last one."""
        await self._stopping.wait()
        await asyncio.sleep(POLL_STOP_SECONDS)

    async def _settle(self) -> None:
        """Wait a while for what is under way; what the pipeline has not begun by then is taken back, to be read again."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=SETTLE_SECONDS)
        if self._flying:
            await self._positions.release(self._consumer.assignment())

    # -- polling --------------------------------------------------------------------------------------------------

    async def _poll_on(self) -> None:
        while not self._stopping.is_set():
            await self._wait_for_room()
            if fetched := await self._fetch(self._options.max_poll_records):
                await self._let_others_go(*await self._take(fetched))

    async def _let_others_go(self, events: int, seconds: float) -> None:
        """Give way after a poll that brought many events, in proportion to the seconds that it took to read those."""
        if self._give_way is not None and 2 * events >= self._options.max_poll_records:
            self._metrics.kafka_gave_way.inc(await self._give_way(min(WAY_SECONDS, WAY_SHARE * seconds)))

    async def _fetch(self, most: int) -> dict[TopicPartition, list[Any]]:
        """Poll once. Cut from outside by the end of `run` alone: aiokafka would lose count of its polls."""
        ALLOWANCE.renew()
        try:
            fetched: dict[TopicPartition, list[Any]] = await self._consumer.getmany(
                timeout_ms=POLL_MS, max_records=most
            )
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            fetched = {}
            poll_ended(self._consumer)
            if self._positions.settled:
                if isinstance(error, NoOffsetForPartitionError):
                    raise
                await self._positions.mend(dict(error.args[0]))
        if self._positions.broken is not None:
            raise self._positions.broken
        return fetched if self._positions.settled else {}

    async def _take(self, fetched: dict[TopicPartition, list[Any]]) -> tuple[int, float]:
        """Hand records to the pipeline; return how many events they are, and the seconds that reading those took.

        What is not handed over when the partitions change hands comes again.
        """
        events, seconds = 0, 0.0
        now_ms, workspaces = self._clock.now_ms(), frozenset(self._pipeline.ruleset.workspaces)
        generation = self._positions.generation
        for place, records in fetched.items():
            began = self._clock.monotonic()
            submission = read(
                (place.topic, place.partition),
                records,
                self._options.topics[place.topic],
                now_ms=now_ms,
                workspaces=workspaces,
                bounds=self.bounds,
                ids=self._ids,
                refuse=self._refuse if self._pipeline.ruleset.refuses else None,
            )
            if submission.rejected:
                first = submission.rejected[0]
                where = {"topic": place.topic, "partition": place.partition, "offset": first.offset}
                _log.warning("kafka.rejected", records=len(submission.rejected), **where, reason=first.reason)
            events += len(submission.events)
            seconds += (self._clock.monotonic() - began) * len(submission.events) / len(records)
            while not self._try_offer(submission):
                await self._hold()
                if self._stopping.is_set() or self._positions.generation != generation:
                    return events, seconds
        return events, seconds

    def _refuse(self, event: Event) -> Sequence[Problem]:
        return refusals(self._pipeline.ruleset, (event,), single=True)

    def _try_offer(self, submission: Submission) -> bool:
        """Offer records to the pipeline if as much room is left for others as they take."""
        count, size = len(submission.events) + len(submission.rejected), submission.size
        if not self._is_open(count, size):
            return False
        try:
            self._pipeline.offer(submission)
        except IntakeFullError:
            return False
        self._flying[submission.done] = count, size
        self._flying_events += count
        self._flying_bytes += size
        submission.done.add_done_callback(self._landed)
        return True

    def _is_open(self, count: int, size: int) -> bool:
        """Whether the pipeline has room for so much, and as much again for others; or nothing to do at all."""
        return not self._pipeline.queued_events or self._pipeline.has_room(2 * count, 2 * size)

    def _landed(self, done: asyncio.Future[Any]) -> None:
        count, size = self._flying.pop(done)
        self._flying_events -= count
        self._flying_bytes -= size
        if self._has_room(2):
            self._room.set()

    def _has_room(self, share: int = 1) -> bool:
        """Whether less than the bounds, or a share of them, is under way."""
        most = POLLS_IN_FLIGHT * self._options.max_poll_records
        return self._flying_events <= most // share and self._flying_bytes <= BYTES_IN_FLIGHT // share

    async def _wait_for_room(self) -> None:
        if not self._has_room():
            self._room.clear()
            while not (await wait_event(self._room, BUSY_SECONDS) or self._stopping.is_set()):
                await self._hold()
        while self._positions.paused and not self._is_open(self._options.max_poll_records, 1):
            if self._stopping.is_set():
                return
            await self._hold()
        self._resume()

    async def _hold(self) -> None:
        """Let the pipeline catch up: partitions paused, polling going on so that the group keeps us."""
        assigned = self._consumer.assignment()
        self._consumer.pause(*(assigned - self._consumer.paused()))
        if not self._positions.paused:
            self._positions.paused = True
            _log.warning("kafka.paused", partitions=len(assigned), queued_events=self._pipeline.queued_events)
        self._metrics.kafka_paused.set(len(assigned))
        for place, records in (await self._fetch(1)).items():
            self._consumer.seek(place, records[0].offset)  # came in spite of the pause: put it back

    def _resume(self) -> None:
        if self._positions.paused:
            self._positions.paused = False
            self._consumer.resume(*self._consumer.paused())
            self._watch.answered()
            self._metrics.kafka_paused.set(0)
            _log.info("kafka.resumed")

    # -- beside the polling ---------------------------------------------------------------------------------------

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while not await wait_event(self._stopping, seconds):
            await work()
        await asyncio.Event().wait()  # the polling decides when all ends

    async def _commit(self) -> None:
        await bounded(self._positions.commit(), STOP_SECONDS, "commit")

    async def _measure(self) -> None:
        await bounded(self._watch.measure(idle=not self._flying), STOP_SECONDS, "lag")

    async def _look(self) -> None:
        self._watch.look()
        missing = self.missing_topics()
        self._metrics.kafka_topics_missing.set(len(missing))  # whatever a consumer before this one left there
        if missing != self._missing:
            if missing:
                _log.error("kafka.topics_missing", topics=missing)
            else:
                _log.info("kafka.topics_found", topics=self._missing)
            self._missing = missing
