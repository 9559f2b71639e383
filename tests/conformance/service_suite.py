"""The stress test that every service passes: subclass `ServiceSuite`, say how to make one, and get all of it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from alertd.runtime import Service

DEADLINE = 60.0


class ServiceSuite(ABC):
    """The contract of `Service`, as tests.

    `make` opens a fresh service and closes what it needs afterwards. `make_busy` returns when the running service has
    work in its hands. `make_fail` breaks what the service stands on, so that `run` must raise.
    """

    @abstractmethod
    def make(self) -> AbstractAsyncContextManager[Service]:
        """Yield a fresh service that was not run yet."""

    async def make_busy(self, service: Service) -> None:
        """Return when the running service is at work; unless overridden, when it had some turns of the loop."""
        for _ in range(5):
            await asyncio.sleep(0)

    @abstractmethod
    async def make_fail(self, service: Service) -> None:
        """Break what the running service stands on."""

    async def test_it_has_a_name(self) -> None:
        """A service has a name that a log line can show."""
        async with self.make() as service:
            assert service.name
            assert service.name.isprintable()

    async def test_stop_before_run(self) -> None:
        """A service that was asked to stop before it ran returns by itself."""
        async with self.make() as service:
            service.stop()
            await finish(asyncio.create_task(service.run()))

    async def test_stop_at_once(self) -> None:
        """A stop that comes before the first turn of `run` is not lost."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            service.stop()
            await finish(task)

    async def test_stop_twice(self) -> None:
        """Asking twice, and again after the end, is the same as asking once."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            service.stop()
            service.stop()
            await finish(task)
            service.stop()

    async def test_stop_while_busy(self) -> None:
        """A busy service that is asked to stop finishes in bounded time, without an error."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            assert not task.done(), "a service must not return unasked"
            service.stop()
            await finish(task)

    async def test_cancel_while_busy(self) -> None:
        """A busy service that is cancelled ends, and does not swallow the cancellation into a long drain."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            task.cancel()
            await ended(task)

    async def test_cancel_before_the_first_turn(self) -> None:
        """A service that never got a turn can be cancelled, and stopped afterwards."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            task.cancel()
            await ended(task)
            service.stop()

    async def test_cancel_while_stopping(self) -> None:
        """A drain can be cut: cancelling after the stop was asked ends the service."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            service.stop()
            task.cancel()
            await ended(task)

    async def test_stop_and_cancel_at_random_turns(self) -> None:
        """Whatever turn of the loop a stop or a cancellation falls on, the service ends and leaves no task behind."""
        for turns in range(12):
            async with self.make() as service:
                before = asyncio.all_tasks()
                task = asyncio.create_task(service.run())
                for _ in range(turns):
                    await asyncio.sleep(0)
                service.stop()
                if turns % 2:
                    task.cancel()
                await ended(task)
                left = asyncio.all_tasks() - before - {task}
                assert not left, f"left behind: {left}"

    async def test_error_in_run(self) -> None:
        """A service whose world breaks raises out of `run`: it neither hangs nor returns as if nothing had been."""
        async with self.make() as service:
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            await self.make_fail(service)
            await ended(task)
            assert not task.cancelled()
            assert task.exception() is not None
            service.stop()


async def finish(task: asyncio.Task[None]) -> None:
    """Wait for a task that must return normally."""
    await ended(task)
    task.result()


async def ended(task: asyncio.Task[None]) -> None:
    """Wait for a task to end in any way; one that goes on is cut and fails the test."""
    await asyncio.wait({task}, timeout=DEADLINE)
    if task.done():
        return
    task.cancel()
    await asyncio.wait({task}, timeout=1.0)
    pytest.fail(f"{task.get_name()} did not end within {DEADLINE:g} s")
