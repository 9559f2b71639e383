"""Changes of the rules under load: what creating a thousand channels does to the deliveries that go out meanwhile.

On two cores the operator's client takes time from the broker and the receiver, which by itself makes deliveries later. So
they are held to those before during which the same client asked as often for nothing that matters; those without any client
stand beside them.
"""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Line, Result, Run, ratios
from benchmarks.rows.latency import SETTLE_SECONDS, paced
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.daemon import Daemon

CHANGES = 1_000
CONNECTIONS = 4
ALONE = "deliveries without a client"
BEFORE = f"deliveries during {CHANGES:,} health checks"
DURING = f"deliveries during {CHANGES:,} changes"
WRITES = "the changes themselves"


def run(bench: Bench) -> Result:
    """Send at half load to one daemon three times, the last time while channels are created; as often as there are pairs."""
    result = Result()
    rate = bench.half_load()
    for _ in range(bench.size.pairs):
        for made in _round(bench, rate):
            bench.note(made)
            result.runs.append(made)
    result.lines = [
        Line(DURING, "p99", ratios(result.more(DURING, "p99"), result.more(BEFORE, "p99")), limit=1.5, sense="most"),
        Line(DURING, "p99 without a client", ratios(result.more(DURING, "p99"), result.more(ALONE, "p99"))),
        Line(ALONE, "p99", result.more(ALONE, "p99"), "ms"),
        Line(BEFORE, "p99", result.more(BEFORE, "p99"), "ms"),
        Line(DURING, "p99", result.more(DURING, "p99"), "ms"),
        Line(WRITES, "p50", result.more(WRITES, "p50"), "ms"),
        Line(WRITES, "p99", result.more(WRITES, "p99"), "ms"),
    ]
    return result


def _round(bench: Bench, rate: float) -> list[Run]:
    topic = bench.new_topic()
    with bench.daemon(Rules(), topic) as daemon:
        time.sleep(SETTLE_SECONDS)
        bench.sink.tell("reset webhook")
        alone = paced(bench, ALONE, daemon.process, topic, rate)
        before, _ = _busied(bench, BEFORE, daemon, topic, rate, asks=True)
        during, said = _busied(bench, DURING, daemon, topic, rate, asks=False)
        daemon.stop()
    shutil.rmtree(daemon.folder)
    return [alone, before, during, Run(WRITES, CHANGES / said["seconds"], {}, said)]


def _busied(
    bench: Bench, subject: str, daemon: Daemon, topic: str, rate: float, *, asks: bool
) -> tuple[Run, dict[str, Any]]:
    """Send while a client asks or changes; return the deliveries, and what the client says."""
    bench.sink.tell("reset webhook")
    given = {"connections": CONNECTIONS, "count": CHANGES, "seconds": bench.size.paced_seconds, "asks": asks}
    with bench.tool("change", host="127.0.0.1", port=daemon.port, **given) as operator:
        operator.line()
        operator.tell("go")
        made = paced(bench, subject, daemon.process, topic, rate)
        said: dict[str, Any] = json.loads(operator.line())
    if said["answered"] != CHANGES:
        raise RuntimeError(f"{said['answered']} of {CHANGES} requests were answered")
    return made, said
