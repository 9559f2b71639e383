"""The learner passes the service suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.resources.learning import Learner
from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work
from tests.unit.resources.test_learning import plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service


class TestLearner(ServiceSuite):
    """One that has seen something before it ran."""

    learner: Learner
    work: Work

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that has something to learn."""
        self.work = Work()
        self.learner = Learner(self.work)
        self.learner.see([plan("a")])
        yield self.learner

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until it learns, and let it see more."""
        await self.work.under_way()
        self.learner.see([plan("b")])

    @override
    async def make_fail(self, service: Service) -> None:
        """Break what keeps what is learnt."""
        self.work.broken = True
