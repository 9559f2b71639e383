"""The engine alone: an event through many subscriptions that it does not concern, explaining one, a million cooldowns.

`python -m benchmarks.engine` prints it. An event whose type, project and environment were never seen costs what a look
into the index costs, whether it holds 10 subscriptions or 10,000 (half of them for another project, half for another
environment, all of them on the channel that matches).
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from alertd.clock import SystemClock
from alertd.engine.explain import explain
from alertd.engine.memory import EngineMemory, Overlay
from alertd.engine.router import EngineState, plan
from alertd.engine.ruleset import Ruleset, compile_ruleset, name_keys
from alertd.model.event import Event
from alertd.model.severity import Severity
from alertd.model.workspace import Workspace
from alertd.store.base import Batch
from alertd.store.sqlite.store import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alertd.engine.state import CooldownKey

SIZES = (10, 1000, 10_000)
EVENTS = 2000
REPEATS = 7
KEYS = 1_000_000
COMMIT_KEYS = 10_000
_HOUR_MS = 3_600_000


def ruleset(size: int) -> Ruleset:
    """Compile so many subscriptions to everything, none of them for what `event` makes."""
    scopes: Iterator[dict[str, Any]] = (
        {"projects": [f"p{n}"]} if n % 2 else {"environments": [f"e{n}"]} for n in range(size)
    )
    subscriptions = [
        {"name": f"s{n}", "channels": ["all"], "destinations": ["a"], **scope} for n, scope in enumerate(scopes)
    ]
    workspace = Workspace.model_validate(
        {
            "name": "default",
            "channels": [{"name": "all", "kind": "glob", "pattern": "*"}],
            "destinations": [{"name": "a", "type": "null"}],
            "subscriptions": subscriptions,
        }
    )
    ids = {key: number for number, key in enumerate(name_keys([workspace]), 1)}
    return compile_ruleset([workspace], ids, 1)


def event(number: int) -> Event:
    """Make an event of a type, a project and an environment that are never seen again."""
    place = f"x{number}", f"y{number}"
    body = {"id": f"e{number}", "type": f"t{number}", "project": place[0], "environment": place[1]}
    return Event(f"t{number}", f"e{number}", "default", *place, Severity.ERROR, "", f"t{number}", body, b"{}")


def timed(work: Callable[[Event], object], events: list[Event]) -> float:
    """Do something with each event; return the microseconds of one."""
    gc.disable()
    begun = time.perf_counter()
    for each in events:
        work(each)
    took = time.perf_counter() - begun
    gc.enable()
    return took / len(events) * 1e6


class Case:
    """One size of ruleset."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.ruleset = ruleset(size)
        self.times: dict[str, list[float]] = {"unseen": [], "seen": [], "explain": []}
        self._next = 0

    def round(self) -> None:
        """Measure each once."""
        rules, state = self.ruleset, EngineState()
        fresh = [event(self._next + n) for n in range(EVENTS)]
        self._next += EVENTS
        self.times["unseen"].append(timed(lambda each: plan(rules, state, each, 1, 1), fresh))
        self.times["seen"].append(timed(lambda each: plan(rules, state, each, 1, 1), fresh[:200] * 10))
        self.times["explain"].append(timed(lambda each: explain(rules, state, each, 1), fresh[:5]))


def scopes() -> list[Case]:
    """Measure all sizes in turns, so that a busy minute of the machine falls on each of them."""
    cases = [Case(size) for size in SIZES]
    for _ in range(REPEATS):
        for case in cases:
            case.round()
    return cases


def keys(count: int) -> Iterator[CooldownKey]:
    """Make keys as events bring them."""
    return ((7, f"project{n % 100}", "production", f"order-{n:08d}") for n in range(count))


def cooldowns() -> dict[str, float]:
    """Keep a million cooldowns, and start again with them, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_cooldowns)


def _cooldowns() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alertd.db"
        written = asyncio.run(_write(path))
        return written | {"file_mb": path.stat().st_size / 2**20} | asyncio.run(_read(path))


async def _write(path: Path) -> dict[str, float]:
    clock = SystemClock()
    store = await open_sqlite(path, clock)
    until = clock.now_ms() + _HOUR_MS
    begun = time.perf_counter()
    waiting: dict[CooldownKey, int] = {}
    for key in keys(KEYS):
        waiting[key] = until
        if len(waiting) == COMMIT_KEYS:
            await store.commit(Batch(cooldowns=waiting))
            waiting = {}
    took = time.perf_counter() - begun
    await store.close()
    return {"write_us": took / KEYS * 1e6}


async def _read(path: Path) -> dict[str, float]:
    clock = SystemClock()
    store = await open_sqlite(path, clock)
    gc.collect()
    before = psutil.Process().memory_info().rss
    begun = time.perf_counter()
    memory = EngineMemory()
    memory.load(await store.cooldowns(clock.now_ms()), {}, {}, clock.now_ms())
    took = time.perf_counter() - begun
    gc.collect()
    grown = psutil.Process().memory_info().rss - before
    if len(memory.cooldowns) != KEYS:
        raise SystemExit(f"{len(memory.cooldowns)} of {KEYS} cooldowns came back")
    state = memory.state(Overlay(), {})
    one = next(keys(1))
    look = timed(lambda _: state.cooldowns.get(one), [event(0)] * 100_000)
    await store.close()
    return {"load_seconds": took, "memory_mb": grown / 2**20, "look_us": look}


def main() -> None:
    """Measure and print."""
    cases = scopes()
    for case in cases:
        shown = ", ".join(f"{name} {statistics.median(times):,.2f} us" for name, times in case.times.items())
        print(f"{case.size:>7,} subscriptions: {shown}")
    for name in ("unseen", "seen"):
        growth = statistics.median(cases[-1].times[name]) / statistics.median(cases[0].times[name])
        print(f"{name}: 10,000 cost {growth:.2f} times as much as 10")
    print(f"{KEYS:,} cooldowns:", ", ".join(f"{name} {value:,.2f}" for name, value in cooldowns().items()))


if __name__ == "__main__":
    main()
