"""The log of destinations that are gone passes the service suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.resources.gone import GoneLog
from tests.conformance.service_suite import ServiceSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.resources.change import Noted
    from alertd.runtime import Service


class TestGoneLog(ServiceSuite):
    """One whose log can break."""

    log: GoneLog
    broken: bool

    async def note(self, actor: str, noted: Noted) -> None:
        """Take a line, or break."""
        if self.broken:
            raise OSError("the log is gone")

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has a line to write."""
        self.broken = False
        self.log = GoneLog(self.note)
        self.log.tell("default", "ops", "gone: returned 410")
        yield self.log

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the log, and have another line written."""
        self.broken = True
        self.log.tell("default", "ops", "gone: returned 410")
