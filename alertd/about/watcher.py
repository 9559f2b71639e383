"""The watcher: looks at the daemon's own state once a second and reports what has changed for the worse, or back.

It only looks: nothing on the path of an event calls it. What it reports about a destination says so in
`data.destination`, and the engine never delivers that through the destination itself. Deaths of such reports are not
reported again, and those of one destination at most every `DEAD_SECONDS`: two broken destinations that are told about
each other are silent after one round.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from alertd.about.reporter import Report
from alertd.errors import StoreError
from alertd.model.ids import DELIVERY, format_id
from alertd.runtime import wait_event
from alertd.store.base import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alertd.clock import Clock
    from alertd.delivery.snapshot import LaneSnapshot
    from alertd.store.base import Page

LOOK_SECONDS: Final = 1.0
"""How often it looks."""
STALLED_SECONDS: Final = 30.0
"""How long the intake may be full, or a commit may take, before it counts as stalled."""
DEAD_SECONDS: Final = 300.0
"""How long deaths of one destination's deliveries are collected before the next report."""
NAMED_MAX: Final = 5
"""Dead deliveries that a report names."""
_log = structlog.get_logger("alertd.about")


class DeadStore(Protocol):
    """What the watcher asks of the store."""

    async def deliveries(self, which: Filter) -> Page:
        """Deliveries, newest first."""


@dataclass(slots=True)
class Seen:
    """What was last seen of a destination. `dead` counts deaths, `dead_since_ms` is from when on they are unreported."""

    disabled: bool = False
    failing: bool = False
    dead: int = 0
    reported: float = float("-inf")
    dead_since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Sights:
    """What the watcher looks at.

    Shapes: `lanes` gives (workspace, name) and how that lane stands; `storing` says whether the last commit was written,
    `room` whether the intake takes events.
    """

    lanes: Callable[[], Iterable[tuple[tuple[str, str], LaneSnapshot]]]
    storing: Callable[[], bool]
    room: Callable[[], bool]


class Watcher:
    """The service that looks. `stalled` says whether the intake is stuck."""

    name = "watcher"

    def __init__(self, sights: Sights, store: DeadStore, tell: Callable[[Report], None], clock: Clock) -> None:
        self._sights = sights
        self._store = store
        self._tell = tell
        self._clock = clock
        self._seen: dict[tuple[str, str], Seen] = {}
        self._full_since: float | None = None
        self.stalled = False
        self._storing = True
        self._begun_ms = clock.now_ms()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.is_set():
            try:
                await self.look()
            except StoreError as error:
                _log.debug("watcher.put_off", error=str(error))
            await wait_event(self._stopping, LOOK_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    async def look(self) -> None:
        """Look once and report what has changed."""
        self._look_at_intake()
        present = set()
        for place, lane in self._sights.lanes():
            present.add(place)
            seen = self._seen.setdefault(place, Seen(dead_since_ms=self._begun_ms))
            self._look_at_lane(place, lane, seen)
            if lane.deaths > seen.dead and self._clock.monotonic() - seen.reported >= DEAD_SECONDS:
                await self._look_at_deaths(place, lane.deaths, seen)
        for gone in self._seen.keys() - present:
            del self._seen[gone]

    def _look_at_intake(self) -> None:
        storing = self._sights.storing()
        if storing != self._storing:
            self._storing = storing
            if not storing:
                self._tell(Report("alertd.store_full", "critical", "The store cannot write: events are refused (503)."))
        now = self._clock.monotonic()
        if self._sights.room():
            self._full_since, self.stalled = None, False
        elif self._full_since is None:
            self._full_since = now
        elif not self.stalled and now - self._full_since >= STALLED_SECONDS:
            self.stalled = True
            text = (
                f"The intake has been full for {STALLED_SECONDS:g} s: events are refused (429), partitions are paused."
            )
            self._tell(Report("alertd.intake_stalled", "critical", text))

    def _look_at_lane(self, place: tuple[str, str], lane: LaneSnapshot, seen: Seen) -> None:
        since_ms = lane.disabled_at_ms if lane.state == "disabled" else None
        disabled = since_ms is not None
        if (
            since_ms is not None and since_ms >= self._begun_ms and not seen.disabled
        ):  # what was before the start was told
            text = f"The destination {place[1]} is disabled: {lane.disabled_reason}."
            self._about("alertd.destination_disabled", "error", text, place, {"reason": lane.disabled_reason})
        seen.disabled = disabled
        failing = lane.breaker != "closed"
        if failing and not seen.failing:
            text = f"The destination {place[1]} fails again and again: {lane.last_error}."
            self._about("alertd.destination_failing", "error", text, place, {"error": lane.last_error})
        if lane.breaker != "half_open":
            seen.failing = failing

    async def _look_at_deaths(self, place: tuple[str, str], count: int, seen: Seen) -> None:
        """Report deaths that are not those of reports."""
        which = Filter(place[0], limit=50, destination=place[1], state="dead", since_ms=seen.dead_since_ms)
        page = await self._store.deliveries(which)
        own = [row for row in page.items if not row["event_type"].startswith("alertd.")]
        new = count - seen.dead
        seen.dead, seen.dead_since_ms = count, self._clock.now_ms()
        if not own:
            return
        seen.reported = self._clock.monotonic()
        error = own[0]["detail"] or "no reason given"
        text = (
            f"{new} deliveries to {place[1]} are dead, the last one: {error}."
            if new > 1
            else (f"A delivery to {place[1]} is dead: {error}.")
        )
        named = [format_id(DELIVERY, row["id"]) for row in own[:NAMED_MAX]]
        self._about("alertd.delivery_dead", "error", text, place, {"count": new, "error": error, "deliveries": named})

    def _about(self, kind: str, severity: str, text: str, place: tuple[str, str], data: dict[str, Any]) -> None:
        workspace, name = place
        self._tell(Report(kind, severity, text, name, workspace, {"destination": name, **data}))
