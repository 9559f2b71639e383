"""The engine alone: what `benchmarks/engine.py` measures, held to the table's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import engine
from benchmarks.figures import Line, Result, ratios

if TYPE_CHECKING:
    from benchmarks.bench import Bench

ROW = "subscriptions on the channel, not in scope"


def scopes(bench: Bench) -> Result:
    """Compare 10,000 subscriptions with 10, for an event that was never seen and for one that was."""
    repeats, engine.REPEATS = engine.REPEATS, max(5, bench.size.pairs)
    try:
        with bench.cores.here():
            cases = engine.scopes()
    finally:
        engine.REPEATS = repeats
    few, many = cases[0].times, cases[-1].times
    lines = [
        Line(ROW, f"{name}: cost of 10,000 to 10", ratios(many[name], few[name]), limit=3.0, sense="most")
        for name in ("unseen", "seen")
    ]
    lines += [Line(ROW, f"{name}, {case.size:,}", case.times[name], "us") for name in few for case in cases]
    return Result(lines)


def cooldowns(bench: Bench) -> Result:
    """Tell what a million cooldowns take: memory, and the time of a start."""
    found = engine.cooldowns()
    row = f"{engine.KEYS:,} cooldowns"
    units = {"write_us": "us", "file_mb": "MB", "load_seconds": "s", "memory_mb": "MB", "look_us": "us"}
    return Result([Line(row, name.rpartition("_")[0], [value], units[name]) for name, value in found.items()])
