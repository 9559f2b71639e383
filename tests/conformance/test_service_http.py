"""The HTTP server passes the service suite, over both lanes, with a request in the air that nobody answers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from alertd.api import server as http_server
from tests.conformance.lane_cases import PLAIN
from tests.conformance.lane_stage import Gate, Line, Stage, prepared
from tests.conformance.service_suite import DEADLINE, ServiceSuite, ended, finish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.runtime import Service


class TestHttpServer(ServiceSuite):
    """One that waits a moment for requests when it is asked to stop."""

    express = False
    stage: Stage
    gate: Gate
    lines: list[Line]

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_server, "REQUESTS_SECONDS", 0.05)

    @override
    @asynccontextmanager
    async def make(self) -> AsyncIterator[Service]:
        """Yield one that takes connections, whose commits wait for ever."""
        async with prepared(express=self.express) as self.stage:
            self.gate, self.lines = Gate(self.stage), []
            yield self.stage.server
            self.gate.open.set()
            for line in self.lines:
                await line.hang_up()
            self.stage.server.stop()
            await self.stage.server.run()  # one that never had a turn still listens

    @override
    async def make_busy(self, service: Service) -> None:
        """Leave a request in the air, beside a connection that is silent."""
        self.lines += [await self.stage.line(), await self.stage.line()]
        await self.lines[0].send(PLAIN)
        async with asyncio.timeout(DEADLINE):
            await self.gate.reached.wait()

    @override
    async def make_fail(self, service: Service) -> None:
        """Break the store under the request in the air."""

        async def broken(batch: object) -> None:
            raise OSError("the store is gone")

        self.gate._commit = broken
        self.gate.open.set()

    @override
    async def test_error_in_run(self) -> None:
        """Nothing that breaks behind it ends it: who has asked is told so, and others are served."""
        async with self.make() as service, asyncio.timeout(DEADLINE):
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            await self.make_fail(service)
            assert b" 503 " in await self.lines[0].answer()
            assert await self.lines[1].is_open()
            service.stop()
            await finish(task)

    @pytest.mark.parametrize("stopping", [False, True], ids=["running", "stopping"])
    async def test_a_cancellation_waits_for_no_request(self, monkeypatch: pytest.MonkeyPatch, stopping: bool) -> None:
        """What is in the air is cut off, also when it was being waited for; the connections and the address are free."""
        monkeypatch.setattr(http_server, "REQUESTS_SECONDS", 10 * DEADLINE)
        async with self.make() as service, asyncio.timeout(DEADLINE):
            task = asyncio.create_task(service.run())
            await self.make_busy(service)
            if stopping:
                service.stop()
                assert await self.lines[1].answer() == b""  # the end has begun
            task.cancel()
            await ended(task)
            assert task.cancelled()
            assert await self.lines[0].answer() == b""
            with pytest.raises(ConnectionRefusedError):
                await self.stage.line()


class TestHttpServerExpress(TestHttpServer):
    """One whose plain requests have a lane of their own."""

    express = True
