"""A thousand alerts to providers that enforce their documented limits over real HTTP.

Every alert arrives, at most 2 % of the requests are refused, and after a refusal nothing is sent before the provider said.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from typing_extensions import override

from alertd.app.pacing import Pace, paced
from alertd.destinations.base import World as Given
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.http1.sender import FastSender
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import DeliveryState
from alertd.model.destination import DeliveryOptions, Destination, QueueOptions
from tests.rates import Bucket, Fixed, Sliding
from tests.receiver import Receiver, status
from tests.unit.delivery.world import LoopClock, World, passes

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.delivery.spec import LaneSpec
    from alertd.destinations.base import HttpAnswer, HttpRequest
    from tests.integration.pace.conftest import NetworkLoop
    from tests.rates import Limit
    from tests.receiver import Answer, Request

ALERTS = 1000
HURRIED = 130
"""How many alerts a provider gets as fast as it answers: more than any of them takes at once."""
REFUSED_MAX = 0.02
JITTER_SECONDS = 0.04
"""How much longer one request may be under way than another, in simulated seconds."""
HOURS_MAX = 24.0
"""How long all alerts may take, in simulated hours."""


class Provider:
    """Judges each request when it has arrived, and answers as the provider does."""

    def __init__(self, limits: list[Limit], good: Answer, refuse: Callable[[float], Answer]) -> None:
        self.limits = limits
        self.good = good
        self.refuse = refuse
        self.taken = self.refused = 0
        self._chance = random.Random(5)  # noqa: S311 - a test

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Be under way for a while of simulated time, then answer."""
        loop = cast("NetworkLoop", asyncio.get_running_loop())
        loop.sockets_busy -= 1
        await passes(0.01 + self._chance.random() * JITTER_SECONDS)
        loop.sockets_busy += 1
        now = loop.time()
        wait = max(limit.wait(now) for limit in self.limits)
        self.refused += wait > 0
        self.taken += wait <= 0
        await (self.refuse(wait) if wait > 0 else self.answer(now))(request, writer)

    def answer(self, now: float) -> Answer:
        """Give the answer to a request that was taken."""
        return self.good


class Discord(Provider):
    """Says with each answer how many more it takes, and until when."""

    @override
    def answer(self, now: float) -> Answer:
        spans = [
            (limit.most - limit.taken, (limit.span + 1) * limit.seconds - now)
            for limit in self.limits
            if isinstance(limit, Fixed)
        ]
        remaining = min(left for left, _ in spans)
        resets = max(ends for left, ends in spans if left == remaining)
        headers = {"X_RateLimit_Remaining": str(remaining), "X_RateLimit_Reset_After": f"{resets:.3f}"}
        return status(200, b'{"id":"1"}', **headers)


class Watching:
    """A sender that notes when each request began and what was asked for, and holds the loop's time while bytes move."""

    def __init__(self) -> None:
        self.inner = FastSender(EgressPolicy(["127.0.0.1"]))
        self.began: list[float] = []
        self.refused: list[tuple[float, float]] = []

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Send."""
        loop = cast("NetworkLoop", asyncio.get_running_loop())
        self.began.append(loop.time())
        loop.sockets_busy += 1
        try:
            answer = await self.inner.send(request, timeout_seconds)
        finally:
            loop.sockets_busy -= 1
        if answer.status == 429:
            self.refused.append((loop.time(), _asked(answer)))
        return answer

    async def close(self) -> None:
        """Close."""
        await self.inner.close()


def _asked(answer: HttpAnswer) -> float:
    """Read how long the provider wants to be left alone, wherever it says so."""
    if "Retry-After" in answer.headers:
        return float(answer.headers["Retry-After"])
    body = json.loads(answer.body) if answer.body.startswith(b"{") else {}
    seconds = body.get("retry_after") or body.get("parameters", {}).get("retry_after") or 0.0
    return float(seconds)


def _told(code: int = 429, **headers: str) -> Callable[[float], Answer]:
    """Refuse with a body of words and Retry-After."""
    return lambda wait: status(code, b"rate_limited", Retry_After=str(math.ceil(wait)), **headers)


def _discord(wait: float) -> Answer:
    body = {"message": "You are being rate limited.", "retry_after": round(wait + 0.001, 3), "global": False}
    return status(429, json.dumps(body).encode(), X_RateLimit_Scope="user", X_RateLimit_Bucket="abcd1234")


def _telegram(wait: float) -> Answer:
    seconds = math.ceil(wait)
    body = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
    return status(429, json.dumps(body | {"parameters": {"retry_after": seconds}}).encode())


def _rocketchat(wait: float) -> Answer:
    said = f"Error, too many requests. You must wait {math.ceil(wait)} seconds before trying this endpoint again."
    return status(429, json.dumps({"success": False, "error": said}).encode())


def _plain(body: bytes) -> Callable[[float], Answer]:
    return lambda wait: status(429, body)


@dataclass(frozen=True)
class Case:
    """One provider: its type with settings (`{base}` is the server), its path, its limits, its answers."""

    type: str
    settings: dict[str, str]
    path: str
    limits: Callable[[], list[Limit]]
    good: Answer
    refuse: Callable[[float], Answer]
    provider: type[Provider] = Provider


SLACK = {"url": "{base}/services/T0/B0/X0"}
SLACK_BOT = {"token": "xoxb-1", "channel": "C0123", "api_url": "{base}/api"}
DISCORD = {"url": "{base}/api/webhooks/1/abc"}
TEAMS = {"url": "{base}/workflows/abc/triggers/manual/paths/invoke"}
TELEGRAM = {"token": "123456:ABC-DEF1234", "api_url": "{base}"}
POSTED = b'{"ok":true,"channel":"C0123","ts":"1.2"}'
CASES = {
    "slack, strictly one a second": Case(
        "slack", SLACK, "/services/T0/B0/X0", lambda: [Bucket(1, 1)], status(200, b"ok"), _told()
    ),
    "slack, with a short burst": Case(
        "slack", SLACK, "/services/T0/B0/X0", lambda: [Bucket(1, 4)], status(200, b"ok"), _told()
    ),
    "slack, one in each second": Case(
        "slack", SLACK, "/services/T0/B0/X0", lambda: [Fixed(1, 1)], status(200, b"ok"), _told()
    ),
    "slack bot": Case(
        "slack",
        SLACK_BOT,
        "/api/chat.postMessage",
        lambda: [Bucket(1, 1)],
        status(200, POSTED),
        lambda wait: status(429, b'{"ok":false,"error":"ratelimited"}', Retry_After=str(math.ceil(wait))),
    ),
    "discord": Case(
        "discord",
        DISCORD,
        "/api/webhooks/1/abc?wait=true",
        lambda: [Fixed(5, 2), Sliding(50, 1)],
        status(200),
        _discord,
        Discord,
    ),
    "discord, thirty a minute": Case(
        "discord",
        DISCORD,
        "/api/webhooks/1/abc?wait=true",
        lambda: [Fixed(5, 2), Fixed(30, 60)],
        status(200),
        _discord,
        Discord,
    ),
    "telegram, a chat": Case(
        "telegram",
        {**TELEGRAM, "chat_id": "17"},
        "/bot123456:ABC-DEF1234/sendMessage",
        lambda: [Bucket(1, 1), Sliding(30, 1)],
        status(200, b'{"ok":true,"result":{"message_id":1}}'),
        _telegram,
    ),
    "telegram, a group": Case(
        "telegram",
        {**TELEGRAM, "chat_id": "-1001234567890"},
        "/bot123456:ABC-DEF1234/sendMessage",
        lambda: [Sliding(20, 60), Sliding(30, 1)],
        status(200, b'{"ok":true,"result":{"message_id":1}}'),
        _telegram,
    ),
    "pagerduty": Case(
        "pagerduty",
        {"routing_key": "0123456789abcdef0123456789abcdef", "api_url": "{base}"},
        "/v2/enqueue",
        lambda: [Sliding(120, 60)],
        status(202, b'{"status":"success"}'),
        _plain(b'{"status":"throttle exceeded"}'),
    ),
    "rocketchat": Case(
        "rocketchat",
        {"url": "{base}/hooks/abc/def"},
        "/hooks/abc/def",
        lambda: [Fixed(10, 60)],
        status(200, b'{"success":true}'),
        _rocketchat,
    ),
    "ntfy": Case(
        "ntfy",
        {"topic": "alerts", "url": "{base}"},
        "/",
        lambda: [Bucket(1 / 5, 60)],
        status(200, b'{"id":"x","event":"message"}'),
        _plain(b'{"code":42901,"http":429,"error":"limit reached"}'),
    ),
    "msteams": Case(
        "msteams",
        TEAMS,
        "/workflows/abc/triggers/manual/paths/invoke",
        lambda: [Fixed(4, 1), Fixed(60, 30), Fixed(100, 3600), Fixed(150, 7200), Fixed(1800, 86400)],
        status(202),
        _told(),
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_thousand_alerts_within_the_providers_limits(name: str) -> None:
    """All of them arrive, hardly a request is refused, and who asks for rest gets it."""
    provider, sender = await _run(CASES[name], ALERTS, paced_by_type=True)
    assert provider.refused / (provider.taken + provider.refused) <= REFUSED_MAX
    _check_rests(sender)


@pytest.mark.parametrize("name", CASES)
async def test_a_provider_that_is_asked_too_fast_is_obeyed(name: str) -> None:
    """Without a pace of our own each refusal is followed by as long a rest as was asked for, and everything arrives."""
    provider, sender = await _run(CASES[name], HURRIED, paced_by_type=False)
    assert provider.refused or name.startswith("discord")  # it says so before
    _check_rests(sender)


async def _run(case: Case, alerts: int, *, paced_by_type: bool) -> tuple[Provider, Watching]:
    """Deliver all alerts through the type's own destination, and return the provider and what was sent to it."""
    world, sender = World(), Watching()
    provider = case.provider(case.limits(), case.good, case.refuse)
    async with Receiver() as receiver:
        receiver.script(case.path, then=provider)
        settings = {key: value.replace("{base}", receiver.url("")) for key, value in case.settings.items()}
        await world.start(_spec(world, case.type, settings, sender, paced_by_type=paced_by_type))
        world.offer(alerts)
        async with asyncio.timeout(HOURS_MAX * 3600):
            while not all(row.state.final for row in world.store.rows.values()):
                world.store.recorded.clear()
                await world.store.recorded.wait()
        await world.stop()
        await sender.close()
    assert {row.state for row in world.store.rows.values()} == {DeliveryState.DELIVERED}
    assert provider.taken == alerts
    return provider, sender


def _check_rests(sender: Watching) -> None:
    """Nothing was sent between a refusal and the end of the rest that it asked for."""
    for ended, asked in sender.refused:
        assert not [began for began in sender.began if ended < began < ended + asked - 0.001]


def _spec(world: World, kind: str, settings: dict[str, Any], sender: Watching, *, paced_by_type: bool) -> LaneSpec:
    """Describe the destination, at the pace that its type asks for or at none, one request at a time."""
    type_, parsed = REGISTRY[kind], parse_settings(kind, settings)
    options = DeliveryOptions(queue=QueueOptions(concurrency=1))
    burst = None
    if paced_by_type:
        given = DeliveryOptions()
        options, burst = paced(given, Pace.of(type_, parsed), Destination(name="d1", type=kind), given)
    opened = type_.open(parsed, 10, Given(LoopClock(), sender, print))
    return replace(world.spec(None), options=options, open=opened, burst=burst)  # type: ignore[arg-type]  # a type's own settings
