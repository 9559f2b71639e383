"""Redirects are answers: nobody is ever sent elsewhere, so that nothing signed or secret reaches another origin.

That is the whole policy: no hop is taken, whatever its status and its address, so there is none to check and none to count.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from alertd.destinations.base import HttpRequest, World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import FixedClock
from tests.conformance.messages import make_issue, make_message
from tests.conformance.sender_peer import answering, serve, soon, turns
from tests.connections import connections
from tests.egress_corpus import urls
from tests.unit.destinations.test_retry_matrix import SETTINGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.destinations.base import HttpAnswer, Sender
    from tests.conformance.sender_peer import Server

PATIENCE: Final = 60.0
HOPS: Final = 5
STATUSES: Final = (300, 301, 302, 303, 304, 305, 306, 307, 308, 399)
SECRETS: Final = {"x-api-key": "s3cr3t", "authorization": "Bearer s3cr3t", "webhook-signature": "v1,s3cr3t"}
LOOPBACK: Final = EgressPolicy(["127.0.0.0/8", "::1"])


@pytest.fixture(params=[FastSender, AiohttpSender])
async def sender(request: pytest.FixtureRequest) -> AsyncIterator[Sender]:
    """Make each sender, which may go anywhere on loopback."""
    made: Sender = request.param(LOOPBACK)
    yield made
    await soon(made.close())


def moved(status: int, location: bytes, more: bytes = b"") -> bytes:
    """Write a redirect."""
    return b"HTTP/1.1 %d Moved\r\nLocation: %b\r\n%bContent-Length: 0\r\n\r\n" % (status, location, more)


async def send(sender: Sender, server: Server) -> int:
    """Post with secrets in the headers; give the status."""
    answer: HttpAnswer = await soon(sender.send(HttpRequest(server.url(), b'{"a": 1}', dict(SECRETS)), PATIENCE))
    return answer.status


@pytest.mark.parametrize("status", STATUSES)
async def test_chain(sender: Sender, status: int) -> None:
    """Of a chain of servers that each send on to the next only the first hears anything."""
    async with AsyncExitStack() as stack:
        chain = [await stack.enter_async_context(serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")))]
        for _ in range(HOPS):
            head = moved(status, chain[-1].url().encode())
            chain.append(await stack.enter_async_context(serve(answering(head))))
        with connections() as made:
            assert await send(sender, chain[-1]) == status
        await turns()
        assert [server.connections for server in chain] == [0] * HOPS + [1]
        assert {address[1] for address in made} == {chain[-1].port}


async def test_circle(sender: Sender) -> None:
    """A server that sends to itself is asked once."""
    location: list[bytes] = []

    async def handler(peer: Any) -> None:
        await peer.request()
        await peer.say(moved(307, location[0]))

    async with serve(handler) as server:
        location.append(server.url().encode())
        assert await send(sender, server) == 307
        assert len(server.requests) == 1


async def test_every_address_of_the_corpus(sender: Sender) -> None:
    """Wherever a redirect points, and however that is written, nothing but the one server is connected to."""
    places = [each.text.encode() for each in (*urls("refused"), *urls("allowed"))]
    places += [b"/x", b"//127.0.0.2/", b"?x", b"#x", b"https:", b"\xff\xfe", b"http://127.0.0.2/, http://127.0.0.3/"]
    places = [place for place in places if not set(place) & set(b"\r\n\0")]
    assert len(places) > 250
    heads = [moved(STATUSES[number % len(STATUSES)], place) for number, place in enumerate(places)]
    told = iter(heads)

    async def handler(peer: Any) -> None:
        for head in told:
            await peer.request()
            await peer.say(head)

    async with serve(handler) as server:
        with connections() as made:
            for number in range(len(heads)):
                assert await send(sender, server) == STATUSES[number % len(STATUSES)]
        assert {address[:2] for address in made} == {("127.0.0.1", server.port)}
        assert len(server.requests) == len(heads)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nRefresh: 0; url=%s\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Location: %s\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nAlt-Svc: h2=":443"\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n',
        b"HTTP/1.1 201 Created\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Moved\r\nLocation: %s\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: <%s>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)  # fmt: skip
async def test_other_ways_to_send_elsewhere(sender: Sender, answer: bytes) -> None:
    """No other header leads anywhere either, and none changes where the next request goes or what it carries."""
    async with serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as other:
        async with serve(answering(answer % other.url().encode())) as server:
            for _ in range(3):
                await send(sender, server)
            assert len(server.requests) == 3
            assert not any(b"cookie" in request.lower() for request in server.requests)
        assert other.connections == 0


def pointed(way: str, url: str) -> dict[str, Any]:
    """Point a type's settings at a server."""
    settings = dict(SETTINGS[way])
    model = REGISTRY[way.partition("-")[0]].settings_model
    name = "url" if "url" in settings or "api_url" not in model.model_fields else "api_url"
    return settings | {name: url}


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize("way", SETTINGS)
async def test_types(sender: Sender, way: str, status: int) -> None:
    """No type follows: the delivery is dead at once, and says so without the address."""
    kind = way.partition("-")[0]
    async with serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as other:
        head = moved(status, other.url().encode() + b"?s3cr3t")
        async with serve(answering(head)) as server:
            settings = parse_settings(kind, pointed(way, server.url()))
            world = World(FixedClock(), sender, lambda line: None)
            opened = REGISTRY[kind].open(settings, PATIENCE, world)
            message = make_message(issue=make_issue())
            async with asyncio.timeout(PATIENCE):
                outcome = await opened.attempt(message)
            await opened.close()
        assert outcome.kind is OutcomeKind.REJECTED
        assert str(status) in outcome.detail
        assert "s3cr3t" not in outcome.detail
        assert other.connections == 0
