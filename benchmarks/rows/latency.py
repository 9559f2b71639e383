"""Latency from the making of an event to its receiver at half load: an open loop, with the time in every event.

Half load is half of what the daemon reached from Kafka to webhooks in the same run. The naive daemon gets the same rate.
"""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Line, Result, Run, ratios
from benchmarks.rounds import rounds
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.process import Process

WARM_UP_SECONDS = 2.0
KAFKA = "latency from Kafka"
NAIVE = "latency of naive"
HTTP = "latency from HTTP singles"
CONNECTIONS = 64
SETTLE_SECONDS = 0.5


def run(bench: Bench) -> Result:
    """Run rounds of three."""
    result = Result()
    rate = bench.half_load()
    rounds(bench, result, [partial(subject, bench, rate) for subject in (_kafka, _naive, _http)])
    result.lines = [
        Line(KAFKA, "p50", result.more(KAFKA, "p50"), "ms", 2.0, "most"),
        Line(KAFKA, "p99", result.more(KAFKA, "p99"), "ms", 20.0, "most"),
        Line(
            KAFKA, "p99 of naive", ratios(result.more(KAFKA, "p99"), result.more(NAIVE, "p99")), limit=1.5, sense="most"
        ),
        Line(NAIVE, "p50", result.more(NAIVE, "p50"), "ms"),
        Line(NAIVE, "p99", result.more(NAIVE, "p99"), "ms"),
        Line(HTTP, "p50", result.more(HTTP, "p50"), "ms", 2.0, "most"),
        Line(HTTP, "p99", result.more(HTTP, "p99"), "ms", 20.0, "most"),
        Line("the open loop itself", "late, p99", result.more(KAFKA, "late_p99_ms"), "ms"),
    ]
    return result


def paced(bench: Bench, subject: str, process: Process, topic: str, rate: float) -> Run:
    """Send at a rate to a topic that a process reads; return the quantiles of the way to the receiver."""
    with bench.tool("produce", **_pace(bench, rate), bootstrap=bench.broker.bootstrap, topic=topic) as producer:
        meter = bench.meter(process, loader=producer)
        stats, cpu = bench.wait_posts(process, int(rate * _seconds(bench)), meter)
        said = json.loads(producer.line())
    return _finished(bench, subject, stats, cpu, said)


def _kafka(bench: Bench, rate: float) -> Run:
    bench.sink.tell("reset webhook")
    topic = bench.new_topic()
    with bench.daemon(Rules(), topic) as daemon:
        time.sleep(SETTLE_SECONDS)
        made = paced(bench, KAFKA, daemon.process, topic, rate)
        daemon.stop()
    shutil.rmtree(daemon.folder)
    return made


def _naive(bench: Bench, rate: float) -> Run:
    bench.sink.tell("reset none")
    topic = bench.new_topic()
    with bench.naive_process(topic, 0) as process:
        time.sleep(SETTLE_SECONDS)
        return paced(bench, NAIVE, process, topic, rate)


def _http(bench: Bench, rate: float) -> Run:
    """Single events over HTTP cost more of the daemon's core: a third less of them is half load."""
    rate = rate * 2 / 3
    bench.sink.tell("reset webhook")
    with bench.daemon(Rules()) as daemon:
        with bench.loader(daemon.port, connections=CONNECTIONS, **_pace(bench, rate)) as loader:
            meter = bench.meter(daemon.process, loader=loader)
            loader.tell("go")
            stats, cpu = bench.wait_posts(daemon.process, int(rate * _seconds(bench)), meter)
            said = json.loads(loader.line())
        daemon.stop()
    shutil.rmtree(daemon.folder)
    return _finished(bench, HTTP, stats, cpu, said)


def _seconds(bench: Bench) -> float:
    return WARM_UP_SECONDS + bench.size.paced_seconds


def _pace(bench: Bench, rate: float) -> dict[str, Any]:
    seconds = {"seconds": _seconds(bench), "warm_up": WARM_UP_SECONDS}
    return {"rate": rate, "seed": bench.seed(), "projects": 16, **seconds}


def _finished(bench: Bench, subject: str, stats: dict[str, Any], cpu: dict[str, float], said: dict[str, Any]) -> Run:
    if stats["timed"] != said["timed"]:
        raise RuntimeError(f"{subject}: {said['timed']} events were timed, {stats['timed']} came")
    quantiles = bench.sink.tell("quantiles")
    rate = (stats["posts"] - 1) / (stats["last_ns"] - stats["first_ns"]) * 1e9
    return Run(subject, rate, cpu, {**quantiles, "late_p99_ms": said["late_p99_ms"]})
