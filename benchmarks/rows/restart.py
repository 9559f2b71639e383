"""Restart: SIGKILL under load from Kafka, and a new start at once, while events keep coming at half load.

Ids are those that the producer gave, so an event that was stored twice counts as a duplicate as much as a delivery that
was attempted twice. In flight is what the receiver had got when the daemon was dead and the store did not know delivered.
"""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Line, Result, Run
from benchmarks.workload import DESTINATIONS, Rules

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.daemon import Daemon
    from benchmarks.process import Process

KILLED = "SIGKILL and restart with Kafka"
LOAD_SECONDS = 6.0
KILL_AFTER_SECONDS = 2.5
LEAST_RATE = 500.0
SETTLE_SECONDS = 60.0
DRY_SECONDS = 0.1
"""Until the receiver has read what a dead daemon left in the pipes."""


def run(bench: Bench) -> Result:
    """Kill as many times as there are pairs."""
    result = Result()
    rate = max(LEAST_RATE, bench.half_load())
    for _ in range(bench.size.pairs):
        made = _run(bench, rate)
        bench.note(made)
        bench.say(", ".join(f"{name} {value:,.1f}" for name, value in made.more.items()))
        result.runs.append(made)
    excess = [a - b for a, b in zip(result.more(KILLED, "duplicates"), result.more(KILLED, "in_flight"), strict=True)]
    result.lines = [
        Line(KILLED, "first delivery after the start", result.more(KILLED, "first_ms"), "ms", 3000.0, "most"),
        Line(KILLED, "duplicates beyond in flight", excess, "", 0.0, "most"),
        Line(KILLED, "duplicates", result.more(KILLED, "duplicates"), ""),
        Line(KILLED, "received, not yet recorded", result.more(KILLED, "in_flight"), ""),
        Line(KILLED, "lost", result.more(KILLED, "lost"), "", 0.0, "most"),
    ]
    return result


def _run(bench: Bench, rate: float) -> Run:
    bench.sink.tell("reset event")
    topic = bench.new_topic()
    pace = {"rate": rate, "seconds": LOAD_SECONDS, "warm_up": LOAD_SECONDS, "projects": DESTINATIONS}
    with bench.daemon(Rules(), topic) as daemon:
        time.sleep(1.0)
        options = {"bootstrap": bench.broker.bootstrap, "topic": topic, "seed": bench.seed(), **pace}
        with bench.tool("produce", **options) as producer:
            more = _kill_and_start(bench, daemon, producer)
            after = _settled(bench, daemon, json.loads(producer.line())["sent"])
        daemon.stop()
    left, stored = daemon.ask("SELECT sum(state < 2), count(*) FROM delivery")
    sent = int(rate * LOAD_SECONDS)
    if left or stored != sent:
        raise RuntimeError(f"{sent} events were sent, {stored} are stored, {left} of them are left over")
    shutil.rmtree(daemon.folder)
    more |= {"duplicates": after["posts"] - after["unique"], "lost": sent - after["unique"]}
    return Run(KILLED, (after["posts"] - 1) / (after["last_ns"] - after["first_ns"]) * 1e9, {}, more)


def _kill_and_start(bench: Bench, daemon: Daemon, producer: Process) -> dict[str, float]:
    """Pull the plug in the middle of the load; return when the first post of the new daemon came."""
    while not bench.sink.tell()["posts"]:
        time.sleep(0.01)
    time.sleep(KILL_AFTER_SECONDS)
    daemon.kill()
    time.sleep(DRY_SECONDS)
    (delivered,) = daemon.ask("SELECT count(*) FROM delivery WHERE state = 2")
    in_flight = bench.sink.tell("mark")["unique"] - delivered
    daemon.launch()
    daemon.wait_ready()
    deadline = time.monotonic() + SETTLE_SECONDS
    while not (first := bench.sink.tell()["after_mark_ns"]):
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing was delivered after the restart:\n{daemon.process.tail()}")
        time.sleep(0.02)
    return {"first_ms": (first - daemon.started_ns) / 1e6, "in_flight": in_flight}


def _settled(bench: Bench, daemon: Daemon, sent: int) -> dict[str, Any]:
    """Wait until every event was received and nothing is left in the store."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        stats = bench.sink.tell()
        if stats["unique"] >= sent and daemon.ask("SELECT NOT EXISTS(SELECT 1 FROM delivery WHERE state < 2)")[0]:
            break
        time.sleep(0.1)
    return bench.sink.tell()
