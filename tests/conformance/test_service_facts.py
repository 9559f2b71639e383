"""The facts pass the service suite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

import alertd.facts
from tests.conformance.service_suite import ServiceSuite
from tests.conformance.service_work import Work
from tests.conformance.store_maker import NAMES
from tests.unit.test_facts import Bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service
    from alertd.store.facts import KeptFacts


class TestFacts(ServiceSuite):
    """Facts that changed before they ran, and are written every millisecond."""

    bench: Bench
    work: Work

    @pytest.fixture(autouse=True)
    def _often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(alertd.facts, "KEEP_SECONDS", 0.001)

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield facts that have something to write, to a store that takes its time."""
        self.bench, self.work = Bench(), Work()
        store = self.bench.store
        keep = store.keep_facts

        async def slow(changed: KeptFacts) -> None:
            await self.work()
            await keep(changed)

        store.keep_facts = slow  # type: ignore[method-assign]  # a scripted fault
        await store.intern(NAMES)
        await self.bench.facts.load(0)
        self.bench.plan("a")
        yield self.bench.facts

    @override
    async def make_busy(self, service: Service) -> None:
        """Wait until they are written, and change them once more."""
        await self.work.under_way()
        self.bench.plan("a", "b")

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the store, in a way that it never says it may fail."""
        self.work.broken = True
