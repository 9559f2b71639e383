"""The reloader passes the service suite."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.app.reloader import Reloader
from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service


class TestReloader(ServiceSuite):
    """One to which a hang-up came before it ran."""

    hangups: asyncio.Event
    work: Work

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has something to read."""
        self.hangups, self.work = asyncio.Event(), Work()
        self.hangups.set()
        yield Reloader(self.hangups, self.work)

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until it reads, and hang up once more."""
        await self.work.under_way()
        self.hangups.set()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break what it reads."""
        self.work.broken = True
