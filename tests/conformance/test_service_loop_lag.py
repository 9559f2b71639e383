"""The ticker passes the service suite."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.clock import SystemClock
from alertd.runtime import LoopLag
from tests.conformance.service_suite import DEADLINE, ServiceSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service


class Gauge:
    """Keeps what the ticker records, or breaks."""

    def __init__(self) -> None:
        self.ticked = asyncio.Event()
        self.broken = False

    def set(self, seconds: float) -> None:
        """Take one measurement."""
        if self.broken:
            raise OSError("the gauge is gone")
        self.ticked.set()


class TestLoopLag(ServiceSuite):
    """A ticker that ticks every millisecond."""

    gauge: Gauge

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield a ticker."""
        self.gauge = Gauge()
        yield LoopLag(self.gauge.set, SystemClock(), interval_seconds=0.001)

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait for a tick."""
        async with asyncio.timeout(DEADLINE):
            await self.gauge.ticked.wait()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the gauge."""
        self.gauge.broken = True
