"""The bench: broker, receiver, loaders and clocks that the rows share, and the runs that most of them are made of."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import itertools
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from benchmarks.certificate import make_certificate
from benchmarks.daemon import FINAL, SENT, Daemon
from benchmarks.figures import Run
from benchmarks.process import ROOT, Cores, Process, cpu_seconds, module
from benchmarks.workload import DESTINATIONS, Rules, configuration, expressions

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK_SECONDS = 0.02
STALL_SECONDS = 60.0
JAVA_OPTIONS = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto")
"""The tests' broker is tuned to start fast, this one to run long."""
KAFKA_TO_WEBHOOK = "Kafka -> webhook"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: a full run, or a quick one."""

    pairs: int
    events: int
    null_events: int
    slow_events: int
    single_events: int
    paced_seconds: float
    warm_seconds: float
    pending: int
    history: int
    pages: int

    @classmethod
    def full(cls) -> Size:
        """About 25 minutes."""
        return cls(5, 40_000, 150_000, 5_000, 30_000, 6.0, 30.0, 1_000_000, 5_000_000, 10_000_000)

    @classmethod
    def quick(cls) -> Size:
        """About 3 minutes; too short to be trusted."""
        return cls(2, 10_000, 30_000, 1_500, 6_000, 2.5, 5.0, 100_000, 200_000, 200_000)


class Sink:
    """The receiver, seen from here."""

    def __init__(self, process: Process) -> None:
        posts, control, tarpit, secure, slow, failing, deaf = map(int, process.line().split())
        self.process = process
        self.address = f"127.0.0.1:{posts}"
        self.tarpit = f"127.0.0.1:{tarpit}"
        self.secure = f"127.0.0.1:{secure}"
        self.slow = f"127.0.0.1:{slow}"
        self.failing = f"127.0.0.1:{failing}"
        self.deaf = f"127.0.0.1:{deaf}"
        self._file = socket.create_connection(("127.0.0.1", control)).makefile("rw")

    def tell(self, command: str = "stats") -> dict[str, Any]:
        """Give a command and return the answer."""
        self._file.write(command + "\n")
        self._file.flush()
        found: dict[str, Any] = json.loads(self._file.readline())
        return found


class Meter:
    """CPU of several processes between the first event and the last, per event."""

    def __init__(self, processes: dict[str, int]) -> None:
        self._processes = processes
        self._before: dict[str, float] = {}
        self._count = 0

    def begin(self, count: int) -> None:
        """Read the clocks when `count` events are already done."""
        self._before = self._read()
        self._count = count

    def end(self, count: int) -> dict[str, float]:
        """Read them again, and divide."""
        after, done = self._read(), max(1, count - self._count)
        return {name: (after[name] - before) / done * 1e6 for name, before in self._before.items()}

    def _read(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._processes.items()}


class Bench:
    """Everything that is shared. Use as a context; all processes end with it."""

    def __init__(self, size: Size, scratch: Path | None = None) -> None:
        self.size = size
        self.cores = Cores.of_machine()
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self._topics: dict[tuple[Any, ...], str] = {}
        self._rates: list[float] = []
        self._warm = False
        self._scratch = scratch
        self.folder: Path
        self.authority: Path
        self.sink: Sink
        self.broker: Any

    def __enter__(self) -> Self:
        """Start the receiver and the broker, on the cores that are not the subject's."""
        self._wait_for_the_machine()
        os.sched_setaffinity(0, self.cores.others)
        self.folder = Path(tempfile.mkdtemp(prefix="alertd-bench-", dir=self._scratch))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority, own = make_certificate(self.folder)
        options = {"certificate": str(own)}
        self.sink = Sink(self._stack.enter_context(module("sink", self.cores.others, self.folder, options)))
        self.broker = _brokers().make_broker(self.folder / "broker")
        self.broker.java_options = JAVA_OPTIONS
        self.broker.start()
        self._stack.callback(self.broker.stop)
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stack.close()

    def _wait_for_the_machine(self) -> None:
        """Let another bench finish first: two at once measure each other."""
        file = Path(tempfile.gettempdir(), "alertd-bench.lock")
        lock = self._stack.enter_context(file.open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.say("another bench is running; waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)

    # -- parts of a run -------------------------------------------------------------------------------------------

    def fresh(self) -> Path:
        """Make an empty folder."""
        folder = self.folder / f"run{next(self._numbers)}"
        folder.mkdir()
        return folder

    def name(self, what: str) -> str:
        """Give a name that was not used yet, for a group or a topic."""
        return f"{what}-{next(self._numbers)}"

    def seed(self) -> int:
        """Give a seed that was not used yet, for other ids."""
        return next(self._numbers)

    def say(self, text: str) -> None:
        """Tell whoever waits what is going on."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def half_load(self) -> float:
        """Give half the rate that the daemon reached from Kafka to webhooks in this run, measured now if need be."""
        if not self._rates:
            count = self.size.events
            self.note(self.ours(KAFKA_TO_WEBHOOK, Rules(), self.filled_topic(count), count))
        rate = statistics.median(self._rates) / 2
        if not self._warm:
            self._warm_broker(rate)
        return rate

    def _warm_broker(self, rate: float) -> None:
        """Pace through the broker for a while: it compiles what small requests need while they come, and takes a core for it."""
        topic, seconds = self.new_topic(), self.size.warm_seconds
        pace = {"rate": rate, "seconds": seconds, "warm_up": 0.0, "seed": self.seed(), "projects": DESTINATIONS}
        where = {"bootstrap": self.broker.bootstrap, "topic": topic}
        reader = {**where, "group": self.name("warm"), "limit": int(rate * seconds)}
        with module("bare_getmany", self.cores.subject, self.fresh(), reader) as taker:
            with self.tool("produce", **where, **pace) as producer:
                producer.line()
            taker.line()
        self._warm = True

    def note(self, run: Run) -> None:
        """Tell whoever waits how a run went, and remember the rate that half load is half of."""
        if run.subject == KAFKA_TO_WEBHOOK:
            self._rates.append(run.rate)
        cpu = ", ".join(f"{name} {value:.1f}" for name, value in run.cpu_us.items())
        self.say(f"{run.subject:36} {run.rate:10,.0f}/s   CPU us: {cpu}")

    @staticmethod
    def wall_offset_ns() -> int:
        """Say by how much the wall clock is ahead of the monotonic one."""
        return time.time_ns() - time.monotonic_ns()

    @contextlib.contextmanager
    def loader(self, port: int, **options: Any) -> Iterator[Process]:
        """Run the HTTP loader and wait until it is loaded; a line starts it."""
        given = {"host": "127.0.0.1", "port": port, "projects": DESTINATIONS, **options}
        with self.tool("load", **given) as process:
            process.line()
            yield process

    def new_topic(self) -> str:
        """Make an empty topic with four partitions."""
        topic = self.name("events")
        _make_topic(self.broker.bootstrap, topic)
        return topic

    def filled_topic(self, count: int, *, ids: bool = True, projects: int = DESTINATIONS, variant: int = 0) -> str:
        """Return a topic with so many events; the same wish gets the same topic."""
        key = (count, ids, projects, variant)
        if key not in self._topics:
            topic = self.new_topic()
            options = {"topic": topic, "count": count, "ids": ids, "projects": projects, "seed": next(self._numbers)}
            with self.tool("produce", bootstrap=self.broker.bootstrap, **options) as producer:
                producer.line()
            self._topics[key] = topic
        return self._topics[key]

    @contextlib.contextmanager
    def tool(self, name: str, **options: Any) -> Iterator[Process]:
        """Run one of the loaders beside the receiver."""
        with module(name, self.cores.others, self.fresh(), options) as process:
            yield process

    def config(self, folder: Path, rules: Rules, topic: str | None = None, **more: Any) -> dict[str, Any]:
        """Write a daemon's configuration; with a topic it reads Kafka in a group of its own.

        `more`: `store_file` and `retention_days` of the store, or whole top-level sections.
        """
        kafka = None
        if topic is not None:
            kafka = {
                "bootstrap_servers": [self.broker.bootstrap],
                "group_id": self.name("group"),
                "topics": [{"name": topic}],
            }
        file = more.pop("store_file", folder / "alertd.db")
        store = {"url": f"sqlite:///{file}"}
        if "retention_days" in more:
            store["retention_days"] = more.pop("retention_days")
        return configuration(
            rules,
            sink=self.sink.secure if rules.tls else self.sink.address,
            tarpit=self.sink.tarpit,
            store=store,
            kafka=kafka,
            **more,
        )

    def daemon(self, rules: Rules, topic: str | None = None, **more: Any) -> Daemon:
        """Prepare a daemon in a folder of its own."""
        folder = self.fresh()
        return Daemon(folder, self.config(folder, rules, topic, **more), self.cores.subject)

    def meter(self, subject: Process, **others: Process) -> Meter:
        """Meter a subject and everything beside it."""
        pids = {"subject": subject.pid, "sink": self.sink.process.pid}
        if getattr(self.broker, "pid", None):
            pids["broker"] = self.broker.pid
        return Meter(pids | {name: process.pid for name, process in others.items()})

    def wait_posts(self, subject: Process, count: int, meter: Meter) -> tuple[dict[str, Any], dict[str, float]]:
        """Wait for so many posts; return what the receiver says, and the CPU per event since the first of them.

        Raises RuntimeError when nothing moves for a minute, or when the subject dies before.
        """
        begun, seen, moved = False, 0, time.monotonic()
        while True:
            stats = self.sink.tell()
            posts = stats["posts"]
            if posts and not begun:
                begun = True
                meter.begin(posts)
            if posts >= count:
                return stats, meter.end(posts)
            if posts > seen:
                seen, moved = posts, time.monotonic()
            if time.monotonic() - moved > STALL_SECONDS or (not subject.running and time.monotonic() - moved > 1):
                raise RuntimeError(f"{posts} of {count} posts came:\n{subject.tail()}")
            time.sleep(TICK_SECONDS)

    # -- whole runs -----------------------------------------------------------------------------------------------

    def ours(self, subject: str, rules: Rules, topic: str, count: int, **more: Any) -> Run:
        """Run the daemon from Kafka to the receiver until `count` posts; the store must agree with the receiver."""
        self.sink.tell("reset webhook")
        with self.daemon(rules, topic, **more) as daemon:
            stats, cpu = self.wait_posts(daemon.process, count, self.meter(daemon.process))
            run = Run(subject, rate_of(stats), cpu)
            run.more["rss_mb"] = daemon.process.memory("VmHWM")
            run.more["first_ms"] = (stats["first_ns"] - daemon.started_ns) / 1e6
            daemon.stop()
        check_counts(daemon, self.sink.tell(), count)
        shutil.rmtree(daemon.folder)
        return run

    def ours_to_null(self, subject: str, rules: Rules, topic: str, count: int) -> Run:
        """Run the daemon from Kafka to destinations that answer at once; the clock is that of its own records."""
        with self.daemon(rules, topic) as daemon:
            meter = self.meter(daemon.process)
            meter.begin(0)
            wait_final(daemon, count)
            cpu = meter.end(count)
            daemon.stop()
        low, high = daemon.ask("SELECT min(started_at), max(started_at + duration / 1000.0) FROM delivery")
        check_counts(daemon, None, count)
        shutil.rmtree(daemon.folder)
        return Run(subject, (count - 1) / (high - low) * 1e3, cpu)

    def naive(self, subject: str, topic: str, count: int, patterns: int = 1) -> Run:
        """Run the naive daemon on the subject's core."""
        self.sink.tell("reset none")
        with self.naive_process(topic, count, patterns) as process:
            stats, cpu = self.wait_posts(process, count, self.meter(process))
            process.wait()
        return Run(subject, rate_of(stats), cpu)

    @contextlib.contextmanager
    def naive_process(self, topic: str, limit: int, patterns: int = 1) -> Iterator[Process]:
        """Start the naive daemon."""
        options = {
            "bootstrap": self.broker.bootstrap,
            "topic": topic,
            "group": self.name("naive"),
            "patterns": expressions(patterns),
            "urls": {f"p{number}": self.url(number) for number in range(DESTINATIONS)},
            "limit": limit,
        }
        with module("naive", self.cores.subject, self.fresh(), options) as process:
            yield process

    def bare_post(self, count: int) -> Run:
        """Run the bare POST loop on the subject's core."""
        self.sink.tell("reset none")
        options = {"urls": [self.url(number) for number in range(DESTINATIONS)], "limit": count}
        with module("bare_post", self.cores.subject, self.fresh(), options) as process:
            stats, cpu = self.wait_posts(process, count, self.meter(process))
        return Run("bare POST", rate_of(stats), cpu)

    def bare_getmany(self, topic: str, count: int) -> Run:
        """Run the bare consumer on the subject's core."""
        options = {"bootstrap": self.broker.bootstrap, "topic": topic, "group": self.name("bare"), "limit": count}
        with module("bare_getmany", self.cores.subject, self.fresh(), options) as process:
            return Run("bare getmany", json.loads(process.line())["rate"])

    def url(self, number: int) -> str:
        """Give the receiver's URL of one destination."""
        return f"http://{self.sink.address}/d{number}"


def rate_of(stats: dict[str, Any], posts: int | None = None) -> float:
    """Give posts a second, from the first to the last by the receiver's clock."""
    seconds = (stats["last_ns"] - stats["first_ns"]) / 1e9
    return float(((posts or stats["posts"]) - 1) / seconds)


def wait_final(daemon: Daemon, count: int) -> None:
    """Wait until the store has so many deliveries, one for each event, and none left to make. Raises RuntimeError when it stalls."""
    seen, moved = -1, time.monotonic()
    while True:
        done, left = daemon.ask(
            "SELECT (SELECT count(*) FROM delivery), EXISTS(SELECT 1 FROM delivery WHERE state < 2)"
        )
        if done >= count and not left:
            return
        if done != seen:
            seen, moved = done, time.monotonic()
        if time.monotonic() - moved > STALL_SECONDS or not daemon.process.running:
            raise RuntimeError(f"{done} of {count} deliveries are stored:\n{daemon.process.tail()}")
        time.sleep(0.1)


def check_counts(daemon: Daemon, stats: dict[str, Any] | None, count: int) -> None:
    """Raise RuntimeError unless the store and the receiver tell the same story."""
    events, final, left = daemon.ask(
        f"SELECT (SELECT count(*) FROM event WHERE {SENT}), (SELECT count(*) FROM delivery WHERE {FINAL}),"  # noqa: S608 - constants
        " (SELECT count(*) FROM delivery WHERE state < 2)"
    )
    found = {"events": events, "delivered": final, "left": left}
    wanted = {"events": count, "delivered": count, "left": 0}
    if stats is not None:
        found |= {"posts": stats["posts"], "ids": stats["unique"]}
        wanted |= {"posts": count, "ids": count}
    if found != wanted:
        raise RuntimeError(f"the counts do not agree: found {found}, expected {wanted}\n{daemon.process.tail()}")


def _brokers() -> Any:
    """Load the tests' own way of finding a broker."""
    spec = importlib.util.spec_from_file_location("broker", ROOT / "tests" / "broker.py")
    if spec is None or spec.loader is None:
        raise RuntimeError("tests/broker.py is missing")
    found = importlib.util.module_from_spec(spec)
    sys.modules["broker"] = found
    spec.loader.exec_module(found)
    return found


def _make_topic(bootstrap: str, topic: str) -> None:
    import asyncio  # noqa: PLC0415 - only here

    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415 - slow to import

    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])
        finally:
            await admin.close()

    asyncio.run(make())
