"""The webhook destination against a real HTTP server that verifies with the library receivers use."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import Outcome, OutcomeKind
from tests.conformance.destination_suite import DEADLINE, FixedClock, make_message
from tests.loopback import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.destinations.base import Message, OpenDestination

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's example


class Receiver:
    """A receiver that keeps what it got and answers as told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer: dict[str, Any] = {"status": 204}
        self.clock = FixedClock(int(time.time()))
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        """Keep and answer."""
        self.requests.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        return web.Response(**self.answer)

    @asynccontextmanager
    async def destination(self, *allow: str, **settings: Any) -> AsyncIterator[OpenDestination]:
        """Open a webhook destination that points here."""
        sender = AiohttpSender(EgressPolicy(allow or ["127.0.0.1"]))
        valid = parse_settings("webhook", {"url": f"http://127.0.0.1:{self.port}/x", **settings})
        try:
            yield REGISTRY["webhook"].open(valid, 5.0, World(self.clock, sender, print))
        finally:
            await sender.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Run a receiver on loopback."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/x", made.take)
    async with serving(app) as made.port:
        yield made


async def attempt(opened: OpenDestination, message: Message | None = None) -> Outcome:
    """Attempt within the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await opened.attempt(message or make_message())


async def test_receiver_verifies_the_signature(receiver: Receiver) -> None:
    """What arrives passes the verification of the standardwebhooks library, and is the documented body."""
    message = make_message(trigger="new", event='{"type":"run:failed",  "message": "ü \\u0001"}'.encode(), test=True)
    async with receiver.destination(secret=SECRET) as opened:
        assert (await attempt(opened, message)).kind is OutcomeKind.DELIVERED
    headers, body = receiver.requests[0]
    assert Webhook(SECRET).verify(body, headers)["type"] == "run:failed"
    assert headers["content-type"] == "application/json"
    assert message.event in body
    assert list(json.loads(body)) == ["type", "timestamp", "data"]


async def test_receiver_with_a_text_secret(receiver: Receiver) -> None:
    """A secret that is any text signs with its UTF-8 bytes."""
    async with receiver.destination(secret="pässword") as opened:  # noqa: S106 - a test's own
        await attempt(opened)
    headers, body = receiver.requests[0]
    assert Webhook("pässword".encode()).verify(body, headers)


async def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    """Without a secret the id and the timestamp are sent, and no signature."""
    async with receiver.destination() as opened:
        await attempt(opened)
    headers, _ = receiver.requests[0]
    assert headers["webhook-id"] == "dlv_0001"
    assert headers["webhook-timestamp"] == str(receiver.clock.wall_seconds())
    assert "webhook-signature" not in headers


async def test_attempts_share_the_id_and_differ_in_time(receiver: Receiver) -> None:
    """A later attempt has the same id and body, the time of its own, and a signature that is good then."""
    receiver.answer = {"status": 503}
    async with receiver.destination(secret=SECRET) as opened:
        await attempt(opened, make_message(attempt=1))
        receiver.clock.seconds += 60
        await attempt(opened, make_message(attempt=2))
    (first, body), (second, again) = receiver.requests
    assert body == again
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60
    assert Webhook(SECRET).verify(again, second)


async def test_own_headers_are_added(receiver: Receiver) -> None:
    """The headers of the settings arrive, also those that replace the sender's."""
    async with receiver.destination(headers={"X-Team": "ops", "User-Agent": "mine"}) as opened:
        await attempt(opened)
    headers, _ = receiver.requests[0]
    assert (headers["x-team"], headers["user-agent"]) == ("ops", "mine")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, OutcomeKind.DELIVERED),
        (202, OutcomeKind.DELIVERED),
        (302, OutcomeKind.REJECTED),
        (404, OutcomeKind.REJECTED),
        (408, OutcomeKind.RETRY_LATER),
        (410, OutcomeKind.GONE),
        (425, OutcomeKind.RETRY_LATER),
        (429, OutcomeKind.RETRY_LATER),
        (500, OutcomeKind.RETRY_LATER),
    ],
)
async def test_status_decides(receiver: Receiver, status: int, kind: OutcomeKind) -> None:
    """Each status has the documented outcome, and what the receiver said is kept."""
    receiver.answer = {"status": status, "text": "because", "headers": {"Location": "/x"} if status == 302 else {}}
    async with receiver.destination() as opened:
        outcome = await attempt(opened)
    assert (outcome.kind, outcome.status, outcome.answer) == (kind, status, b"because")
    assert outcome.detail == ("" if kind is OutcomeKind.DELIVERED else f"webhook: returned {status}")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("as_date", [False, True])
async def test_retry_after_is_understood(receiver: Receiver, as_date: bool) -> None:
    """Retry-After is understood in seconds and as a date."""
    at = datetime.fromtimestamp(receiver.clock.seconds, UTC) + timedelta(seconds=120)
    value = format_datetime(at, usegmt=True) if as_date else "120"
    receiver.answer = {"status": 503, "headers": {"Retry-After": value}}
    async with receiver.destination() as opened:
        assert (await attempt(opened)).retry_after_seconds == 120


async def test_forbidden_address_is_rejected_for_good(receiver: Receiver) -> None:
    """Where the guard forbids the address the delivery is dead at once, with the reason."""
    async with receiver.destination("192.0.2.0/24") as opened:
        outcome = await attempt(opened)
    assert outcome.kind is OutcomeKind.REJECTED
    assert outcome.detail == ("webhook: egress refused: 127.0.0.1 is loopback; name it in egress.allow to permit it")
    assert not receiver.requests
