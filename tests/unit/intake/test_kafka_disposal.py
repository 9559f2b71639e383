"""The end of a consumer: whatever becomes of its stop, nothing of it goes on."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer
from structlog.testing import capture_logs

from alertd.intake.kafka.bounded import dispose, tear_out

DEADLINE = 60.0


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


class Connection:
    """One that closes by and by, or cannot be closed: it was cut while it was made."""

    def __init__(self, *, broken: bool = False) -> None:
        self.closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.broken = broken

    def close(self) -> asyncio.Future[None]:
        """Begin to close."""
        if self.broken:
            raise AttributeError("'NoneType' object has no attribute 'done'")
        return self.closing


async def test_a_connection_that_cannot_be_closed_is_told_and_keeps_no_other_open() -> None:
    """The client's own `close` fails on one that is half made."""
    consumer, last = HangingConsumer(), Connection()
    consumer._client._conns = {(0, 0): Connection(broken=True), (1, 0): last}
    with capture_logs() as lines:
        torn = tear_out(consumer)
    assert torn == {consumer.task, last.closing}
    assert [(line["event"], line["error"]) for line in lines] == [
        ("kafka.close_failed", "'NoneType' object has no attribute 'done'")
    ]
