"""What the log tells of a store that is not available for a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from structlog.testing import capture_logs
from typing_extensions import override

from alertd.delivery.outage import Outage
from alertd.delivery.replayer import Replayer
from alertd.errors import StoreUnavailableError
from alertd.metrics import Metrics
from alertd.model.ids import IdSource
from alertd.store.memory import MemoryStore
from alertd.store.replaying import Replay
from tests.unit.delivery.world import LoopClock, Scripted, passes, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from alertd.model.delivery import Delivery
    from tests.unit.delivery.world import World

DISK = StoreUnavailableError("disk full")


def told(lines: Iterable[Mapping[str, Any]], waiting: str) -> list[tuple[str, str]]:
    """Pick what was said of one kind of work: the event, and why or how often."""
    return [
        (line["event"], str(line.get("detail") or line["failures"])) for line in lines if line.get("waiting") == waiting
    ]


def test_an_outage_is_one_line_and_its_end_another() -> None:
    """However often the store is asked meanwhile; the next one is told again, and a store that is there is no news."""
    outage = Outage("pages")
    with capture_logs() as lines:
        outage.passed()
        for _ in range(100):
            outage.failed(DISK)
        outage.passed()
        outage.passed()
        outage.failed(DISK)
    assert told(lines, "pages") == [
        ("store.unavailable", "disk full"),
        ("store.recovered", "100"),
        ("store.unavailable", "disk full"),
    ]


async def test_pages_that_cannot_be_read_are_told(world: World) -> None:
    """Lanes wait for them: nothing else would say why nothing is sent."""
    hooks = [Scripted(), Scripted()]
    world.deliveries(3, 1)
    world.deliveries(3, 2)
    world.store.unavailable = True
    with capture_logs() as lines:
        await world.start(world.spec(hooks[0], 1), world.spec(hooks[1], 2))
        await passes(60)
        assert told(lines, "pages") == [("store.unavailable", "disk full")]
        world.store.unavailable = False
        await world.all_final()
    assert [event for event, _ in told(lines, "pages")] == ["store.unavailable", "store.recovered"]


async def test_a_lane_whose_backlog_cannot_be_swept_is_told_once(world: World) -> None:
    """Not at every round."""
    await world.start(world.spec(Scripted(), enabled=False))
    world.offer()
    world.store.unavailable = True
    with capture_logs() as lines:
        for _ in range(5):
            await world.dispatcher.sweep()
        world.store.unavailable = False
        await world.dispatcher.sweep()
    assert told(lines, "sweep") == [("store.unavailable", "disk full"), ("store.recovered", "5")]


class FullStore(MemoryStore):
    """A store that can neither list replays nor make a step of one while it is `full`."""

    full = True

    @override
    async def running_replays(self) -> list[Replay]:
        """List them."""
        self._check()
        return await super().running_replays()

    @override
    async def step_replay(
        self, replay_id: int, first_id: int, count: int, now_ms: int, present: frozenset[int]
    ) -> tuple[Replay, list[Delivery]]:
        """Make a step."""
        self._check()
        return await super().step_replay(replay_id, first_id, count, now_ms, present)

    def _check(self) -> None:
        if self.full:
            raise DISK


async def test_replays_that_wait_for_the_store_are_told() -> None:
    """At the start, and later on."""
    clock = LoopClock()
    store, ids, metrics = FullStore(clock), IdSource(clock), Metrics()
    replayer = Replayer(store, clock, ids, lambda made: None, frozenset, metrics)

    def running() -> float | None:
        return metrics.registry.get_sample_value("alertd_replays_running")

    with capture_logs() as lines:
        task = asyncio.create_task(replayer.run())
        await passes(10)
        store.full = False
        await passes(10)
        store.full = True
        await replayer.begin(Replay(ids.take(), "default", "ann", b"{}", None, 0, 1.0, 0), [])
        await passes(10)
        assert running() == 1
        store.full = False
        await until(lambda: running() == 0)
        replayer.stop()
        await task
    assert [event for event, _ in told(lines, "replays")] == ["store.unavailable", "store.recovered"] * 2
