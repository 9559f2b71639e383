"""The reporter passes the service suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.about.reporter import Report
from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work
from tests.unit.about.test_reporter import Pipe, reporter_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.model.event import Event
    from alertd.runtime import Service

REPORTS = 50


class Slow(Pipe):
    """A pipeline that takes its time, or breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    @override
    async def __call__(self, events: list[Event], size: int, source: str) -> object:
        """Take events, after a while."""
        await self.work()
        return await super().__call__(events, size, source)


class TestReporter(ServiceSuite):
    """One to which much was told before it ran."""

    pipe: Slow

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has something to store."""
        self.pipe = Slow()
        reporter = reporter_to(self.pipe)
        for number in range(REPORTS):
            reporter.tell(Report("alertd.started", "info", f"{number}"))
        yield reporter

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until it stores."""
        await self.pipe.work.under_way()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the pipeline, in a way that it never says it may fail."""
        self.pipe.work.broken = True
