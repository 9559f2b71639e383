"""Housekeeping passes the service suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work
from tests.unit.test_housekeeping import ScriptedStore, make

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service

OLD_EVENTS = 100_000_000
"""More than go while a test lasts."""


class Slow(ScriptedStore):
    """A store with much that is old, that takes its time to delete it, or breaks."""

    def __init__(self) -> None:
        super().__init__(OLD_EVENTS)
        self.work = Work()

    @override
    async def retain(self, before_ms: int, limit: int) -> int:
        """Delete some, after a while."""
        await self.work()
        return await super().retain(before_ms, limit)


class TestHousekeeping(ServiceSuite):
    """One that deletes history slice by slice."""

    store: Slow

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has much to delete."""
        self.store = Slow()
        yield make(self.store)[0]

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until it deletes."""
        await self.store.work.under_way()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the store, in a way that it never says it may fail."""
        self.store.work.broken = True
