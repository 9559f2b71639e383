"""Changes of the rules under load: what creating a thousand channels does to the deliveries that go out meanwhile."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.figures import Line, Result, Run, ratios
from benchmarks.rows.latency import SETTLE_SECONDS, paced
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench

CHANGES = 1_000
CONNECTIONS = 4
BEFORE = "deliveries before"
DURING = f"deliveries during {CHANGES:,} changes"
WRITES = "the changes themselves"


def run(bench: Bench) -> Result:
    """Send at half load to one daemon twice, the second time while channels are created; as often as there are pairs."""
    result = Result()
    rate = bench.half_load()
    for _ in range(bench.size.pairs):
        for made in _pair(bench, rate):
            bench.note(made)
            result.runs.append(made)
    result.lines = [
        Line(DURING, "p99", ratios(result.more(DURING, "p99"), result.more(BEFORE, "p99")), limit=1.5, sense="most"),
        Line(BEFORE, "p99", result.more(BEFORE, "p99"), "ms"),
        Line(DURING, "p99", result.more(DURING, "p99"), "ms"),
        Line(WRITES, "p50", result.more(WRITES, "p50"), "ms"),
        Line(WRITES, "p99", result.more(WRITES, "p99"), "ms"),
    ]
    return result


def _pair(bench: Bench, rate: float) -> list[Run]:
    bench.sink.tell("reset webhook")
    topic = bench.new_topic()
    with bench.daemon(Rules(), topic) as daemon, ExitStack() as stack:
        time.sleep(SETTLE_SECONDS)
        before = paced(bench, BEFORE, daemon.process, topic, rate)
        bench.sink.tell("reset webhook")
        given = {"connections": CONNECTIONS, "count": CHANGES, "seconds": bench.size.paced_seconds}
        operator = stack.enter_context(bench.tool("change", host="127.0.0.1", port=daemon.port, **given))
        operator.line()
        operator.tell("go")
        during = paced(bench, DURING, daemon.process, topic, rate)
        said = json.loads(operator.line())
        if said["created"] != CHANGES:
            raise RuntimeError(f"{said['created']} of {CHANGES} channels were created")
        daemon.stop()
    shutil.rmtree(daemon.folder)
    return [before, during, Run(WRITES, CHANGES / said["seconds"], {}, said)]
