"""The suite itself: a sample that keeps the contract passes, samples that break it are caught."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tests.conformance import service_suite
from tests.conformance.service_suite import DEADLINE, ServiceSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service


class Worker:
    """Takes numbers from a queue; a stop lets it finish what is queued."""

    name = "sample"

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int | None] = asyncio.Queue()
        self.working = asyncio.Event()
        self.done: list[int] = []

    async def run(self) -> None:
        """Work until the end mark is taken."""
        while (item := await self.queue.get()) is not None:
            if item < 0:
                raise ValueError(item)
            self.working.set()
            await asyncio.sleep(0)
            self.done.append(item)

    def stop(self) -> None:
        """Queue the end mark."""
        self.queue.put_nowait(None)


class TestSample(ServiceSuite):
    """A small worker with a drain."""

    worker: Worker

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield a worker."""
        self.worker = Worker()
        yield self.worker

    @override
    async def make_busy(self, service: Service) -> None:
        """Give it work and wait until it has begun."""
        self.worker.queue.put_nowait(1)
        self.worker.queue.put_nowait(2)
        async with asyncio.timeout(DEADLINE):
            await self.worker.working.wait()

    @override
    async def make_fail(self, service: Service) -> None:
        """Give it what it cannot work on."""
        self.worker.queue.put_nowait(-1)


class Deaf(Worker):
    """Does not hear a stop."""

    @override
    def stop(self) -> None:
        """Ignore it."""


class Fragile(Worker):
    """Stands only one stop."""

    stopped = False

    @override
    def stop(self) -> None:
        """Fail the second time."""
        if self.stopped:
            raise RuntimeError("stopped twice")
        self.stopped = True
        super().stop()


class Quitter(Worker):
    """Returns unasked."""

    @override
    async def run(self) -> None:
        """Be done at once."""
        self.working.set()


class Broken(TestSample):
    """The suite over a worker that breaks the contract; not collected by itself."""

    __test__ = False

    def __init__(self, kind: type[Worker]) -> None:
        self.kind = kind

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield a broken worker."""
        self.worker = self.kind()
        yield self.worker


async def test_the_suite_catches_a_service_that_ignores_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that goes on after a stop fails the suite at its deadline."""
    monkeypatch.setattr(service_suite, "DEADLINE", 0.05)
    with pytest.raises(pytest.fail.Exception, match="did not end"):
        await Broken(Deaf).test_stop_while_busy()


async def test_the_suite_catches_a_service_that_stops_only_once() -> None:
    """A stop that fails the second time fails the suite."""
    with pytest.raises(RuntimeError, match="stopped twice"):
        await Broken(Fragile).test_stop_twice()


async def test_the_suite_catches_a_service_that_returns_unasked() -> None:
    """A run that returns by itself fails the suite."""
    with pytest.raises(AssertionError, match="unasked"):
        await Broken(Quitter).test_stop_while_busy()


async def test_the_suite_catches_a_service_that_swallows_its_error() -> None:
    """A run that ends quietly when its world breaks fails the suite."""
    with pytest.raises(AssertionError):
        await Broken(Quitter).test_error_in_run()
