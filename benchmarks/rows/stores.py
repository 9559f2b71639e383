"""What a great store costs: a backlog of a million deliveries at the start, and five million rows of history.

The empty store and the great ones take the same events from Kafka in every round. With a backlog the deliveries that
are timed are those of the backlog while new events come in behind them, as fast as the daemon takes them.
A great store is made once and used by all rounds, each with a topic of its own.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

from alertd.model.ids import SEQUENCE_BITS
from benchmarks.bench import rate_of
from benchmarks.daemon import SENT, ask
from benchmarks.figures import Line, Result, Run, ratios
from benchmarks.rounds import rounds
from benchmarks.rows.latency import paced
from benchmarks.seed import DAY_MS, seed
from benchmarks.workload import Rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.daemon import Daemon

EMPTY = "empty store"
BACKLOG = "great backlog at start"
DRAINED = "great backlog, nothing new"
HISTORY = "long history"
RETAINING = "long history, retention running"
AGE_DAYS = 40.0
RETENTION_DAYS = 30
SETTLE_SECONDS = 0.5
LONGER = 3
"""So many times the usual number of events, since on a great store delivery begins before Kafka is connected."""


def backlog(bench: Bench) -> Result:
    """Start on a million pending deliveries, or more: so many that there are as many in the last round too."""
    result = Result()
    spent = bench.size.pairs * (LONGER + 1) * bench.size.events
    store = _seeded(bench, bench.size.pending + spent, pending=True)
    idle_mb = _idle_mb(bench)
    rounds(
        bench,
        result,
        [lambda: _empty_run(bench), lambda: _backlog_run(bench, store), lambda: _drained_run(bench, store)],
    )
    title = f"{bench.size.pending:,} pending"
    grown = [high - idle_mb for high in result.more(BACKLOG, "rss_mb")]
    beyond = [a - b for a, b in zip(result.more(BACKLOG, "rss_mb"), result.more(EMPTY, "rss_mb"), strict=True)]
    result.lines = [
        Line(title, "first delivery after the start", result.more(BACKLOG, "first_ms"), "ms", 1000.0, "most"),
        Line(title, "of the rate on an empty store", result.ratio(BACKLOG, EMPTY), limit=0.9),
        Line(title, "events taken in meanwhile, of those delivered", result.more(BACKLOG, "taken")),
        Line(title, "of that rate while nothing new comes in", result.ratio(DRAINED, EMPTY)),
        Line(title, "peak memory beyond idle", grown, "MB", 100.0, "most"),
        Line(title, "peak memory beyond an empty store", beyond, "MB"),
    ]
    shutil.rmtree(store.parent)
    return result


def history(bench: Bench) -> Result:
    """Work beside a long history, kept and being deleted: first the rates, then the latencies at half load."""
    result = Result()
    store = _seeded(bench, bench.size.history, pending=False)
    subjects: list[Callable[[], Run]] = [
        lambda: _empty_run(bench),
        lambda: _history_run(bench, HISTORY, store, None),
        lambda: _history_run(bench, RETAINING, store, RETENTION_DAYS),
    ]
    rate = bench.half_load()
    paces: list[Callable[[], Run]] = [
        lambda: _paced_run(bench, f"{HISTORY}, paced", store, None, rate),
        lambda: _paced_run(bench, f"{RETAINING}, paced", store, RETENTION_DAYS, rate),
    ]
    rounds(bench, result, subjects)
    rounds(bench, result, paces)
    title = f"{bench.size.history:,} events of history"
    slow = ratios(result.more(f"{RETAINING}, paced", "p99"), result.more(f"{HISTORY}, paced", "p99"))
    result.lines = [
        Line(title, "of the rate on an empty store", result.ratio(HISTORY, EMPTY), limit=0.9),
        Line(title, "retention running: of that rate", result.ratio(RETAINING, EMPTY), limit=0.8),
        Line(title, "retention running: p99", slow, limit=2.0, sense="most"),
        Line(title, "events deleted a second meanwhile", result.more(RETAINING, "deleted_per_second"), "/s"),
        Line(title, "file size", [store.stat().st_size / 1e6], "MB"),
    ]
    shutil.rmtree(store.parent)
    return result


def _seeded(bench: Bench, count: int, *, pending: bool) -> Path:
    """Let a daemon make and name a store, then fill it."""
    begun = time.monotonic()
    with bench.daemon(Rules()) as daemon:
        daemon.stop()
    seed(daemon.store, count, days_ago=0.01 if pending else AGE_DAYS, pending=pending)
    bench.say(f"seeded {count:,} in {time.monotonic() - begun:.0f} s")
    return daemon.store


def _idle_mb(bench: Bench) -> float:
    """Measure what a daemon with an empty store and nothing to do takes."""
    with bench.daemon(Rules()) as daemon:
        time.sleep(SETTLE_SECONDS)
        return daemon.process.memory()


def _empty_run(bench: Bench) -> Run:
    count = bench.size.events * LONGER
    return bench.ours(EMPTY, Rules(), bench.filled_topic(count), count)


def _backlog_run(bench: Bench, store: Path) -> Run:
    """Deliver of the backlog while as many new events may come in."""
    count = bench.size.events * LONGER
    made, daemon = _great_run(bench, BACKLOG, store, count, bench.filled_topic(count, variant=bench.seed()))
    (left,) = daemon.ask("SELECT count(*) FROM delivery WHERE state < 2")
    if left < bench.size.pending:
        raise RuntimeError(f"the backlog is down to {left}: it must last for all rounds")
    return made


def _drained_run(bench: Bench, store: Path) -> Run:
    """Deliver of the backlog while nothing comes in."""
    return _great_run(bench, DRAINED, store, bench.size.events, None)[0]


def _history_run(bench: Bench, subject: str, store: Path, retention_days: int | None) -> Run:
    before, began = _old_events(store), time.monotonic()
    count = bench.size.events * LONGER
    topic = bench.filled_topic(count, variant=bench.seed())
    made, _ = _great_run(bench, subject, store, count, topic, retention_days=retention_days)
    gone = before - _old_events(store)
    _check_retention(bench, gone, retention_days)
    made.more["deleted_per_second"] = gone / (time.monotonic() - began)
    return made


def _paced_run(bench: Bench, subject: str, store: Path, retention_days: int | None, rate: float) -> Run:
    bench.sink.tell("reset webhook")
    before, topic = _old_events(store), bench.new_topic()
    with bench.daemon(Rules(), topic, store_file=store, retention_days=retention_days) as daemon:
        time.sleep(SETTLE_SECONDS)
        made = paced(bench, subject, daemon.process, topic, rate)
        daemon.stop()
    shutil.rmtree(daemon.folder)
    _check_retention(bench, before - _old_events(store), retention_days)
    return made


def _great_run(
    bench: Bench, subject: str, store: Path, count: int, topic: str | None, **settings: int | None
) -> tuple[Run, Daemon]:
    """Deliver so many events; the store must have recorded what the receiver counted."""
    bench.sink.tell("reset webhook")
    begun_ms = time.time_ns() // 1_000_000
    with bench.daemon(Rules(), topic, store_file=store, **settings) as daemon:
        early = bench.sink.tell()  # a start delivers before it is ready: then a part of it is still to come
        stats, cpu = bench.wait_posts(daemon.process, count, bench.meter(daemon.process))
        made = Run(subject, _rate_since(early, stats), cpu, {"rss_mb": daemon.process.memory("VmHWM")})
        made.more["first_ms"] = (stats["first_ns"] - daemon.started_ns) / 1e6
        daemon.stop()
    after = bench.sink.tell()
    (delivered,) = daemon.ask(f"SELECT count(*) FROM delivery WHERE state = 2 AND started_at >= {begun_ms}")  # noqa: S608 - a number
    (taken,) = daemon.ask(f"SELECT count(*) FROM event WHERE id >= {begun_ms << SEQUENCE_BITS} AND {SENT}")  # noqa: S608 - a number, a constant
    made.more["taken"] = taken / delivered
    if not delivered == after["posts"] == after["unique"] >= count:
        raise RuntimeError(f"{delivered} deliveries are recorded, the receiver says {after}")
    shutil.rmtree(daemon.folder)
    return made, daemon


def _rate_since(early: dict[str, Any], stats: dict[str, Any]) -> float:
    """Give posts a second, from what had come `early` to the last."""
    if early["posts"]:
        stats = {**stats, "first_ns": early["last_ns"], "posts": stats["posts"] - early["posts"] + 1}
    return rate_of(stats)


def _old_events(store: Path) -> int:
    before = (time.time_ns() // 1_000_000 - RETENTION_DAYS * DAY_MS) << SEQUENCE_BITS
    found: int = ask(store, f"SELECT count(*) FROM event WHERE id < {before}")[0]  # noqa: S608 - a number
    return found


def _check_retention(bench: Bench, gone: int, retention_days: int | None) -> None:
    """Deleting must have gone on during the whole run, or not at all."""
    if bool(gone) != bool(retention_days):
        raise RuntimeError(f"retention deleted {gone} events with retention_days={retention_days}")
