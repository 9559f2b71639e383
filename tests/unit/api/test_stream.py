"""The live stream: nothing missed after `: ready`, its own workspace only, ended by either side, slow for nobody."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from alertd.api.edge import make_edge
from alertd.api.refusals import Refusals
from alertd.api.stream import Stream
from tests.unit.api.bench import DEADLINE, HOME, Caller, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

PATH = f"{HOME}/deliveries/stream"


@asynccontextmanager
async def listening(call: Caller, who: str = "viewer") -> AsyncIterator[ClientResponse]:
    """Open the stream and read until `: ready`."""
    async with call.client.get(PATH, headers={"Authorization": f"Bearer secret-{who}"}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readline() == b": ready\n"
        yield answer


async def entry(answer: ClientResponse) -> tuple[str, Any]:
    """Read the next entry."""
    kind = ""
    while line := await answer.content.readline():
        if line.startswith(b"event: "):
            kind = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            return kind, orjson.loads(line[6:])
    raise EOFError


async def test_what_happens_after_ready_is_heard() -> None:
    """An event sent in the moment after `: ready` is told, its verdicts and its deliveries."""
    async with running() as call, listening(call) as answer:
        await call.sent({"type": "t", "id": "mine", "severity": "error"})
        heard = [await entry(answer) for _ in range(4)]
        assert [item["subscription"] for kind, item in heard if kind == "verdict"] == ["everything", "serious"]
        assert {item["destination"] for kind, item in heard if kind == "delivery"} == {"hook", "page"}


async def test_it_listens_before_it_says_ready() -> None:
    """Whoever has read `: ready` is among the hub's listeners already."""
    async with running() as call:
        assert not call.bench.hub.listening
        async with listening(call):
            assert call.bench.hub.listening


async def test_other_workspaces_are_not_told() -> None:
    """What happens in another workspace is not in the stream."""
    async with running() as call, listening(call) as answer:
        await call.sent({"type": "t", "id": "theirs", "workspace": "other"})
        await call.sent({"type": "t", "id": "ours"})
        _, first = await entry(answer)
        assert first["event_id"] == "ours"


async def test_it_ends_when_the_daemon_stops() -> None:
    """What was queued is told, then the stream ends in order."""
    async with running() as call, listening(call) as answer:
        call.bench.hub.publish("verdict", {"workspace": "default", "event_id": "last"})
        call.bench.hub.close()
        assert (await entry(answer))[1]["event_id"] == "last"
        assert await answer.content.read() == b"\n"


async def test_a_client_that_leaves_is_forgotten() -> None:
    """A client that closed its connection is no listener any more once it is written to, and no error is logged."""
    async with running() as call:
        async with listening(call) as answer:
            answer.close()
        while call.bench.hub.listening:
            call.bench.hub.publish("verdict", {"workspace": "default"})
            await asyncio.sleep(0)


async def test_a_slow_client_holds_up_nobody_and_is_told_what_it_missed() -> None:
    """Beyond its bound the oldest entries are left out, and an event says how many."""
    async with running() as call, listening(call) as answer:
        for number in range(3000):
            call.bench.hub.publish("verdict", {"workspace": "default", "n": number})
        heard: list[tuple[str, Any]] = []
        while not heard or heard[-1][1].get("n") != 2999:
            heard.append(await entry(answer))
        missed = sum(item["entries"] for kind, item in heard if kind == "dropped")
        assert missed > 0
        assert missed + sum(kind == "verdict" for kind, _ in heard) == 3000


async def test_a_quiet_stream_says_that_it_is_alive() -> None:
    """When nothing happens a comment is sent now and then."""
    async with running() as call:
        context = call.bench.context
        app = web.Application(middlewares=[make_edge(context.authenticator, Refusals(context.metrics))])
        Stream(context, keepalive_seconds=0.001).register(app)
        async with asyncio.timeout(DEADLINE), TestClient(TestServer(app)) as client:
            quick = Caller(call.bench, client)
            async with listening(quick) as answer:
                assert await answer.content.readuntil(b": quiet\n\n")


async def test_head_is_refused() -> None:
    """HEAD of something that never ends is answered at once: there is no such thing."""
    async with running() as call:
        assert (await call("HEAD", PATH))[0] == 404
