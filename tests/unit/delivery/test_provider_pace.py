"""A provider that takes one request a second: every alert arrives, and hardly a request is refused."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alertd.app.pacing import Pace, paced
from alertd.delivery.backoff import next_seconds
from alertd.destinations.base import HttpAnswer, HttpRequest
from alertd.destinations.base import World as Given
from alertd.destinations.http_destination import HttpDestination
from alertd.destinations.ntfy import QUOTA_SECONDS
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import DeliveryState
from alertd.model.destination import DeliveryOptions, Destination, RetryOptions
from tests.unit.delivery.world import LoopClock, World, passes

if TYPE_CHECKING:
    from collections.abc import Callable

ALERTS = 1000
SLACK = {"url": "https://hooks.slack.com/services/T0/B0/X"}
NTFY = {"topic": "alerts-example"}
JITTER_SECONDS = 0.04
"""How much longer one request may be under way than another."""


class Provider:
    """A sender that is the provider: requests arrive after a while each, and those that come too soon are refused."""

    def __init__(self, allows: Callable[[float], bool], fails: Callable[[], bool] = lambda: False) -> None:
        self.allows = allows
        self.fails = fails
        self.taken = self.refused = 0
        self._chance = random.Random(5)  # noqa: S311 - a test

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Arrive, and be judged."""
        await passes(0.01 + self._chance.random() * JITTER_SECONDS)
        if self.fails():
            return HttpAnswer(503, {}, b"")
        if self.allows(asyncio.get_running_loop().time()):
            self.taken += 1
            return HttpAnswer(200, {}, b'{"id":"1"}' if b"topic" in request.body else b"ok")
        self.refused += 1
        return HttpAnswer(429, {"Retry-After": "1"}, b"slow down")

    async def close(self) -> None:
        """Hold nothing."""


def one_a_second() -> Callable[[float], bool]:
    """Allow what comes a second or more after the last that was taken."""
    last = [-1.0]

    def allows(now: float) -> bool:
        good = now - last[0] >= 1
        last[0] = now if good else last[0]
        return good

    return allows


def one_in_each_second() -> Callable[[float], bool]:
    """Allow the first in each second of the provider's clock."""
    seen: set[int] = set()

    def allows(now: float) -> bool:
        good = int(now) not in seen
        seen.add(int(now))
        return good

    return allows


def one_in_so_many(seconds: float) -> Callable[[float], bool]:
    """Allow what comes so long after the last that was taken."""
    last = [0.0]

    def allows(now: float) -> bool:
        good = now - last[0] >= seconds
        last[0] = now if good else last[0]
        return good

    return allows


def sixty_and_then_one_in_five_seconds() -> Callable[[float], bool]:
    """Allow as ntfy does: a bucket."""
    state = [60.0, 0.0]

    def allows(now: float) -> bool:
        state[0] = min(60.0, state[0] + (now - state[1]) / 5)
        state[1] = now
        good = state[0] >= 1
        state[0] -= good
        return good

    return allows


async def _run(
    world: World, kind: str, settings: dict[str, str], provider: Provider, alerts: int = ALERTS, hours: int = 2
) -> None:
    """Deliver all alerts through the type's own destination at the pace that it asks for."""
    type_, parsed = REGISTRY[kind], parse_settings(kind, settings)
    options, burst = paced(
        DeliveryOptions(), Pace.of(type_, parsed), Destination(name="d1", type=kind), DeliveryOptions()
    )
    given = Given(LoopClock(), provider, print)
    spec = replace(world.spec(None), options=options, open=type_.open(parsed, 10, given), burst=burst)  # type: ignore[arg-type]  # a type's own settings
    await world.start(spec)
    world.offer(alerts)
    for _ in range(hours * 3600):
        if all(row.state.final for row in world.store.rows.values()):
            break
        await passes(1)
    assert {row.state for row in world.store.rows.values()} == {DeliveryState.DELIVERED}
    assert provider.taken == alerts


@pytest.mark.parametrize("allows", [one_a_second, one_in_each_second])
async def test_a_thousand_alerts_at_one_a_second(world: World, allows: Callable[[], Callable[[float], bool]]) -> None:
    """At most 2 % of the requests are refused, although some are longer under way than others."""
    provider = Provider(allows())
    began = asyncio.get_running_loop().time()
    await _run(world, "slack", SLACK, provider)
    assert provider.refused / (provider.taken + provider.refused) <= 0.02
    assert asyncio.get_running_loop().time() - began < ALERTS * 1.1


async def test_a_provider_that_takes_a_burst_gets_it(world: World) -> None:
    """What is allowed at once is not waited for, and nothing is refused."""
    provider = Provider(sixty_and_then_one_in_five_seconds())
    running = asyncio.ensure_future(_run(world, "ntfy", NTFY, provider))
    await passes(2)
    assert provider.taken == 57
    await running
    assert provider.refused == 0


async def test_a_limit_far_below_our_pace_loses_nothing(world: World) -> None:
    """A hundred an hour, and nobody says so but by 429: every alert waits its turn, however often it was refused."""
    hook = {"url": "https://hooks.example.com/x"}
    await _run(world, "webhook", hook, Provider(one_in_so_many(36)), alerts=200, hours=20)
    assert max(len(row.attempts) for row in world.store.rows.values()) > RetryOptions().max_attempts


async def test_a_receiver_that_also_fails_loses_nothing(world: World) -> None:
    """One that is down now and then, beside a rate far below our pace: what came too soon uses up no attempt."""
    chance = random.Random(7)  # noqa: S311 - a test
    provider = Provider(one_in_so_many(36), lambda: chance.random() < 0.1)
    await _run(world, "webhook", {"url": "https://hooks.example.com/x"}, provider, alerts=200, hours=20)
    rows = world.store.rows.values()
    late = [
        row for row in rows if any(a.outcome.status == 503 for a in row.attempts[RetryOptions().max_attempts - 1 :])
    ]
    assert late


def test_a_used_up_day_does_not_use_up_the_attempts() -> None:
    """As often as ntfy says that the day's messages are used up, the last attempt is late in a day."""
    retry = RetryOptions()
    waits = [next_seconds(made, QUOTA_SECONDS, retry, lambda: 0.0) for made in range(1, retry.max_attempts)]
    assert sum(waits) > 0.9 * retry.give_up_after_seconds


async def test_a_used_up_day_ends_at_midnight() -> None:
    """Whoever was refused a little after one midnight is told of right after the next, while that still counts."""
    destination = REGISTRY["ntfy"].open(
        parse_settings("ntfy", NTFY), 10, Given(LoopClock(), Provider(one_a_second()), print)
    )
    assert isinstance(destination, HttpDestination)
    answer = HttpAnswer(429, {}, b'{"code":42908,"http":429,"error":"limit reached: daily message quota reached"}')
    midnight = 20_000 * 86_400
    waits = {left: destination.judge(answer, midnight - left).retry_after_seconds for left in (1, 600, 7000, 80_000)}
    assert waits == {1: 61, 600: 660, 7000: 7060, 80_000: QUOTA_SECONDS}
