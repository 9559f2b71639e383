"""What very many issues take: `python -m benchmarks.issue_memory [COUNT]`.

In a process of its own: events of so many new issues through the real pipeline into a real store, in batches of 500, under
rules that let a project begin any number. Then as many in a flood under the rules as they are, from one project.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from alertd.clock import SystemClock
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.metrics import Metrics
from alertd.model.ids import IdSource
from alertd.pipeline import Pipeline
from alertd.runtime import calm_collector
from alertd.store.sqlite.store import open_sqlite
from benchmarks.issues import error
from benchmarks.planning import BATCH, RULES, Generous

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.model.event import Event

MILLION = 1_000_000
PAGE = 10
"""How many submissions are queued at a time."""


@dataclass(slots=True)
class Found:
    """The lines of one measurement: what, a value, its unit."""

    row: str
    lines: list[tuple[str, float, str]]


def apart(count: int = MILLION) -> Found:
    """Measure in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        kept = pool.apply(_run, (count, True))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        flood = pool.apply(_run, (count, False))
    flooded = [(f"a flood: {what}", value, unit) for what, value, unit in flood]
    return Found(f"{count:,} distinct errors", kept + flooded)


def _run(count: int, generous: bool) -> list[tuple[str, float, str]]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder) / "alertd.db", count, generous=generous))


async def _measure(path: Path, count: int, *, generous: bool) -> list[tuple[str, float, str]]:
    clock = SystemClock()
    store = await open_sqlite(path, clock)
    ids = {key: number for number, key in enumerate(name_keys([RULES]), 1)}
    pipeline = Pipeline(store, IdSource(clock), 1, clock, Metrics(), compile_ruleset([RULES], ids, 1), lambda _: None)
    if generous:
        pipeline.issues.memory = Generous()
    running = asyncio.ensure_future(pipeline.run())
    calm_collector()
    await _submit(pipeline, range(BATCH * PAGE))
    before = _resident()
    begun = time.process_time()
    for first in range(0, count, BATCH * PAGE):
        await _submit(pipeline, range(BATCH * PAGE + first, 2 * BATCH * PAGE + first))
    took = time.process_time() - begun
    grown = _resident() - before
    held = len(pipeline.issues.memory)
    pipeline.stop()
    await running
    await store.close()
    size = path.stat().st_size  # noqa: ASYNC240 - nothing runs beside it
    return [
        ("memory grown by", grown / 2**20, "MB"),
        ("issues in memory", float(held), ""),
        ("CPU of each, store and all", took / count * 1e6, "us"),
        ("file, for each", size / count, "bytes"),
    ]


async def _submit(pipeline: Pipeline, numbers: range) -> None:
    await asyncio.gather(*(pipeline.submit(batch, 1) for batch in _batches(numbers)))


def _batches(numbers: range) -> Iterator[list[Event]]:
    for first in range(numbers.start, numbers.stop, BATCH):
        yield [error(number, f"1:{number:032x}") for number in range(first, first + BATCH)]


def _resident() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def main() -> None:
    """Measure and print."""
    found = apart(int(sys.argv[1]) if len(sys.argv) > 1 else MILLION)
    print(found.row)
    for what, value, unit in found.lines:
        print(f"  {what:40}{value:12,.1f} {unit}")


if __name__ == "__main__":
    main()
