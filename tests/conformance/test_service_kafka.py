"""The Kafka intake passes the service suite, over consumers that need no broker."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from typing_extensions import override

from alertd.intake.kafka import service as supervisor
from alertd.intake.kafka import session
from alertd.intake.kafka.options import KafkaOptions, Topic
from alertd.intake.kafka.service import KafkaIntake
from alertd.model.event import Bounds
from tests.conformance.service_suite import DEADLINE, ServiceSuite, finish
from tests.kafka_lab import value
from tests.unit.intake.test_kafka_session import PLACE, Consumer
from tests.unit.test_pipeline import Bench, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import TopicPartition

    from alertd.runtime import Service

RECORDS = 10
"""How many records each poll brings; there are always more."""


class Member(Consumer):
    """A consumer that gets its partition as it starts, whose polls raise `error` when there is one."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.error: Exception | None = None
        self.position = 0
        self._client = SimpleNamespace(_conns={})
        self._closed = False

    @override
    def subscribe(self, topics: list[str], listener: Any) -> None:
        """Remember who is to hear of partitions."""
        self.listener = listener

    @override
    async def start(self) -> None:
        """Join."""
        await self.listener.on_partitions_assigned([PLACE])

    async def committed(self, place: TopicPartition) -> int:
        """Say that the group has come nowhere yet."""
        return 0

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go on from there."""
        self.position = offset

    @override
    async def getmany(self, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        """Bring some records, or break."""
        await super().getmany(timeout_ms, max_records)
        if self.error is not None:
            raise self.error
        first, self.position = self.position, self.position + RECORDS
        return {PLACE: [record(offset) for offset in range(first, self.position)]}

    @override
    async def commit(self, offsets: Any) -> None:
        """Take note of nothing."""

    async def stop(self) -> None:
        """Leave."""


def record(offset: int) -> Any:
    """Make a record that holds an event."""
    return SimpleNamespace(offset=offset, value=value(offset), key=None, timestamp=0, headers=())


class TestKafkaIntake(ServiceSuite):
    """One whose records never end. It survives whatever breaks but a lost position, when the setting says stop."""

    bench: Bench

    @pytest.fixture(autouse=True)
    def _without_broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "AIOKafkaConsumer", Member)
        monkeypatch.setattr(session, "LOOK_SECONDS", DEADLINE)  # such a consumer has nothing inside to look at
        monkeypatch.setattr(session, "LAG_SECONDS", DEADLINE)
        monkeypatch.setattr(supervisor, "RETRY_SECONDS", (0.001,))

    def session(self) -> session.Session:
        """Make a session over such a consumer."""
        options = KafkaOptions(("127.0.0.1:1",), {PLACE.topic: Topic()}, offset_reset="stop")
        bench = self.bench
        return session.Session(options, bench.pipeline, bench.store, bench.ids, bench.clock, bench.metrics, Bounds())

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one with a running pipeline; no consumer is left afterwards."""
        async with running() as self.bench:
            Consumer.made = []
            yield KafkaIntake(self.session, self.bench.metrics)
            assert all(member._closed for member in self.members)

    @property
    def members(self) -> list[Any]:
        """The consumers, first to last."""
        return Consumer.made

    @override
    async def make_busy(self, service: Service) -> None:
        """Return while records are on their way through the pipeline, whose commit goes on in the next turn."""
        gate = self.bench.gate
        gate.open.clear()
        gate.entered.clear()
        async with asyncio.timeout(DEADLINE):
            await gate.entered.wait()
        gate.open.set()

    @override
    async def make_fail(self, service: Service) -> None:
        """Lose the position."""
        self.members[-1].error = OffsetOutOfRangeError({PLACE: self.members[-1].position})

    async def test_another_consumer_takes_the_place_of_one_that_breaks(self) -> None:
        """And the service goes on."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            self.members[-1].error = OSError("the connection is gone")
            while len(self.members) < 2:
                await self.make_busy(service)
            assert not task.done()
            service.stop()
            await finish(task)
