"""The replayer passes the service suite."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.clock import SystemClock
from alertd.delivery.replayer import Replayer
from alertd.metrics import Metrics
from alertd.model.ids import IdSource
from alertd.store.memory import MemoryStore
from alertd.store.replaying import Replay
from tests.conformance.service_suite import DEADLINE, ServiceSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from alertd.model.delivery import Delivery
    from alertd.runtime import Service


class TestReplayer(ServiceSuite):
    """A replayer with a replay that goes on for long."""

    stepped: asyncio.Event
    broken: bool

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take what was sent again, or break."""
        if self.broken:
            raise OSError("the dispatcher is gone")
        self.stepped.set()

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield a replayer that has work in its store."""
        clock, self.stepped, self.broken = SystemClock(), asyncio.Event(), False
        store, ids = MemoryStore(clock), IdSource(clock)
        replay = Replay(ids.take(), "default", "ann", b"{}", None, 0, 1000.0, 100_000)
        await store.begin_replay(replay, range(100_000))
        yield Replayer(store, clock, ids, self.offer, frozenset, Metrics())

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait for a step."""
        async with asyncio.timeout(DEADLINE):
            await self.stepped.wait()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break what takes the deliveries."""
        self.broken = True
