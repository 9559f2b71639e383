"""Isolation: 100 destinations, and the same with 5 of them broken, all alike or each in its own way.

Alike: they accept connections and never answer. Each in its own way: nobody listens (refused), nobody accepts (a black
hole), answers come late (slow), every answer is 500, and the certificate is one that nobody trusts. The rate is that of
the healthy ones; their latency is measured at half of it.
"""

from __future__ import annotations

import json
import shutil
import socket
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.bench import rate_of
from benchmarks.figures import Line, Result, Run, ratios
from benchmarks.rounds import rounds
from benchmarks.rows.latency import SETTLE_SECONDS, WARM_UP_SECONDS
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench

DESTINATIONS = 100
DEAD = 5
TIMEOUT_SECONDS = 1.0
"""Short, so that several rounds of time-outs, retries and the breaker fall into a run."""
HEALTHY = "100 destinations, all healthy"
ISOLATED = "100 destinations, 5 dead"
MIXED = "100 destinations, 5 broken in five ways"
HEALTHY_LATENCY = "latency, all healthy"
ISOLATED_LATENCY = "latency, 5 dead"
MIXED_LATENCY = "latency, 5 broken in five ways"


def run(bench: Bench) -> Result:
    """Run rounds for the rate, then rounds for the latency at half of it; every second one backwards."""
    result = Result()
    with _closed_port() as port:
        rules = {
            HEALTHY: Rules(destinations=DESTINATIONS),
            ISOLATED: Rules(destinations=DESTINATIONS, dead=DEAD),
            MIXED: Rules(destinations=DESTINATIONS, broken=_broken(bench, port)),
        }
        rounds(bench, result, [partial(_run, bench, subject, rules[subject]) for subject in rules])
        rate = statistics.median(result.rates(HEALTHY)) / 2
        names = dict(zip((HEALTHY_LATENCY, ISOLATED_LATENCY, MIXED_LATENCY), rules.values(), strict=True))
        rounds(bench, result, [partial(_latency, bench, name, each, rate) for name, each in names.items()])
    result.lines = [*_rate_lines(result), *_latency_lines(result)]
    return result


def _closed_port() -> socket.socket:
    """Hold a port on which nobody listens."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held


def _broken(bench: Bench, held: socket.socket) -> tuple[str, ...]:
    """Give one address for each way to be broken."""
    sink = bench.sink
    refused = f"127.0.0.1:{held.getsockname()[1]}"
    return (*(f"http://{place}" for place in (refused, sink.deaf, sink.slow, sink.failing)), f"https://{sink.secure}")


def _healthy(rules: Rules, count: int) -> int:
    """Count the events for destinations that take them."""
    broken = max(rules.dead, len(rules.broken))
    return sum(1 for position in range(count) if position % DESTINATIONS >= broken)


def _run(bench: Bench, subject: str, rules: Rules) -> Run:
    """Deliver all events for the healthy destinations; the rate is theirs alone."""
    healthy = _healthy(rules, bench.size.events)
    topic = bench.filled_topic(bench.size.events, projects=DESTINATIONS)
    bench.sink.tell("reset webhook")
    with bench.daemon(rules, topic, delivery={"timeout_seconds": TIMEOUT_SECONDS}) as daemon:
        stats, cpu = bench.wait_posts(daemon.process, healthy, bench.meter(daemon.process))
        daemon.stop()
    delivered, attempts = daemon.ask("SELECT sum(state = 2), sum(attempts) FROM delivery")
    after = bench.sink.tell()
    slow = delivered - healthy  # what the slow one took after all
    if not healthy == after["posts"] == after["unique"] or not 0 <= slow <= len(rules.broken) * bench.size.events:
        raise RuntimeError(f"{healthy} should be delivered: the store says {delivered}, the receiver {after}")
    shutil.rmtree(daemon.folder)
    return Run(subject, rate_of(stats), cpu, {"attempts_that_failed": attempts - delivered})


def _latency(bench: Bench, subject: str, rules: Rules, rate: float) -> Run:
    """Send at a rate, and see how long what the healthy ones get is on its way."""
    bench.sink.tell("reset webhook")
    topic, seconds = bench.new_topic(), WARM_UP_SECONDS + bench.size.paced_seconds
    pace = {
        "rate": rate,
        "seed": bench.seed(),
        "projects": DESTINATIONS,
        "seconds": seconds,
        "warm_up": WARM_UP_SECONDS,
    }
    with bench.daemon(rules, topic, delivery={"timeout_seconds": TIMEOUT_SECONDS}) as daemon:
        time.sleep(SETTLE_SECONDS)
        with bench.tool("produce", **pace, bootstrap=bench.broker.bootstrap, topic=topic) as producer:
            meter = bench.meter(daemon.process, loader=producer)
            stats, cpu = bench.wait_posts(daemon.process, _healthy(rules, int(rate * seconds)), meter)
            late = json.loads(producer.line())["late_p99_ms"]
        daemon.stop()
    quantiles = bench.sink.tell("quantiles")
    shutil.rmtree(daemon.folder)
    return Run(subject, rate_of(stats), cpu, {**quantiles, "late_p99_ms": late})


def _rate_lines(result: Result) -> list[Line]:
    of_healthy = "of the rate without dead ones"
    return [
        Line(ISOLATED, of_healthy, result.ratio(ISOLATED, HEALTHY), limit=0.95),
        Line(MIXED, of_healthy, result.ratio(MIXED, HEALTHY), limit=0.95),
        *[Line(name, f"{of_healthy}, by CPU", result.ratio_by_cpu(name, HEALTHY)) for name in (ISOLATED, MIXED)],
    ]


def _latency_lines(result: Result) -> list[Line]:
    healthy = result.more(HEALTHY_LATENCY, "p99")
    compared = [
        Line(name, "p99 of that without dead ones", ratios(result.more(name, "p99"), healthy), limit=1.5, sense="most")
        for name in (ISOLATED_LATENCY, MIXED_LATENCY)
    ]
    names = (HEALTHY_LATENCY, ISOLATED_LATENCY, MIXED_LATENCY)
    return [*compared, *[Line(name, "p99", result.more(name, "p99"), "ms") for name in names]]
