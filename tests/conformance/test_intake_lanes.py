"""One suite, two lanes: what is said, counted and stored is the same, to the byte, whichever lane a request goes."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from alertd.api import server as http_server
from alertd.api.express import EXPRESS, fits
from alertd.api.listener import Listener
from alertd.api.server import HttpServer, build
from alertd.errors import StoreUnavailableError
from alertd.intake.http import EventIntake
from alertd.intake.sentry_sdk import SentrySdkIntake
from alertd.model.event import Bounds
from tests.conformance.envelope_cases import CASES as ENVELOPES
from tests.conformance.lane_cases import BODY, CASES, HEAD, PLAIN, Case, event, request
from tests.daemon import eventually
from tests.unit.api.bench import DEADLINE, HOME, Caller, running
from tests.unit.intake.sentry_stage import FakeKeys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL_SECONDS = 600
"""What all conversations may take together on a busy machine."""
TURNS = 20
"""Turns of the event loop in which a piece that was sent has arrived: both ends are in this process."""
_VARYING = re.compile(rb"Date: [^\r]*|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|evt_\w+")
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
        serving = asyncio.ensure_future(made.server.run())
        yield made
        made.server.stop()
        await serving


def _watch(made: Stage, express: Any) -> None:
    """Count what the express lane takes."""
    take = express.take

    def counting(read: Any) -> Any:
        done = take(read)
        made.taken += done is not None
        return done

    express.take = counting


async def play(case: Case, made: Stage) -> tuple[list[bytes], bool]:
    """Hold the conversation; return the answers, and whether the connection is open after it."""
    if case.change is not None:
        case.change(made.call.bench, made.intake)
    line, answers = await made.line(), []
    for step in case.steps:
        if isinstance(step, bytes):
            await line.send(step)
        else:
            answers += [await line.answer() for _ in range(step)]
    is_open = await line.is_open()
    await line.hang_up()
    return [_VARYING.sub(b"*", answer) for answer in answers], is_open


async def test_the_library_is_as_the_lane_needs_it() -> None:
    """Else there is no express lane, and this suite proves nothing."""
    assert fits()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair() -> AsyncIterator[tuple[Stage, Stage]]:
    """A server with one lane and one with two, for all conversations that change nothing about them."""
    async with stage(express=False, deadline=ALL_SECONDS) as one, stage(express=True, deadline=ALL_SECONDS) as two:
        yield one, two


async def hold(case: Case, made: Stage, *, express: bool) -> Any:
    """Hold a conversation; return the answers, whether the connection is open, and what was counted and stored."""
    counted, stored, taken = made.counted(), len(await made.stored()), made.taken
    answers, is_open = await play(case, made)
    after, events = made.counted(), await made.stored()
    if case.express is not None:
        assert made.taken - taken == (case.express if express else 0)
    news = {name: value - counted.get(name, 0) for name, value in after.items() if value != counted.get(name, 0)}
    return answers, is_open, news, events[: len(events) - stored]


@pytest.mark.parametrize("case", [*CASES, *ENVELOPES], ids=lambda case: case.name.replace(" ", "-"))
async def test_both_lanes_say_count_and_store_the_same(case: Case, pair: tuple[Stage, Stage]) -> None:
    """Statuses, headers, bodies, whether the connection stays open, metrics, events; and the lane is the one expected."""
    if case.change is None:
        found = [await hold(case, made, express=express) for express, made in enumerate(pair)]
    else:
        found = []
        for express in (False, True):
            async with stage(express=express) as made:
                found.append(await hold(case, made, express=express))
    assert found[0] == found[1]
    assert tuple(int(answer.split()[1]) for answer in found[1][0]) == case.statuses


# -- while a request is under way -------------------------------------------------------------------------------------


class Gate:
    """Holds commits until it is opened."""

    def __init__(self, made: Stage) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self._commit: Callable[..., Any] = made.call.bench.store.commit
        made.call.bench.store.commit = self._wait  # type: ignore[method-assign]

    async def _wait(self, batch: Any) -> None:
        self.reached.set()
        await self.open.wait()
        await self._commit(batch)


both = pytest.mark.parametrize("express", [False, True], ids=["ordinary", "express"])


@both
async def test_nothing_is_answered_before_the_commit(express: bool) -> None:
    """202 means stored."""
    async with stage(express=express) as made:
        gate, line = Gate(made), await made.line()
        await line.send(PLAIN)
        await gate.reached.wait()
        answer = asyncio.ensure_future(line.answer())
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert not answer.done()
        gate.open.set()
        assert b" 202 " in await answer
        assert made.taken == express
        await line.hang_up()


@both
async def test_what_is_under_way_is_answered_when_the_server_stops(express: bool) -> None:
    """Then the connection ends, and nobody can connect any more."""
    async with stage(express=express) as made:
        gate, line, idle = Gate(made), await made.line(), await made.line()
        await line.send(PLAIN)
        await gate.reached.wait()
        made.server.stop()
        assert await idle.answer() == b""
        gate.open.set()
        assert b" 202 " in await line.answer()
        assert await line.reader.read() == b""
        with pytest.raises(ConnectionError):
            await made.line()
        await idle.hang_up()
        await line.hang_up()


@both
async def test_what_follows_a_stop_is_not_taken(express: bool) -> None:
    """A request behind the one under way is not answered, and not stored."""
    async with stage(express=express) as made:
        gate, line = Gate(made), await made.line()
        await line.send(PLAIN)
        await gate.reached.wait()
        made.server.stop()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await line.send(request(event(id="late")))
        gate.open.set()
        assert b" 202 " in await line.answer()
        assert await line.answer() == b""
        assert len(await made.stored()) == 1
        await line.hang_up()


@both
async def test_a_client_that_leaves_loses_nothing(express: bool) -> None:
    """What was sent whole is stored, and nothing is logged as a fault."""
    async with stage(express=express) as made:
        gate, line = Gate(made), await made.line()
        await line.send(PLAIN)
        await gate.reached.wait()
        line.writer.transport.abort()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        gate.open.set()
        while not await made.stored():
            pass
        other = await made.line()
        await other.send(PLAIN)
        assert b" 202 " in await other.answer()
        await other.hang_up()


@both
async def test_what_waits_behind_a_request_is_bounded(express: bool) -> None:
    """A client that goes on sending is not read without end."""
    async with stage(express=express) as made:
        gate, line = Gate(made), await made.line()
        await line.send(PLAIN)
        await gate.reached.wait()
        size = 64 * 1024 * 1024
        line.writer.write(b"x" * size)
        for _ in range(10 * TURNS):
            await asyncio.sleep(0)
        assert line.writer.transport.get_write_buffer_size() > size // 2
        gate.open.set()
        assert b" 202 " in await line.answer()
        line.writer.transport.abort()


@both
async def test_a_connection_is_closed_when_it_is_quiet_and_not_before(
    express: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that takes longer than a connection may be quiet is waited for."""
    monkeypatch.setattr(http_server, "KEEPALIVE_SECONDS", 0.1)
    async with stage(express=express) as made:
        gate, line, loop = Gate(made), await made.line(), asyncio.get_running_loop()
        await line.send(PLAIN)
        await gate.reached.wait()
        loop.call_later(0.4, gate.open.set)
        assert b" 202 " in await line.answer()
        assert made.taken == express
        assert await line.reader.read() == b""
        await line.hang_up()


@both
async def test_a_body_that_is_late_is_waited_for_the_ordinary_way(
    express: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library then has the head, and its handler the deadline; the connection goes on as ever."""
    monkeypatch.setattr("alertd.api.express.BODY_SECONDS", 0.001)
    async with stage(express=express) as made:
        line = await made.line()
        await line.send(PLAIN[:HEAD])
        await eventually(made.is_busy, "the library has the head")
        await line.send(PLAIN[HEAD:])
        assert b" 202 " in await line.answer()
        assert made.taken == 0
        for taken in (0, int(express)):
            await line.send(PLAIN)
            assert b" 202 " in await line.answer()
            assert made.taken == taken
        await line.hang_up()


@both
async def test_a_client_that_leaves_before_its_body(express: bool) -> None:
    """Nothing is stored, and nothing is left behind of it; also when it only says that no more will come."""
    async with stage(express=express) as made:
        for half in (False, True):
            line = await made.line()
            await line.send(PLAIN[:-1])
            if half:
                line.writer.write_eof()
                await line.answer()
            line.writer.transport.abort()
            await eventually(made.is_deserted, "the connection is gone")
        assert await made.stored() == []


async def test_a_connection_on_which_a_request_has_begun_is_not_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not closed under a client whose body is on its way."""
    monkeypatch.setattr(http_server, "KEEPALIVE_SECONDS", 0.05)
    monkeypatch.setattr("alertd.api.express.BODY_SECONDS", DEADLINE)
    async with stage(express=True) as made:
        line, loop = await made.line(), asyncio.get_running_loop()
        await line.send(PLAIN)
        await line.answer()
        await line.send(PLAIN[:HEAD])
        over = asyncio.Event()
        loop.call_later(0.3, over.set)
        await over.wait()
        await line.send(PLAIN[HEAD:])
        assert b" 202 " in await line.answer()
        assert made.taken == 2
        await line.hang_up()


async def test_a_client_that_does_not_read_goes_the_ordinary_way() -> None:
    """So that its answers do not pile up: the ordinary lane waits until they are read."""
    async with stage(express=True) as made:
        line = await made.line()
        await line.send(PLAIN)
        await line.answer()
        (connection,) = made.connections()
        connection.pause_writing()
        await line.send(PLAIN)
        assert made.taken == 1
        connection.resume_writing()
        assert b" 202 " in await line.answer()
        await line.hang_up()


async def test_a_store_that_recovers() -> None:
    """503 on the express lane, with the time to wait, then 202 on the same connection."""
    async with stage(express=True) as made:
        store, line = made.call.bench.store, await made.line()
        commit = store.commit

        async def refuse(batch: Any) -> None:
            raise StoreUnavailableError("disk full")

        store.commit = refuse  # type: ignore[method-assign]
        await line.send(PLAIN)
        answer = await line.answer()
        assert b" 503 " in answer
        assert b"Retry-After: " in answer
        store.commit = commit  # type: ignore[method-assign]
        await line.send(PLAIN)
        assert b" 202 " in await line.answer()
        assert made.taken == 2
        assert [found["data"] for found in await made.stored()] == [{"n": 1}]
        assert BODY in PLAIN
        await line.hang_up()


async def test_an_unknown_library_has_no_express_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its insides are looked for by name, and when one is gone everything goes the ordinary way."""
    monkeypatch.setattr("alertd.api.express._INSIDES", frozenset({"_waiter", "_gone"}))
    assert not fits()
