"""The dispatcher passes the service suite: with receivers that answer, and with one that never does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work
from tests.unit.delivery.world import NAMING, Scripted, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.destinations.base import Message
    from alertd.model.delivery import Outcome
    from alertd.runtime import Service

CAPACITY = 20
DELIVERIES = 10 * CAPACITY
"""Most of them do not fit into the lane, and are read from the store."""
DRAIN_SECONDS = 0.05
"""How long a receiver that hangs holds up a stop."""


class Slow(Scripted):
    """A receiver that takes some turns of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Answer, after a while."""
        await self.work()
        return await super().attempt(message)


class TestDispatcher(ServiceSuite):
    """One with more deliveries than its lane holds."""

    world: World
    receiver: Slow

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has something to deliver; nothing is in flight afterwards."""
        self.world, self.receiver = World(drain_seconds=DRAIN_SECONDS), Slow()
        spec = self.world.spec(self.receiver, capacity=CAPACITY)
        self.world.deliveries(DELIVERIES)
        await self.world.dispatcher.apply([spec], NAMING)
        self.world.offer(CAPACITY)
        yield self.world.dispatcher
        assert not self.receiver.flying

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait for an attempt."""
        await self.receiver.work.under_way()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the store, in a way that it never says it may fail."""
        self.world.store.broken = True


class TestDispatcherWhoseReceiverHangs(TestDispatcher):
    """One whose attempts do not end by themselves."""

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has something to deliver, to a receiver that never answers."""
        async with super().make() as service:
            self.receiver.gate = asyncio.Event()
            yield service

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the store, and let the receiver answer."""
        await super().make_fail(service)
        assert self.receiver.gate is not None
        self.receiver.gate.set()
