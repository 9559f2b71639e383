"""One suite, two lanes: what is said, counted and stored is the same, to the byte, whichever lane a request goes."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from alertd.api import auth
from alertd.api import server as http_server
from alertd.api.express import fits
from alertd.errors import StoreUnavailableError
from alertd.model.token import digest_of
from tests.conformance.envelope_cases import CASES as ENVELOPES
from tests.conformance.lane_cases import BODY, CASES, HEAD, PLAIN, Case, event, request
from tests.conformance.lane_stage import TURNS, Gate, Stage, stage
from tests.daemon import eventually
from tests.unit.api.bench import DEADLINE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL_SECONDS = 600
"""What all conversations may take together on a busy machine."""
_VARYING = re.compile(rb"Date: [^\r]*|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|evt_\w+")


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

        store.commit = refuse  # type: ignore[method-assign]  # a scripted fault
        await line.send(PLAIN)
        answer = await line.answer()
        assert b" 503 " in answer
        assert b"Retry-After: " in answer
        store.commit = commit  # type: ignore[method-assign]  # and its end
        await line.send(PLAIN)
        assert b" 202 " in await line.answer()
        assert made.taken == 2
        assert [found["data"] for found in await made.stored()] == [{"n": 1}]
        assert BODY in PLAIN
        await line.hang_up()


@both
async def test_a_token_that_ends_while_its_connection_is_open(express: bool) -> None:
    """The next request with it is refused, whatever its connection was known for."""
    async with stage(express=express) as made:
        authenticator, line = made.call.bench.authenticator, await made.line()
        for _ in range(2):
            await line.send(PLAIN)
            assert b" 202 " in await line.answer()
        authenticator.replace([])
        await line.send(PLAIN)
        assert b" 401 " in await line.answer()
        assert made.taken == (2 if express else 0)
        await line.hang_up()


async def test_a_token_is_hashed_once_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the lengths of its bodies; another connection, or another header, is looked at by itself."""
    hashed: list[str] = []

    def noting(secret: str) -> bytes:
        hashed.append(secret)
        return digest_of(secret)

    async with stage(express=True) as made:
        monkeypatch.setattr(auth, "digest_of", noting)
        one, two = await made.line(), await made.line()
        other = request(event(id="x"), who="Authorization: Bearer secret-operator")
        for line, said, times in (
            (one, PLAIN, 1),
            (one, request(event(id="long")), 1),
            (one, PLAIN, 1),
            (two, PLAIN, 2),
        ):
            await line.send(said)
            assert b" 202 " in await line.answer()
            assert hashed == ["secret-intake"] * times
        await one.send(other)
        assert b" 202 " in await one.answer()
        assert hashed[2:] == ["secret-operator"]
        assert made.taken == 5
        await one.hang_up()
        await two.hang_up()


async def test_an_unknown_library_has_no_express_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its insides are looked for by name, and when one is gone everything goes the ordinary way."""
    monkeypatch.setattr("alertd.api.express._INSIDES", frozenset({"_waiter", "_gone"}))
    assert not fits()
