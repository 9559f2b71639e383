"""Receivers with a limit that nobody knows: everything arrives, few requests are refused, and none is left waiting for long."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alertd.delivery.breaker import BreakerState
from alertd.destinations.base import HttpAnswer, HttpRequest
from alertd.destinations.base import World as Given
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import DeliveryState
from alertd.model.destination import DeliveryOptions, QueueOptions
from tests.rates import Bucket, Fixed, Sliding
from tests.unit.delivery.world import LoopClock, World, passes, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rates import Limit

JITTER_SECONDS = 0.04
"""How much longer one request may be under way than another."""
HOUR = 3600.0


class Receiver:
    """A sender that is the receiver.

    `honest`: it says how long to wait; it takes nothing for `down` seconds, and refuses the part `moody` of all for nothing.
    """

    def __init__(self, limit: Limit | None, *, honest: bool, down: float = 0.0, moody: float = 0.0) -> None:
        self.limit = limit
        self.honest = honest
        self.moody = moody
        self.taken = self.refused = 0
        self._chance = random.Random(5)  # noqa: S311 - a test
        self._up_at = asyncio.get_running_loop().time() + down

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Arrive, and be judged."""
        await passes(0.01 + self._chance.random() * JITTER_SECONDS)
        now = asyncio.get_running_loop().time()
        wait = self._up_at - now
        if wait <= 0 and self.limit is not None:
            wait = self.limit.wait(now)
        if self.moody and self._chance.random() < self.moody:
            wait = 1.0
        if wait <= 0:
            self.taken += 1
            return HttpAnswer(200, {}, b"")
        self.refused += 1
        return HttpAnswer(429, {"Retry-After": str(math.ceil(wait))} if self.honest else {}, b"slow down")

    async def close(self) -> None:
        """Hold nothing."""

    @property
    def share(self) -> float:
        """Which part of all requests was refused."""
        return self.refused / (self.refused + self.taken)


async def _start(world: World, receiver: Receiver, lanes: int = 1, rate_per_second: float | None = None) -> None:
    kind = REGISTRY["webhook"]
    parsed = parse_settings("webhook", {"url": "https://hooks.example.com/x"})
    given = Given(LoopClock(), receiver, print)
    options = DeliveryOptions(queue=QueueOptions(rate_per_second=rate_per_second))
    specs = [
        replace(world.spec(None, number), options=options, open=kind.open(parsed, 10, given))  # type: ignore[arg-type]  # a type's own settings
        for number in range(1, lanes + 1)
    ]
    await world.start(*specs)


async def _end(world: World, receiver: Receiver) -> float:
    """Wait until everything is delivered; return how long that took."""
    began = asyncio.get_running_loop().time()
    store = world.store
    async with asyncio.timeout(24 * HOUR):
        while receiver.taken < len(store.rows) or not all(row.state.final for row in store.rows.values()):
            store.recorded.clear()
            await store.recorded.wait()
    assert {row.state for row in store.rows.values()} == {DeliveryState.DELIVERED}
    assert receiver.taken == len(store.rows)
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize(
    "limit",
    [lambda: Bucket(1, 1), lambda: Bucket(1, 4), lambda: Fixed(1, 1)],
    ids=["strict", "with a burst", "in each second"],
)
async def test_a_thousand_alerts_at_one_a_second(world: World, limit: Callable[[], Limit], *, honest: bool) -> None:
    """At most 2 % of the requests are refused, and it takes little longer than it must."""
    receiver = Receiver(limit(), honest=honest)
    await _start(world, receiver)
    world.offer(1000)
    assert await _end(world, receiver) < 1000 * 1.25
    assert receiver.share <= 0.02


LIMITS: dict[str, tuple[Callable[[], Limit], float, float, float]] = {
    "10 a second": (lambda: Bucket(10, 1), 100, 0.03, 2.5),
    "10 in each second": (lambda: Fixed(10, 1), 100, 0.04, 1.5),
    "20 in any minute": (lambda: Sliding(20, 60), 3000, 0.05, 1.25),
    "30 in each minute": (lambda: Fixed(30, 60), 2000, 0.05, 1.25),
    "60 and then one in 5 s": (lambda: Bucket(0.2, 60), 4700, 0.04, 1.1),
}
"""The limit; what a thousand take at least, in seconds; how many may be refused; how many times as long it may take."""


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("name", LIMITS)
async def test_a_thousand_alerts_within_other_limits(world: World, name: str, *, honest: bool) -> None:
    """Windows and buckets are found as well."""
    limit, least, refused, longer = LIMITS[name]
    receiver = Receiver(limit(), honest=honest)
    await _start(world, receiver)
    world.offer(1000)
    assert await _end(world, receiver) < least * longer
    assert receiver.share <= refused


async def test_a_very_slow_receiver_that_says_so(world: World) -> None:
    """A hundred an hour: what is refused is a fraction, where nearly all was."""
    receiver = Receiver(Bucket(1 / 36, 1), honest=True)
    await _start(world, receiver)
    world.offer(300)
    assert await _end(world, receiver) < 300 * 36 * 1.3
    assert receiver.share <= 0.15


async def test_a_rate_that_is_set_too_high(world: World) -> None:
    """One attempt at a time, each second one refused: that is a limit too."""
    receiver = Receiver(Bucket(0.3, 1), honest=True)
    await _start(world, receiver, rate_per_second=0.5)
    world.offer(300)
    assert await _end(world, receiver) < 300 / 0.3 * 1.25
    assert receiver.share <= 0.06


@pytest.mark.parametrize("lanes", [2, 5])
async def test_destinations_that_share_a_limit(world: World, lanes: int) -> None:
    """None starves, and fewer requests are refused than without a pace."""
    receiver = Receiver(Bucket(1, 1), honest=True)
    await _start(world, receiver, lanes)
    for number in range(1, lanes + 1):
        world.offer(300, number)
    assert await _end(world, receiver) < lanes * 300 * 5
    assert receiver.share <= (0.5 if lanes == 2 else 0.75)


@pytest.mark.parametrize("honest", [True, False])
async def test_who_takes_nothing_for_a_while_gets_everything_soon_after(world: World, *, honest: bool) -> None:
    """Ten minutes of refusals are an outage: a few requests, and then no pace."""
    receiver = Receiver(None, honest=honest, down=600)
    await _start(world, receiver)
    world.offer(3000)
    assert await _end(world, receiver) < 600 + 60 + 60
    assert receiver.refused < 40


@pytest.mark.parametrize(("moody", "seconds"), [(0.01, 10.0), (0.05, 60.0), (0.3, 2400.0)])
async def test_refusals_by_chance_are_no_limit(world: World, moody: float, seconds: float) -> None:
    """One part of the receiver has too much to do: the others are not kept waiting."""
    receiver = Receiver(None, honest=False, moody=moody)
    await _start(world, receiver)
    world.offer(3000)
    assert await _end(world, receiver) < 3000 * (0.01 + JITTER_SECONDS) / 4 + seconds
    assert receiver.share < 1.3 * moody


@pytest.mark.parametrize("honest", [True, False])
async def test_a_limit_that_is_no_more_is_noticed(world: World, *, honest: bool) -> None:
    """One a second for half an hour, and then none: what waits is not sent for hours at the pace that was found."""
    receiver = Receiver(Bucket(1, 1), honest=honest)
    await _start(world, receiver)
    world.offer(8000)
    await passes(HOUR / 2)
    assert receiver.taken < HOUR / 2
    receiver.limit = None
    assert await _end(world, receiver) < HOUR / 2


async def test_refusals_open_no_breaker(world: World) -> None:
    """Whoever says "not so fast" is there; the state says at which pace it is served."""
    receiver = Receiver(Bucket(1, 1), honest=True)
    await _start(world, receiver)
    world.offer(100)
    await passes(10)
    for _ in range(50):
        await passes(1)
        assert world.dispatcher.snapshot(1).breaker is BreakerState.CLOSED
        assert world.dispatcher.snapshot(1).learnt_rate_per_second
    await _end(world, receiver)


async def test_a_lane_that_was_quiet_sends_at_once_again(world: World) -> None:
    """What it learnt is forgotten after a minute, and an alert never waits for a turn that nobody else wants."""
    receiver = Receiver(Bucket(1, 1), honest=True)
    await _start(world, receiver)
    world.offer(50)
    await _end(world, receiver)
    assert world.dispatcher.snapshot(1).learnt_rate_per_second
    await passes(300)
    assert world.dispatcher.snapshot(1).learnt_rate_per_second is None
    began = asyncio.get_running_loop().time()
    world.offer()
    await until(lambda: receiver.taken == 51)
    assert asyncio.get_running_loop().time() - began < 0.2
    assert world.dispatcher.snapshot(1).learnt_rate_per_second is None


async def test_enabling_forgets_the_pace(world: World) -> None:
    """Whoever enables a destination has mended something."""
    receiver = Receiver(None, honest=False, down=600)
    await _start(world, receiver)
    world.offer(10)
    await until(lambda: world.dispatcher.snapshot(1).learnt_rate_per_second)
    await world.dispatcher.disable(1, "by hand")
    await world.dispatcher.enable(1)
    await passes(0.001)
    assert world.dispatcher.snapshot(1).learnt_rate_per_second in {None, 10.0}
