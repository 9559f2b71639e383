"""The watcher passes the service suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work
from tests.unit.about.test_watcher import Scene, dead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service
    from alertd.store.base import Filter, Page


class Slow(Scene):
    """A world in which deliveries are dead, and whose store takes its time, or breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()
        self.dead = [dead()]
        self.change(deaths=1)

    @override
    async def deliveries(self, which: Filter) -> Page:
        """Dead deliveries, after a while."""
        await self.work()
        return await super().deliveries(which)


class TestWatcher(ServiceSuite):
    """One that has deaths to look at."""

    scene: Slow

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has something to look at."""
        self.scene = Slow()
        yield self.scene.watcher

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until it reads."""
        await self.scene.work.under_way()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the store, in a way that it never says it may fail."""
        self.scene.work.broken = True
