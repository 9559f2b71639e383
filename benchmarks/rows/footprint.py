"""Footprint: bytes on the disk for each event with its history, and the memory of a great configuration at rest."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.bench import check_counts
from benchmarks.figures import Line, Result
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

IDLE_DESTINATIONS = 1_000
IDLE_CHANNELS = 10_000
IDLE_SECONDS = 5.0
IDLE_RUNS = 3


def disk(bench: Bench) -> Result:
    """Deliver events of 500 bytes with ids of their own, and without; weigh the closed file less that of an empty one."""
    result, count = Result(), bench.size.events
    with bench.daemon(Rules()) as empty:
        empty.stop()
    for ids in (True, False):
        bench.sink.tell("reset webhook")
        with bench.daemon(Rules(), bench.filled_topic(count, ids=ids)) as daemon:
            bench.wait_posts(daemon.process, count, bench.meter(daemon.process))
            daemon.stop()
        check_counts(daemon, bench.sink.tell(), count)
        per_event = (_size(daemon.store) - _size(empty.store)) / count
        (payload,) = daemon.ask("SELECT avg(length(payload)) FROM event")
        what = "events bring a UUID" if ids else "no ids of their own"
        result.lines.append(Line("disk per event with history", what, [per_event], "bytes", 800.0, "most"))
        result.lines.append(Line("disk per event with history", "of them the event's JSON", [payload], "bytes"))
        shutil.rmtree(daemon.folder)
    return result


def idle(bench: Bench) -> Result:
    """Start with 1,000 destinations and 10,000 channels, and do nothing."""
    resident, ready = [], []
    for _ in range(min(IDLE_RUNS, bench.size.pairs)):
        with bench.daemon(Rules(channels=IDLE_CHANNELS, destinations=IDLE_DESTINATIONS)) as daemon:
            ready.append((time.monotonic_ns() - daemon.started_ns) / 1e9)
            before = daemon.process.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            used = (daemon.process.cpu_seconds() - before) / IDLE_SECONDS
            resident.append(daemon.process.memory())
            daemon.stop()
        bench.say(f"{resident[-1]:.0f} MB, ready after {ready[-1]:.1f} s, then {used:.1%} of a core")
    title = "1,000 destinations, 10,000 channels"
    return Result(
        [Line(title, "resident at rest", resident, "MB", 200.0, "most"), Line(title, "ready after", ready, "s")],
        [],
    )


def _size(store: Path) -> int:
    """Weigh a store after a checkpoint, with whatever stands beside it."""
    with closing(sqlite3.connect(store)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return sum(file.stat().st_size for file in store.parent.glob(f"{store.name}*"))
