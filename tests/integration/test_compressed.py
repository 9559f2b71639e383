"""Compressed bodies of webhooks, verified by receivers as the documentation says: decompress, then verify those bytes."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import DEADLINE, FixedClock, make_message
from tests.conformance.messages import make_event
from tests.loopback import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's example
KEY = b"any text"
LONG = make_event(message="Run 17 failed. " * 2000)


class Receiver:
    """Keeps the headers and the body that its framework hands over, and how many bytes were on the wire."""

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = {}
        self.body = b""
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Keep it."""
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.body = await request.read()
        return web.Response(status=204)


@asynccontextmanager
async def receiving(*, unpacks: bool) -> AsyncIterator[Receiver]:
    """Run a receiver whose framework decompresses by itself, or hands over what was on the wire."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/x", made.take)
    async with serving(app, auto_decompress=unpacks) as port:
        made.url = f"http://127.0.0.1:{port}/x"
        yield made


@pytest.fixture(params=[FastSender, AiohttpSender])
def kind(request: pytest.FixtureRequest) -> Any:
    """Each sender."""
    return request.param


async def sent(kind: Any, receiver: Receiver, **settings: Any) -> None:
    """Deliver one long message."""
    sender = kind(EgressPolicy(("127.0.0.1",)))
    valid = parse_settings("webhook", {"url": receiver.url, "gzip_above_bytes": 1000, **settings})
    opened = REGISTRY["webhook"].open(valid, 10.0, World(FixedClock(int(time.time())), sender, print))
    try:
        async with asyncio.timeout(DEADLINE):
            outcome = await opened.attempt(make_message(event=LONG))
    finally:
        await sender.close()
    assert outcome.kind is OutcomeKind.DELIVERED


def by_library(headers: Mapping[str, str], body: bytes) -> None:
    """Verify as Standard Webhooks."""
    Webhook(SECRET).verify(body, dict(headers))


def by_hub(headers: Mapping[str, str], body: bytes) -> None:
    """Verify as GitHub's receivers do."""
    assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(KEY, body, hashlib.sha256).hexdigest()


def by_time_and_body(headers: Mapping[str, str], body: bytes) -> None:
    """Verify the timestamp, a dot and the body."""
    signed = f"{headers['webhook-timestamp']}.".encode() + body
    assert headers["x-signed"] == hmac.new(KEY, signed, hashlib.sha256).hexdigest()


WAYS: dict[str, tuple[dict[str, Any], Callable[[Mapping[str, str], bytes], None]]] = {
    "standard": ({"secret": SECRET}, by_library),
    "hub": ({"secret": KEY.decode(), "signature": "hub"}, by_hub),
    "custom": (
        {"secret": KEY.decode(), "signature": "custom", "signature_header": "X-Signed", "signed": "ts_body"},
        by_time_and_body,
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("unpacks", [True, False], ids=["framework unpacks", "by hand"])
async def test_decompress_then_verify(kind: Any, way: str, *, unpacks: bool) -> None:
    """What comes of decompressing is what was signed, whoever decompresses; on the wire it is a tenth or less."""
    settings, verify = WAYS[way]
    async with receiving(unpacks=unpacks) as receiver:
        await sent(kind, receiver, **settings)
    assert receiver.headers["content-encoding"] == "gzip"
    body = receiver.body if unpacks else gzip.decompress(receiver.body)
    assert int(receiver.headers["content-length"]) < len(body) / 10
    verify(receiver.headers, body)
    assert json.loads(body)["data"]["event"] == json.loads(LONG)


async def test_compressing_does_not_change_the_signature(kind: Any) -> None:
    """The same body has the same signature with and without compression, which is none of the bytes on the wire."""
    signatures = set()
    async with receiving(unpacks=False) as receiver:
        for above in (None, 1000):
            await sent(kind, receiver, secret=KEY.decode(), signature="hub", gzip_above_bytes=above)
            signatures.add(receiver.headers["x-hub-signature-256"])
        (signature,) = signatures
        assert signature != "sha256=" + hmac.new(KEY, receiver.body, hashlib.sha256).hexdigest()


async def test_off_unless_asked_for(kind: Any) -> None:
    """Without the setting the same message leaves as it is."""
    async with receiving(unpacks=False) as receiver:
        await sent(kind, receiver, secret=SECRET, gzip_above_bytes=None)
    assert "content-encoding" not in receiver.headers
    Webhook(SECRET).verify(receiver.body, dict(receiver.headers))
