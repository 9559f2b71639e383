"""`Expect` on a real listener: who asks comes first, then what is expected."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from alertd.api import context
from alertd.api.listener import Listener
from alertd.api.server import HttpServer
from tests.unit.api.bench import Caller, running

KNOWN = "Authorization: Bearer secret-root\r\n"
BODY = b'{"type": "t"}'


class Line:
    """One connection to a server, raw."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def ask(self, path: str, *headers: str, version: str = "1.1") -> None:
        """Send the head of a request that promises a body."""
        head = [f"POST {path} HTTP/{version}", "Host: x", "Content-Type: application/json"]
        head += [f"Content-Length: {len(BODY)}", *(header.strip() for header in headers), "", ""]
        self.writer.write("\r\n".join(head).encode())

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of an answer."""
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        return int(status.split()[1]), {name.lower(): value for name, _, value in (li.partition(": ") for li in lines)}

    async def answer(self) -> tuple[int, Any]:
        """Read an answer in JSON."""
        status, headers = await self.head()
        return status, json.loads(await self._reader.readexactly(int(headers["content-length"])))

    async def end(self, server: HttpServer) -> None:
        """See that the connection is still in step, hang up, and stop the server."""
        self.writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await self.head())[0] == 200
        self.writer.close()
        await self.writer.wait_closed()
        server.stop()
        await server.run()


async def connect(call: Caller) -> tuple[HttpServer, Line]:
    """Serve the same application on a port of its own, and connect to it."""
    listener = Listener("127.0.0.1", 0)
    server = HttpServer(call.bench.app, listener)
    await server.start()
    return server, Line(*await asyncio.open_connection("127.0.0.1", listener.port))


@pytest.mark.parametrize("expected", ["100-continue", "200-ok", "a miracle"])
@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/nothing", "/-/reload"])
@pytest.mark.parametrize("token", ["", "Authorization: Bearer wrong"])
async def test_a_stranger_is_told_nothing_but_401(expected: str, path: str, token: str) -> None:
    """Neither to go on with a body, nor what is wrong with the expectation; refusals of the intake are counted."""
    async with running() as call:
        server, line = await connect(call)
        line.ask(path, f"Expect: {expected}", *filter(None, [token]))
        status, problem = await line.answer()
        assert (status, problem["status"]) == (401, 401)
        counted = call.bench.metrics.registry.get_sample_value(
            "alertd_intake_refused_total", {"reason": "unauthorized"}
        )
        assert (counted or 0) == (path == "/api/v1/events")
        line.writer.write(BODY)
        await line.end(server)


async def test_who_is_known_is_told_to_go_on() -> None:
    """100 first, then the answer to the whole request."""
    async with running() as call:
        server, line = await connect(call)
        line.ask("/api/v1/events", "Expect: 100-Continue", KNOWN)
        assert (await line.head())[0] == 100
        line.writer.write(BODY)
        status, accepted = await line.answer()
        assert (status, accepted["accepted"]) == (202, 1)
        await line.end(server)


async def test_another_expectation_is_417() -> None:
    """As a problem document; HTTP/1.0 knows no expectations, so there it is not looked at."""
    async with running() as call:
        server, line = await connect(call)
        line.ask("/api/v1/events", "Expect: 200-ok", KNOWN)
        status, problem = await line.answer()
        assert (status, problem["title"]) == (417, "Expectation Failed")
        assert "100-continue" in problem["detail"]
        line.writer.write(BODY)
        await line.end(server)


async def test_http_1_0_knows_no_expectations() -> None:
    """So there they are not looked at."""
    async with running() as call:
        server, line = await connect(call)
        line.ask("/api/v1/events", "Expect: 200-ok", "Connection: keep-alive", KNOWN, version="1.0")
        line.writer.write(BODY)
        assert (await line.answer())[0] == 202
        await line.end(server)


async def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every route that takes a body takes it within a time, not only the intake."""
    monkeypatch.setattr(context, "BODY_SECONDS", 0.2)
    async with running() as call:
        server, line = await connect(call)
        line.ask("/api/v1/workspaces/default/tokens", KNOWN)
        line.writer.write(BODY[:-1])
        status, problem = await line.answer()
        assert status == 408
        assert "within 0.2 s" in problem["detail"]
        line.writer.write(BODY[-1:])
        await line.end(server)
