"""The watchdog passes the service suite."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.clock import SystemClock
from alertd.systemd import Notifier, Watchdog
from tests.conformance.service_suite import DEADLINE, ServiceSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service


class Manager(Notifier):
    """A service manager that listens, or breaks."""

    broken = False

    @override
    def alive(self) -> None:
        """Take one sign of life."""
        if self.broken:
            raise OSError("the manager is gone")


class TestWatchdog(ServiceSuite):
    """A watchdog with a check that always says yes."""

    asked: asyncio.Event
    manager: Manager

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield a watchdog."""
        self.asked = asyncio.Event()

        async def lives() -> bool:
            self.asked.set()
            return True

        self.manager = Manager(None, SystemClock())
        yield Watchdog(self.manager, lives, watchdog_seconds=0.01)

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until the check was asked."""
        async with asyncio.timeout(DEADLINE):
            await self.asked.wait()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the manager."""
        self.manager.broken = True
