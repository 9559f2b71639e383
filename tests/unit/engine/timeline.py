"""A timeline: the engine under a simulated clock, with its memory as the pipeline keeps it, and restarts in between."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from alertd.clock import rfc3339
from alertd.engine.chain import decide, follow
from alertd.engine.memory import EngineMemory, Overlay
from alertd.engine.ruleset import Ruleset, compile_ruleset, name_keys
from alertd.model.event import Event
from alertd.model.severity import BY_WORD
from alertd.model.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.engine.plan import Plan

START_MS = 1_800_000_000_000
CHANNELS = [{"name": "all", "kind": "glob", "pattern": "*"}]
DESTINATIONS = [{"name": "a", "type": "null"}, {"name": "b", "type": "null"}]


def compiled(revision: int = 1, **workspace: Any) -> Ruleset:
    """Compile a workspace with the channel `all` and the destinations `a` and `b`, unless it is told otherwise."""
    whole = Workspace.model_validate(
        {"name": "default", "channels": CHANNELS, "destinations": DESTINATIONS, **workspace}
    )
    ids = {key: number for number, key in enumerate(name_keys([whole]), 1)}
    return compile_ruleset([whole], ids, revision)


def made_event(number: int, now_ms: int, **fields: Any) -> Event:
    """Make an event as a decoder would; `number` tells those apart that bring no id."""
    body = {"id": f"e{number}", "workspace": "default", "severity": "info", "time": rfc3339(now_ms), **fields}
    body.setdefault("key", body["type"])
    place = body.get("project", ""), body.get("environment", "")
    known = BY_WORD[body["severity"]]
    return Event(
        body["type"], body["id"], "default", *place, known, body["time"], body["key"], body, str(body).encode()
    )


class Numbers:
    """Numbers as the daemon hands them out."""

    def __init__(self) -> None:
        self.next = 1000

    def take(self, count: int = 1, now_ms: int | None = None) -> int:
        """Reserve some."""
        self.next += count
        return self.next - count

    def extend(self, count: int) -> None:
        """Reserve more."""
        self.next += count


class Timeline:
    """Events one after another, or several in a batch. `plans` are all that were ever made."""

    def __init__(self, **workspace: Any) -> None:
        self.ruleset = compiled(**workspace)
        self.now_ms = START_MS
        self.memory = EngineMemory()
        self.memory.use(self.ruleset)
        self.numbers = Numbers()
        self.seen: set[tuple[str, str]] = set()
        self.plans: list[Plan] = []
        self._count = 0

    def wait(self, seconds: float) -> Timeline:
        """Let time go by (or back, as a clock that is set does), looking at what is due each second."""
        end = self.now_ms + round(seconds * 1000)
        while self.now_ms < end:
            self.now_ms = min(end, self.now_ms + 1000)
            self.tick()
        self.now_ms = end
        return self

    def set_clock(self, seconds: float) -> Timeline:
        """Move the clock without anybody looking."""
        self.now_ms += round(seconds * 1000)
        return self

    def tick(self) -> list[Plan]:
        """Look at what is due."""
        return self.commit(())

    def restart(self) -> Timeline:
        """Forget everything that is not stored, and read what is."""
        old = self.memory
        self.memory = EngineMemory()
        self.memory.use(self.ruleset)
        rest = {key: until for key, until in old.cooldowns.items() if until > self.now_ms}
        counts = {key: count for key, count in old.counts.items() if count.until_ms > self.now_ms}
        self.memory.load(rest, counts, deepcopy(old.series), self.now_ms)
        return self

    def event(self, type: str, **fields: Any) -> list[Plan]:  # noqa: A002 - as everywhere
        """Send one event."""
        return self.batch([{"type": type, **fields}])

    def batch(self, events: Iterable[dict[str, Any]]) -> list[Plan]:
        """Send several at once; one whose id is known does nothing."""
        made = []
        for fields in events:
            self._count += 1
            made.append(made_event(self._count, self.now_ms, **fields))
        return self.commit(made)

    def commit(self, events: Iterable[Event]) -> list[Plan]:
        """Plan a batch as the pipeline does, and take its changes."""
        overlay = Overlay()
        state = self.memory.state(overlay, {})
        due = self.memory.due(self.now_ms, overlay)
        plans = follow(self.ruleset, state, overlay, due, self.numbers, self.now_ms, self.seen)
        for event in events:
            if (event.workspace, event.id) not in self.seen:
                self.seen.add((event.workspace, event.id))
                plans += decide(self.ruleset, state, overlay, event, self.numbers, self.now_ms, self.seen)
        self.memory.absorb(overlay.cooldowns, overlay.changes)
        self.plans += plans
        return plans

    def types(self) -> list[str]:
        """Every type that was planned, in order."""
        return [plan.event.type for plan in self.plans]

    def made(self, *types: str) -> list[Event]:
        """Every event of some types that was planned, in order."""
        return [plan.event for plan in self.plans if plan.event.type in types]


def words(plans: Iterable[Plan]) -> list[str]:
    """Read all verdicts as words."""
    return [verdict.code.word for plan in plans for verdict in plan.verdicts]


def shape(plan: Plan) -> tuple[Any, ...]:
    """What of a plan must not depend on how events were cut into batches: all but its numbers."""
    event = plan.event
    first = plan.number
    sent = [
        (d.id - first, d.destination_id, d.subscription_id, d.channel_id, d.also, d.payload) for d in plan.deliveries
    ]
    changes = plan.changes
    moved = None if changes is None else (changes.counts, changes.series)
    return (
        event.id,
        event.type,
        event.payload,
        plan.matched,
        plan.verdicts,
        sent,
        plan.cooldowns,
        moved,
        plan.violations,
    )
