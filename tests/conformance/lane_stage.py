"""A server of the intake for those who talk to it: with or without the express lane, raw connections, a gate for commits."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alertd.api.express import EXPRESS
from alertd.api.listener import Listener
from alertd.api.server import HttpServer, build
from alertd.intake.http import EventIntake
from alertd.intake.sentry_sdk import SentrySdkIntake
from alertd.model.event import Bounds
from tests.unit.api.bench import DEADLINE, HOME, Caller, running
from tests.unit.intake.sentry_stage import FakeKeys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TURNS = 20
"""Turns of the event loop in which a piece that was sent has arrived: both ends are in this process."""
COUNTED = ("alertd_events", "alertd_intake_refused", "alertd_commit_events", "alertd_commit_failures")


@dataclass(eq=False)
class Stage:
    """A server with or without an express lane, and how many requests that lane took."""

    call: Caller
    server: HttpServer
    listener: Listener
    intake: EventIntake
    taken: int = 0

    async def line(self) -> Line:
        """Connect."""
        return Line(*await asyncio.open_connection("127.0.0.1", self.listener.port))

    def connections(self) -> list[Any]:
        """Give the server's ends of its connections."""
        server = self.server._runner.server
        assert server is not None
        return list(server.connections)

    async def is_busy(self) -> bool:
        """Whether the library is at work on a request."""
        return any(each._current_request is not None for each in self.connections())

    async def is_deserted(self) -> bool:
        """Whether nobody is connected."""
        return not self.connections()

    def counted(self) -> dict[str, float]:
        """Give what was counted of the intake."""
        return {
            f"{sample.name}{sorted(sample.labels.items())}": sample.value
            for family in self.call.bench.metrics.registry.collect()
            if family.name in COUNTED
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    async def stored(self) -> list[Any]:
        """Give what is stored, but for ids and times, and for what alertd makes of issues and incidents."""
        _, page = await self.call("GET", f"{HOME}/events?limit=200")
        return [
            {name: value for name, value in item.items() if name in ("type", "severity", "data", "project", "key")}
            for item in page["items"]
            if not item["type"].startswith(("issue.", "incident."))
        ]


class Line:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send a piece, and let it arrive alone."""
        self.writer.write(data)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def answer(self) -> bytes:
        """Read one answer; nothing when the other side has hung up."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            return head + await self.reader.readexactly(int(length[1]) if length else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def is_open(self) -> bool:
        """Whether another request is answered."""
        await self.send(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        return (await self.answer()).startswith(b"HTTP/1.1 200 ")

    async def hang_up(self) -> None:
        """Close."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


@asynccontextmanager
async def stage(*, express: bool, deadline: float = DEADLINE) -> AsyncIterator[Stage]:
    """Serve over one lane or over two, within a deadline."""
    async with prepared(express=express, deadline=deadline) as made:
        serving = asyncio.ensure_future(made.server.run())
        yield made
        made.server.stop()
        await serving


@asynccontextmanager
async def prepared(*, express: bool, deadline: float = DEADLINE) -> AsyncIterator[Stage]:
    """Take connections over one lane or over two, by a server that was not run yet; whoever gets it runs it to its end."""
    async with running(deadline) as call:
        bench = call.bench
        owners = (getattr(route.handler, "__self__", None) for route in bench.app.router.routes())
        intake = next(owner for owner in owners if isinstance(owner, EventIntake))
        sdk = SentrySdkIntake(bench.pipeline, bench.clock, bench.metrics, Bounds(), FakeKeys())
        takers = (intake, sdk) if express else (None, None)
        app = build(bench.context, intake.post, 1024 * 1024 + 1024, sdk.register, *takers)
        listener = Listener("127.0.0.1", 0)
        made = Stage(call, HttpServer(app, listener), listener, intake)
        if express:
            _watch(made, app[EXPRESS])
        await made.server.start()
        yield made


def _watch(made: Stage, express: Any) -> None:
    """Count what the express lane takes."""
    take = express.take

    def counting(read: Any, sender: Any) -> Any:
        done = take(read, sender)
        made.taken += done is not None
        return done

    express.take = counting


class Gate:
    """Holds commits until it is opened."""

    def __init__(self, made: Stage) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self._commit: Callable[..., Any] = made.call.bench.store.commit
        made.call.bench.store.commit = self._wait  # type: ignore[method-assign]  # a scripted delay

    async def _wait(self, batch: Any) -> None:
        self.reached.set()
        await self.open.wait()
        await self._commit(batch)
