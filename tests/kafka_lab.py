"""What the tests of the Kafka intake work with: members with a store each, a feeder, and a ledger of what was stored."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from alertd.clock import SystemClock
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.errors import StoreUnavailableError
from alertd.intake.kafka.options import KafkaOptions, Topic
from alertd.intake.kafka.service import KafkaIntake
from alertd.intake.kafka.session import Session
from alertd.metrics import Metrics
from alertd.model.event import Bounds
from alertd.model.ids import IdSource
from alertd.model.workspace import Workspace
from alertd.pipeline import Pipeline
from alertd.store.memory import MemoryStore
from tests.daemon import ended, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from alertd.store.base import Batch, RejectedRecord
    from alertd.submission import QueueBounds
    from tests.broker import Broker

DEADLINE_SECONDS = 60.0
PACE_SECONDS = 0.01
"""The pause of a load between two batches."""
WORKSPACE = Workspace.model_validate({"name": "default"})
FAST: dict[str, Any] = {
    "session_timeout_seconds": 6,
    "heartbeat_seconds": 0.3,
    "rebalance_timeout_seconds": 6,
    "request_timeout_seconds": 10,
    "retry_backoff_ms": 100,
    "metadata_max_age_ms": 1000,
}


async def until(
    condition: Callable[[], object], seconds: float = DEADLINE_SECONDS, say: object = "a condition"
) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    await eventually(condition, say, seconds)


def fresh_group() -> str:
    """Name a group that nobody used yet."""
    return f"group-{uuid.uuid4()}"


def value(number: int, event_id: str | None = None) -> bytes:
    """Write a native event that carries a number, and an id only if one is given."""
    return orjson.dumps({"type": "t", "data": {"n": number}, **({"id": event_id} if event_id else {})})


class Ledger:
    """A store in memory that remembers what each commit brought, and can be made to fail, or to make commits wait."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self._store = MemoryStore(self.clock)
        self.batches: list[Batch] = []
        self.numbers: list[int] = []
        self.rejected: list[RejectedRecord] = []
        self.failing = False
        self.refused = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, batch: Batch) -> None:
        """Commit, unless told otherwise."""
        await self.gate.wait()
        if self.failing:
            self.refused += 1
            raise StoreUnavailableError("disk full")
        await self._store.commit(batch)
        self.batches.append(batch)
        self.numbers += [plan.event.body["data"].get("n", -1) for plan in batch.plans]
        self.rejected += batch.rejected

    def __getattr__(self, name: str) -> Any:
        """Leave all else to the store."""
        return getattr(self._store, name)

    def stored(self, topic: str) -> dict[int, int]:
        """The stored positions of a topic, by partition."""
        found = self._store._positions
        return {partition: offset for (name, partition), offset in found.items() if name == topic}


class Member:
    """A daemon's Kafka half: intake, pipeline, and a store that outlives it when it is given to another member."""

    def __init__(
        self,
        broker: Broker | str,
        *topics: str,
        group: str,
        store: Any = None,
        formats: Mapping[str, Any] | None = None,
        queue: QueueBounds | None = None,
        **options: Any,
    ) -> None:
        self.store = store if store is not None else Ledger()
        self.queue = queue
        bootstrap = broker if isinstance(broker, str) else broker.bootstrap
        self.options = KafkaOptions(
            bootstrap_servers=(bootstrap,),
            topics={name: Topic(format=(formats or {}).get(name, "native")) for name in topics},
            group_id=group,
            **(FAST | options),
        )
        self.metrics = Metrics()
        self.sessions: list[Session] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Self:
        """Build and run everything; return without waiting for the broker."""
        clock = SystemClock()
        ids = IdSource(clock, await self.store.newest_number())
        keys = await self.store.intern(name_keys([WORKSPACE]))
        rules = compile_ruleset([WORKSPACE], keys, 1)
        self.pipeline = Pipeline(
            self.store, ids, self.store.salt, clock, self.metrics, rules, lambda _: None, bounds=self.queue
        )
        self.pipeline.positions.update(await self.store.positions())

        def make() -> Session:
            made = Session(self.options, self.pipeline, self.store, ids, clock, self.metrics, Bounds())
            self.sessions.append(made)
            return made

        self.intake = KafkaIntake(make, self.metrics)
        self.tasks = [asyncio.create_task(self.pipeline.run()), asyncio.create_task(self.intake.run())]
        return self

    async def __aenter__(self) -> Self:
        """Start, and wait until partitions are assigned (or not, to this member) and sought."""
        await self.start()
        await self.joined()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in an orderly way, whatever was done before."""
        self.store_opens()
        await self.stop()

    def store_opens(self) -> None:
        """Let a ledger that was made to wait or to fail work again."""
        if isinstance(self.store, Ledger):
            self.store.gate.set()
            self.store.failing = False

    async def joined(self) -> None:
        """Wait until a consumer runs and its positions are sought."""
        await until(lambda: self.sessions and self.intake.connected.is_set() and self.session._positions.settled)

    async def stop(self, seconds: float = 10.0) -> float:
        """Stop softly: first the intake, then the pipeline; return how long the intake took."""
        began = time.monotonic()
        if self.tasks:
            pipeline, intake = self.tasks
            self.intake.stop()
            async with asyncio.timeout(seconds):
                await intake
            took = time.monotonic() - began
            self.pipeline.stop()
            async with asyncio.timeout(seconds):
                await pipeline
            self.tasks = []
            return took
        return 0.0

    async def cut(self) -> None:
        """End as a crash would, as far as one process can: nothing is drained, nothing committed, nobody told."""
        for session in self.sessions:
            if session._consumer is not None:
                session._consumer.commit = _never
                session._consumer.stop = _never
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []

    @property
    def session(self) -> Session:
        """The newest consumer's session."""
        return self.sessions[-1]

    @property
    def consumer(self) -> Any:
        """The newest consumer."""
        return self.session._consumer

    @property
    def numbers(self) -> list[int]:
        """What was stored, in order."""
        found: list[int] = self.store.numbers
        return found

    def has(self, numbers: Iterable[int]) -> bool:
        """Whether all these numbers were stored."""
        return set(numbers) <= set(self.numbers)

    def metric(self, name: str, **labels: str) -> float | None:
        """Read a metric; None when it is not shown."""
        return self.metrics.registry.get_sample_value(name, labels or None)


def count_polls(member: Member) -> list[dict[TopicPartition, int]]:
    """Return a list that grows with each poll from now on: how many records it brought, by partition."""
    polls: list[dict[TopicPartition, int]] = []
    poll = member.consumer.getmany

    async def counted(**options: Any) -> Any:
        found = await poll(**options)
        polls.append({place: len(records) for place, records in found.items()})
        return found

    member.consumer.getmany = counted
    return polls


async def _never(*_: Any) -> None:
    """Do nothing at all, in place of what a killed process would not do either."""
    raise asyncio.CancelledError


class Feeder:
    """A producer of numbered events."""

    def __init__(self, broker: Broker | str, **options: Any) -> None:
        bootstrap = broker if isinstance(broker, str) else broker.bootstrap
        self.producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, **({"linger_ms": 2, "retry_backoff_ms": 100} | options)
        )
        self.sent = 0

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect, in bounds: the broker may be gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await self.producer.stop()

    async def send(self, topic: str, numbers: Iterable[int], partitions: int = 1) -> None:
        """Send numbers, spread over partitions by their value, and wait for every acknowledgement."""
        await self.send_values(topic, [(value(n), n % partitions) for n in numbers])

    async def send_values(self, topic: str, values: list[tuple[bytes | None, int]], **extras: Any) -> None:
        """Send values to their partitions, and wait for every acknowledgement."""
        sent = [await self.producer.send(topic, data, partition=at, **extras) for data, at in values]
        await asyncio.gather(*sent)

    @contextlib.asynccontextmanager
    async def load(self, topic: str, partitions: int = 1, batch: int = 50) -> Any:
        """Send number after number while the block runs; `sent` counts what was acknowledged."""
        ending = asyncio.Event()
        task = asyncio.create_task(self._load(topic, partitions, batch, ending))
        try:
            yield
        finally:
            ending.set()
            await task

    async def _load(self, topic: str, partitions: int, batch: int, ending: asyncio.Event) -> None:
        while not await ended(ending, PACE_SECONDS):
            await self.send(topic, range(self.sent, self.sent + batch), partitions)
            self.sent += batch


async def committed(broker: Broker, group: str, topic: str, partitions: int = 1) -> dict[int, int | None]:
    """Ask for the group's commits."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False)
    async with asyncio.timeout(DEADLINE_SECONDS), consumer:
        return {p: await consumer.committed(TopicPartition(topic, p)) for p in range(partitions)}


async def commit(broker: Broker, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Commit for a group, as another member might have done."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False)
    async with asyncio.timeout(DEADLINE_SECONDS), consumer:
        consumer.assign([TopicPartition(topic, p) for p in offsets])
        await consumer.commit({TopicPartition(topic, p): offset for p, offset in offsets.items()})


def doubles(numbers: Iterable[int]) -> list[int]:
    """What occurs more than once."""
    return sorted(number for number, count in Counter(numbers).items() if count > 1)
