"""Single events over HTTP on 64 connections, committed and delivered to `null`, against a handler that only reads."""

from __future__ import annotations

import json
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.bench import check_counts, wait_final
from benchmarks.figures import Line, Result, Run
from benchmarks.process import module
from benchmarks.rounds import rounds
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.process import Process

CONNECTIONS = 64
OURS = "HTTP singles -> null"
BARE = "bare handler"


def run(bench: Bench) -> Result:
    """Run pairs, every second one backwards."""
    result = Result()
    rounds(bench, result, [partial(subject, bench, bench.size.single_events) for subject in (_ours, _bare)])
    result.lines = [
        Line(OURS, "of the bare handler", result.ratio(OURS, BARE), limit=0.6),
        Line(OURS, "of the bare handler, by CPU", result.ratio_by_cpu(OURS, BARE)),
    ]
    return result


def _ours(bench: Bench, count: int) -> Run:
    with bench.daemon(Rules(type="null")) as daemon:
        said, cpu = loaded(bench, daemon.process, daemon.port, count, batch=1)
        wait_final(daemon, count)
        daemon.stop()
    (last_ms,) = daemon.ask("SELECT max(started_at + duration / 1000.0) FROM delivery")
    check_counts(daemon, None, count)
    shutil.rmtree(daemon.folder)
    ended_ns = max(said["last_ns"], int(last_ms * 1e6) - bench.wall_offset_ns())
    return Run(OURS, count / (ended_ns - said["first_ns"]) * 1e9, cpu, {"refused": said["refused"]})


def _bare(bench: Bench, count: int) -> Run:
    with module("bare_handler", bench.cores.subject, bench.fresh()) as process:
        said, cpu = loaded(bench, process, int(process.line()), count, batch=1)
    return Run(BARE, count / (said["last_ns"] - said["first_ns"]) * 1e9, cpu)


def loaded(
    bench: Bench, subject: Process, port: int, count: int, **options: Any
) -> tuple[dict[str, Any], dict[str, float]]:
    """Send so many over all connections, and meter who takes them; return what the loader says, and the meter."""
    given = {"connections": CONNECTIONS, "count": count, "seed": bench.seed(), **options}
    with bench.loader(port, **given) as loader:
        meter = bench.meter(subject, loader=loader)
        meter.begin(0)
        loader.tell("go")
        said: dict[str, Any] = json.loads(loader.line())
        return said, meter.end(count)
