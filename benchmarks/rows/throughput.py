"""Rates: Kafka and HTTP arrays to webhooks, against the naive daemon and the bare POST loop; and to `null`.

All subjects run once in every round, one after the other, and every second round goes backwards, so that each ratio is
made of neighbours.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from benchmarks.bench import KAFKA_TO_WEBHOOK, check_counts, rate_of
from benchmarks.figures import Line, Result, Run
from benchmarks.rounds import rounds
from benchmarks.workload import Rules, egress

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from benchmarks.bench import Bench

ARRAY_EVENTS = 100
ARRAY_CONNECTIONS = 4
VOID_BELOW = 0.8
"""What the naive daemon must reach of the bare POST loop, else comparing with it says nothing."""

BARE = "bare POST"
GETMANY = "bare getmany"
NAIVE = "naive"
NAIVE_THOUSAND = "naive, 1,000 channels"
NAIVE_MANY = "naive, 10,000 channels"
KAFKA = KAFKA_TO_WEBHOOK
NO_IDS = "Kafka -> webhook, no ids"
THOUSAND = "Kafka -> webhook, 1,000 channels"
MANY = "Kafka -> webhook, 10,000 channels"
SLOW = "Kafka -> webhook, aiohttp sender"
NULL = "Kafka -> null"
ARRAYS = "HTTP arrays -> webhook"


PARTS: dict[str, list[str]] = {
    "kafka_to_webhook": [BARE, KAFKA, SLOW, NAIVE, NO_IDS],
    "channels": [BARE, KAFKA, NAIVE, NAIVE_THOUSAND, THOUSAND, NAIVE_MANY, MANY],
    "kafka_to_null": [KAFKA, SLOW, NULL, GETMANY],
    "http_arrays": [KAFKA, ARRAYS],
}
"""What runs in every round for each name on the command line."""


def run(bench: Bench, names: Collection[str] = tuple(PARTS)) -> Result:
    """Run all rounds of these parts and compare."""
    result = Result()
    wanted = {subject for name in names for subject in PARTS[name]}
    subjects = [call for subject, call in _subjects(bench).items() if subject in wanted]
    rounds(bench, result, subjects)
    result.lines = [line for part, make in _LINES.items() if part in names for line in make(result)]
    return result


def _subjects(bench: Bench) -> dict[str, Callable[[], Run]]:
    size, topic = bench.size, bench.filled_topic
    count, many = size.events, size.null_events
    return {
        BARE: lambda: bench.bare_post(count),
        KAFKA: lambda: bench.ours(KAFKA, Rules(), topic(count), count),
        SLOW: lambda: bench.ours(SLOW, Rules(), topic(count), count, egress=egress("aiohttp")),
        NAIVE: lambda: bench.naive(NAIVE, topic(count), count),
        NO_IDS: lambda: bench.ours(NO_IDS, Rules(), topic(count, ids=False), count),
        ARRAYS: lambda: arrays(bench, count),
        NAIVE_THOUSAND: lambda: bench.naive(NAIVE_THOUSAND, topic(count), count // 3, 1_000),
        THOUSAND: lambda: bench.ours(THOUSAND, Rules(1_000), topic(count), count),
        NAIVE_MANY: lambda: bench.naive(NAIVE_MANY, topic(count), size.slow_events, 10_000),
        MANY: lambda: bench.ours(MANY, Rules(10_000), topic(count), count),
        NULL: lambda: bench.ours_to_null(NULL, Rules(type="null"), topic(many), many),
        GETMANY: lambda: bench.bare_getmany(topic(many), many),
    }


def arrays(bench: Bench, count: int) -> Run:
    """Post arrays of 100 events over a few connections; the clock is the receiver's."""
    bench.sink.tell("reset webhook")
    with bench.daemon(Rules()) as daemon:
        options = {"connections": ARRAY_CONNECTIONS, "batch": ARRAY_EVENTS, "count": count, "seed": bench.seed()}
        with bench.loader(daemon.port, **options) as loader:
            meter = bench.meter(daemon.process, loader=loader)
            loader.tell("go")
            stats, cpu = bench.wait_posts(daemon.process, count, meter)
            refused = json.loads(loader.line())["refused"]
        daemon.stop()
    check_counts(daemon, bench.sink.tell(), count)
    shutil.rmtree(daemon.folder)
    return Run(ARRAYS, rate_of(stats), cpu, {"refused": refused})


def _webhook_lines(result: Result) -> list[Line]:
    naive = _naive_line(result)
    return [
        naive,
        Line(KAFKA, "of naive", result.ratio(KAFKA, NAIVE), limit=1.0, void=_void(naive)),
        Line(KAFKA, "of the bare POST loop", result.ratio(KAFKA, BARE), limit=0.75),
        Line(SLOW, "of naive", result.ratio(SLOW, NAIVE), limit=1.0, void=_void(naive)),
        Line(SLOW, "of the bare POST loop", result.ratio(SLOW, BARE), limit=0.75),
        Line(KAFKA, "of the bare POST loop, by CPU", result.ratio_by_cpu(KAFKA, BARE)),
        Line(KAFKA, "of naive, by CPU", result.ratio_by_cpu(KAFKA, NAIVE)),
        Line(NO_IDS, "of the rate with ids", result.ratio(NO_IDS, KAFKA)),
    ]


def _channel_lines(result: Result) -> list[Line]:
    void = _void(_naive_line(result))
    return [
        Line(THOUSAND, "of naive", result.ratio(THOUSAND, NAIVE_THOUSAND), limit=1.5, void=void),
        Line(THOUSAND, "of 1 pattern", result.ratio(THOUSAND, KAFKA), limit=0.95),
        Line(MANY, "of naive", result.ratio(MANY, NAIVE_MANY), limit=6.0, void=void),
        Line(MANY, "of 1 pattern", result.ratio(MANY, KAFKA), limit=0.95),
    ]


def _null_lines(result: Result) -> list[Line]:
    return [
        Line(NULL, "of the rate with the aiohttp sender", result.ratio(NULL, SLOW), limit=4.0),
        Line(NULL, "of that rate, by CPU", result.ratio_by_cpu(NULL, SLOW)),
        Line(NULL, "of the rate with the fast sender", result.ratio(NULL, KAFKA)),
        Line(NULL, "of the bare getmany loop", result.ratio(NULL, GETMANY)),
    ]


def _array_lines(result: Result) -> list[Line]:
    return [Line(ARRAYS, "of the Kafka rate", result.ratio(ARRAYS, KAFKA), limit=0.9)]


def _naive_line(result: Result) -> Line:
    return Line("naive (baseline)", "of the bare POST loop", result.ratio(NAIVE, BARE), limit=VOID_BELOW)


def _void(naive: Line) -> str:
    return f"naive is slower than {VOID_BELOW} of the bare POST loop" if naive.verdict == "FAIL" else ""


_LINES: dict[str, Callable[[Result], list[Line]]] = {
    "kafka_to_webhook": _webhook_lines,
    "channels": _channel_lines,
    "kafka_to_null": _null_lines,
    "http_arrays": _array_lines,
}
