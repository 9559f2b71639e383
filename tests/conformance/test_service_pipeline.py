"""The pipeline passes the service suite, and leaves nobody waiting however it ends."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from alertd.pipeline import BATCH_EVENTS
from alertd.runtime import look_away
from alertd.submission import Submission
from tests.conformance.service_suite import DEADLINE, ServiceSuite, ended
from tests.unit.test_pipeline import WORKSPACE, Bench, events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service

BATCHES = 3


class TestPipeline(ServiceSuite):
    """One with more submissions than go into one batch, of HTTP and of Kafka."""

    bench: Bench
    waiting: list[asyncio.Future[Any]]

    def offer(self) -> None:
        """Queue several batches."""
        for first in range(0, BATCHES * BATCH_EVENTS, BATCH_EVENTS):
            done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            posted = Submission("http", events({"type": "t"}), 10, done)
            for submission in (posted, self.bench.kafka(range(first, first + BATCH_EVENTS))):
                submission.done.add_done_callback(look_away)
                self.waiting.append(submission.done)
                self.bench.pipeline.offer(submission)

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has something to commit."""
        self.bench, self.waiting = Bench(WORKSPACE, None), []
        await self.bench.start()
        self.offer()
        yield self.bench.pipeline

    @override
    async def make_busy(self, service: Service) -> None:
        """Return while a commit is under way that goes on in the next turn."""
        self.bench.gate.open.clear()
        async with asyncio.timeout(DEADLINE):
            await self.bench.gate.entered.wait()
        self.bench.gate.open.set()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the store, in a way that it never says it may fail."""
        self.bench.gate.broken = OSError("the store is gone")

    @pytest.mark.parametrize("end", ["stop", "cancel", "stop and cancel", "failure"])
    async def test_nobody_is_left_waiting(self, end: str) -> None:
        """Asked to stop it commits all that is queued; cut or broken it says so to those who wait."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            if end == "failure":
                await self.make_fail(service)
            if "stop" in end:
                service.stop()
            if "cancel" in end:
                task.cancel()
            await ended(task)
            async with asyncio.timeout(DEADLINE):
                found = await asyncio.gather(*self.waiting, return_exceptions=True)
            assert all(isinstance(each, list) for each in found) == (end == "stop")
