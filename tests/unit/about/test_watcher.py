"""The watcher: each change for the worse is reported once, and two broken destinations do not talk about each other for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from alertd.about.watcher import DEAD_SECONDS, STALLED_SECONDS, Sights, Watcher
from alertd.delivery.breaker import BreakerState
from alertd.delivery.snapshot import LaneSnapshot
from alertd.model.destination import RetryOptions
from alertd.store.base import Filter, Page

if TYPE_CHECKING:
    from alertd.about.reporter import Report

WELL = LaneSnapshot("enabled", "", None, 0, 10, (), BreakerState.CLOSED, None, None, None, "", retry=RetryOptions())
PLACE = ("default", "hook")


class Scene:
    """A world that a test changes; it is its own clock and store."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.lanes = {PLACE: WELL}
        self.storing = self.room = True
        self.dead: list[dict[str, Any]] = []
        self.asked: list[Filter] = []
        self.told: list[Report] = []
        sights = Sights(self.lanes.items, lambda: self.storing, lambda: self.room)
        self.watcher = Watcher(sights, self, self.told.append, self)

    def now_ms(self) -> int:
        """Milliseconds."""
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    def wall_seconds(self) -> int:
        """Seconds since 1970."""
        return int(self.seconds)

    async def deliveries(self, which: Filter) -> Page:
        """Dead deliveries, as scripted."""
        self.asked.append(which)
        return Page(self.dead, None)

    def change(self, **fields: Any) -> None:
        """Change how the lane stands."""
        self.lanes[PLACE] = replace(self.lanes[PLACE], **fields)

    async def look(self, seconds: float = 1) -> list[str]:
        """Look a while later; give the types of what is told."""
        self.seconds += seconds
        before = len(self.told)
        await self.watcher.look()
        return [report.type for report in self.told[before:]]


@pytest.fixture
def scene() -> Scene:
    """Make a world in which all is well."""
    return Scene()


def dead(kind: str = "run:failed") -> dict[str, Any]:
    """Make a dead delivery's row."""
    return {"id": 5, "event_type": kind, "detail": "webhook: returned 503"}


async def test_all_is_well(scene: Scene) -> None:
    """Nothing is told while nothing is wrong."""
    assert await scene.look() == []
    assert scene.asked == []


async def test_a_disabled_destination_is_told_once(scene: Scene) -> None:
    """With its reason, in its own workspace; not again while it lasts, and again the next time."""
    scene.change(state="disabled", disabled_reason="returned 410", disabled_at_ms=scene.now_ms())
    assert await scene.look() == ["alertd.destination_disabled"]
    assert "returned 410" in scene.told[0].message
    assert scene.told[0].data["destination"] == "hook"
    assert await scene.look() == []
    scene.change(state="enabled", disabled_at_ms=None)
    assert await scene.look() == []
    scene.change(state="disabled", disabled_at_ms=scene.now_ms())
    assert await scene.look() == ["alertd.destination_disabled"]


async def test_what_was_disabled_before_the_start_is_no_news(scene: Scene) -> None:
    """It was told when it happened; a restart wakes nobody."""
    scene.change(state="disabled", disabled_reason="returned 410", disabled_at_ms=scene.now_ms() - 1)
    assert await scene.look() == []


async def test_one_switched_off_by_its_configuration_is_not_told(scene: Scene) -> None:
    """What an operator wrote down needs no alarm."""
    scene.change(state="disabled", disabled_reason="switched off in its configuration")
    assert await scene.look() == []


async def test_a_failing_destination_is_told_once(scene: Scene) -> None:
    """When the breaker opens; probes in between change nothing; after a success it counts anew."""
    scene.change(breaker=BreakerState.OPEN, last_error="webhook: returned 500")
    assert await scene.look() == ["alertd.destination_failing"]
    for state in (BreakerState.HALF_OPEN, BreakerState.OPEN, BreakerState.HALF_OPEN):
        scene.change(breaker=state)
        assert await scene.look() == []
    scene.change(breaker=BreakerState.CLOSED)
    assert await scene.look() == []
    scene.change(breaker=BreakerState.OPEN)
    assert await scene.look() == ["alertd.destination_failing"]


async def test_deaths_are_collected(scene: Scene) -> None:
    """The first is told at once, further ones together after a while, with their count and the newest of them."""
    scene.dead = [dead()]
    scene.change(deaths=1)
    assert await scene.look() == ["alertd.delivery_dead"]
    scene.change(deaths=40)
    assert await scene.look(DEAD_SECONDS - 2) == []
    assert await scene.look(2) == ["alertd.delivery_dead"]
    assert scene.told[-1].data["count"] == 39
    assert scene.told[-1].data["deliveries"] == ["dlv_0000000000000005"]
    assert await scene.look(10 * DEAD_SECONDS) == []


async def test_deaths_of_reports_are_not_reported(scene: Scene) -> None:
    """A destination that is told about others and is itself broken makes no further reports."""
    scene.dead = [dead("alertd.delivery_dead")]
    for deaths in range(1, 6):
        scene.change(deaths=deaths)
        assert await scene.look(2 * DEAD_SECONDS) == []


async def test_two_broken_destinations_fall_silent(scene: Scene) -> None:
    """Each is told about the other, those reports die too, and that is the end of it."""
    other = ("default", "other")
    scene.lanes[other] = WELL
    scene.dead = [dead()]
    scene.change(deaths=1)
    assert await scene.look() == ["alertd.delivery_dead"]
    scene.dead = [dead("alertd.delivery_dead")]
    told = 0
    for round_number in range(1, 50):
        scene.lanes[other] = replace(WELL, deaths=round_number)
        scene.change(deaths=1 + round_number)
        told += len(await scene.look(2 * DEAD_SECONDS))
    assert told == 0


async def test_a_store_that_cannot_write_is_told_once(scene: Scene) -> None:
    """Once when it begins, and again only after it was well in between."""
    scene.storing = False
    assert await scene.look() == ["alertd.store_full"]
    assert await scene.look() == []
    scene.storing = True
    assert await scene.look() == []
    scene.storing = False
    assert await scene.look() == ["alertd.store_full"]


async def test_a_stalled_intake_is_told_at_its_bound(scene: Scene) -> None:
    """A full intake is normal for a while; at the bound it counts as stalled, once, until it takes events again."""
    scene.room = False
    assert await scene.look() == []
    assert await scene.look(STALLED_SECONDS - 0.5) == []
    assert await scene.look(0.5) == ["alertd.intake_stalled"]
    assert scene.watcher.stalled
    assert await scene.look(STALLED_SECONDS) == []
    scene.room = True
    assert await scene.look() == []
    assert not scene.watcher.stalled


async def test_a_destination_that_is_gone_is_forgotten(scene: Scene) -> None:
    """What comes back under its name starts anew."""
    scene.change(breaker=BreakerState.OPEN)
    await scene.look()
    lane = scene.lanes.pop(PLACE)
    assert await scene.look() == []
    scene.lanes[PLACE] = lane
    assert await scene.look() == ["alertd.destination_failing"]
