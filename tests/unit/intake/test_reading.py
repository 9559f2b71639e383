"""Bodies that are still arriving find room within a bound."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from alertd.api.listener import Listener
from alertd.api.server import HttpServer
from alertd.errors import IntakeFullError
from alertd.intake.http import EventIntake
from alertd.intake.reading import Reading
from tests.unit.api.bench import running

HEAD = (
    "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-root\r\nContent-Type: application/json\r\n"
)


def test_room_at_its_bound() -> None:
    """Full to the last byte, not beyond, and given back."""
    reading = Reading(10)
    with ExitStack() as held:
        held.enter_context(reading.room(4))
        held.enter_context(reading.room(6))
        with pytest.raises(IntakeFullError), reading.room(1):
            pass
    with reading.room(10):
        pass


def test_one_body_alone_always_finds_room() -> None:
    """However large a body the settings allow."""
    reading = Reading(10)
    with reading.room(11), pytest.raises(IntakeFullError), reading.room(1):
        pass


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_slow_bodies_cannot_fill_the_memory(framing: str) -> None:
    """Beyond the bound a body that is not there yet is 429; those that are there in full go on being taken."""
    async with running() as call:
        owners = (getattr(route.handler, "__self__", None) for route in call.bench.app.router.routes())
        intake = next(owner for owner in owners if isinstance(owner, EventIntake))
        intake._reading = Reading(1000)
        listener = Listener("127.0.0.1", 0)
        server = HttpServer(call.bench.app, listener)
        await server.start()
        _, slow = await asyncio.open_connection("127.0.0.1", listener.port)
        slow.write(f"{HEAD}{framing}\r\n\r\n".encode())
        while not intake._reading._taken:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        reader, second = await asyncio.open_connection("127.0.0.1", listener.port)
        second.write(f"{HEAD}{framing}\r\n\r\n".encode())
        assert b" 429 " in await reader.readline()
        await call.sent({"type": "t"})
        for writer in (slow, second):
            writer.transport.abort()
        while intake._reading._taken:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        server.stop()
        await server.run()
