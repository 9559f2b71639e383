"""Isolation: 100 destinations, and the same with 5 of them that accept connections and never answer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks.bench import rate_of
from benchmarks.figures import Line, Result, Run
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench

DESTINATIONS = 100
DEAD = 5
TIMEOUT_SECONDS = 1.0
"""Short, so that several rounds of time-outs, retries and the breaker fall into a run."""
HEALTHY = "100 destinations, all healthy"
ISOLATED = "100 destinations, 5 dead"


def run(bench: Bench) -> Result:
    """Run pairs, every second one backwards."""
    result = Result()
    for number in range(bench.size.pairs):
        pair = [(HEALTHY, 0), (ISOLATED, DEAD)]
        for subject, dead in pair if number % 2 == 0 else reversed(pair):
            made = _run(bench, subject, dead)
            bench.note(made)
            result.runs.append(made)
    result.lines = [Line(ISOLATED, "of the rate without dead ones", result.ratio(ISOLATED, HEALTHY), limit=0.95)]
    return result


def _run(bench: Bench, subject: str, dead: int) -> Run:
    """Deliver all events for the healthy destinations; the rate is theirs alone."""
    count = bench.size.events
    healthy = sum(1 for position in range(count) if position % DESTINATIONS >= dead)
    topic = bench.filled_topic(count, projects=DESTINATIONS)
    bench.sink.tell("reset webhook")
    delivery = {"timeout_seconds": TIMEOUT_SECONDS}
    rules = Rules(destinations=DESTINATIONS, dead=dead)
    with bench.daemon(rules, topic, delivery=delivery) as daemon:
        stats, cpu = bench.wait_posts(daemon.process, healthy, bench.meter(daemon.process))
        daemon.stop()
    delivered, attempts = daemon.ask("SELECT sum(state = 2), sum(attempts) FROM delivery")
    after = bench.sink.tell()
    if not delivered == after["posts"] == after["unique"] == healthy:
        raise RuntimeError(f"{healthy} should be delivered: the store says {delivered}, the receiver {after}")
    shutil.rmtree(daemon.folder)
    return Run(subject, rate_of(stats), cpu, {"attempts_that_failed": attempts - delivered})
