"""The heartbeat passes the service suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.about.heartbeat import Heartbeat
from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work
from tests.unit.about.test_heartbeat import BEAT, Far

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.destinations.base import HttpAnswer, HttpRequest
    from alertd.runtime import Service


class Slow(Far):
    """Another side that takes its time, or breaks."""

    def __init__(self) -> None:
        super().__init__(200)
        self.work = Work()

    @override
    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Answer, after a while."""
        await self.work()
        return await super().send(request, timeout_seconds)


class TestHeartbeat(ServiceSuite):
    """One that beats every millisecond."""

    far: Slow

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has somewhere to beat to."""
        self.far = Slow()
        yield Heartbeat(lambda: self.far, self.far.is_alive, BEAT)

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until a request is on its way."""
        await self.far.work.under_way()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break what sends, in a way that no sender says it may fail."""
        self.far.work.broken = True
