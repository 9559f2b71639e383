"""The end of a consumer: whatever becomes of its stop, nothing of it goes on."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from alertd.intake.kafka.bounded import dispose

DEADLINE = 20.0


class HangingConsumer(AIOKafkaConsumer):
    """aiokafka's own, never started, whose stop never ends, with a task that would go on for ever."""

    def __init__(self) -> None:
        super().__init__(bootstrap_servers="127.0.0.1:1")
        self.stopping = asyncio.Event()
        self.task = self._client._sync_task = asyncio.create_task(asyncio.Event().wait())

    async def stop(self) -> None:
        """Hang, as it does when the brokers are frozen."""
        self.stopping.set()
        await asyncio.Event().wait()


async def test_a_stop_that_hangs_is_torn_out() -> None:
    """What has not ended in time is cancelled, and its end is awaited."""
    consumer = HangingConsumer()
    async with asyncio.timeout(DEADLINE):
        await dispose(consumer, 0.01)
    assert consumer.stopping.is_set()
    assert consumer.task.cancelled()
    assert consumer._closed


async def test_a_stop_that_is_cut_is_torn_out() -> None:
    """Whoever is cancelled in the middle of it leaves nothing that fetches on, and is cancelled."""
    consumer = HangingConsumer()
    disposing = asyncio.create_task(dispose(consumer, DEADLINE))
    async with asyncio.timeout(DEADLINE):
        await consumer.stopping.wait()
        disposing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await disposing
        assert consumer._closed
        await asyncio.wait({consumer.task})
    assert consumer.task.cancelled()
