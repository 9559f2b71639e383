"""Crash torture: the daemon is killed at random moments under load, again and again, and must lose and double nothing.

`python -m tests.torture N [--seed S]` plays N rounds: events flow in by Kafka and by HTTP at once and out to a receiver
that fails now and then, while channels are made, changed and deleted, a destination is switched off and on, envelopes of an
SDK come and the configuration is read anew; in every round the daemon gets SIGKILL at a random moment, sometimes while it still starts. In the end every acknowledged event must have been received, each under one
delivery id, the store must agree, and every channel must be in a state that was acknowledged, or was being asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiokafka import AIOKafkaProducer

from tests.broker import make_broker
from tests.daemon import Daemon, ended, eventually, hook, route, workspace
from tests.kafka_fixtures import create_topic
from tests.receiver import Receiver, Request, reset, status
from tests.torture_beside import Envelopes, Switches, side
from tests.torture_changes import WIDER, Changes, Reloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARTITIONS = 3
SENT = "event WHERE type = 'torture'"
"""The events of the load: not those of the other workspace, nor those in which the daemon tells of itself."""
THEIRS = "delivery WHERE event_id IN (SELECT id FROM event WHERE type = 'torture')"
POSTERS = 6
PRODUCERS = 2
BODY_EVENTS = 12
"""Greatest number of events in one body."""
LOAD_SECONDS = 0.35
"""How long a round's load lasts at most before the kill."""
PACE_SECONDS = 0.004
"""The pause of each sender between two sends: the load must stay below what can be delivered."""
SLOW_SECONDS = 0.05
"""How long the receiver takes for an answer when it is slow."""
EARLY = 0.15
"""In how many of the rounds the kill comes while the daemon starts."""
BOTH = 0.1
"""How many of the events are sent by HTTP and by Kafka, under one id."""
SETTLE_SECONDS = 180.0
"""How long the last daemon may take to deliver everything."""
MOODS = ((0.05, "503"), (0.08, "reset"), (0.10, "slow"), (0.11, "429"))


@dataclass(slots=True)
class Report:
    """What happened, as counts; `problems` is empty when every promise was kept."""

    rounds: int = 0
    early_kills: int = 0
    requests_cut: int = 0
    http_acknowledged: int = 0
    http_repeats: int = 0
    kafka_acknowledged: int = 0
    changes_acknowledged: int = 0
    changes_cut: int = 0
    reloads: int = 0
    envelopes_acknowledged: int = 0
    switched_off: int = 0
    in_both: int = 0
    stored: int = 0
    requests_received: int = 0
    failures_answered: int = 0
    received_again: int = 0
    start_seconds_median: float = 0.0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterable[str]:
        """Write the counts, one a line."""
        for each in fields(self):
            if each.name != "problems":
                value = getattr(self, each.name)
                yield (
                    f"{each.name.replace('_', ' '):>22}: {value:.2f}"
                    if isinstance(value, float)
                    else (f"{each.name.replace('_', ' '):>22}: {value}")
                )
        yield from self.problems or ["every promise kept"]


class Torture:
    """One run: the load, the kills, and the reckoning."""

    def __init__(self, folder: Path, bootstrap: str, topic: str, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a repeatable game, no secret
        self._bootstrap = bootstrap
        self._topic = topic
        self._receiver = Receiver()
        self._daemon = Daemon(folder)
        self._up = asyncio.Event()
        self._over = asyncio.Event()
        self._ended = asyncio.Event()
        self._load: set[asyncio.Task[None]] = set()
        self._changes = Changes(self._daemon, self._up, self._random)
        self._reloads = Reloads(self._daemon, self._up, self._config)
        self._envelopes = Envelopes(self._daemon, self._up, self._receiver)
        self._switches = Switches(self._daemon, self._up, self._receiver)
        self._in_air = 0
        self._number = 0
        self._acknowledged: set[str] = set()
        self._ends: dict[int, int] = defaultdict(int)
        self._starts: list[float] = []
        self.report = Report()

    async def run(self, rounds: int) -> Report:
        """Play so many rounds and reckon."""
        began = time.monotonic()
        self._receiver.default = self._answer
        async with self._receiver, _producer(self._bootstrap) as producer:
            self._daemon.configure(self._config(False))
            self._load |= {asyncio.create_task(self._post_on()) for _ in range(POSTERS)}
            self._load |= {asyncio.create_task(self._produce_on(producer)) for _ in range(PRODUCERS)}
            self._load |= {
                asyncio.create_task(each.run_until(self._over)) for each in (self._envelopes, self._switches)
            }
            self._load.add(asyncio.create_task(self._changes.run_until(self._ended)))
            self._load.add(asyncio.create_task(self._reloads.run_until(self._ended)))
            try:
                for _ in range(rounds):
                    await self._round()
                self._over.set()
                await self._start()
                self._ended.set()
                await asyncio.gather(*self._load)
                await self._settle()
            finally:
                for task in self._load:
                    task.cancel()
                await asyncio.wait(self._load)
                await self._daemon.close()
        self.report.seconds = time.monotonic() - began
        self.report.start_seconds_median = sorted(self._starts)[len(self._starts) // 2]
        return self.report

    def _config(self, wider: bool) -> dict[str, Any]:
        routes = [route("all", "*", "hook"), *([route(WIDER, "never.*", "hook")] if wider else [])]
        return {
            "intake": {
                "kafka": {
                    "bootstrap_servers": [self._bootstrap],
                    "group_id": f"torture-{self._topic}",
                    "topics": [{"name": self._topic}],
                    "session_timeout_seconds": 6,
                    "heartbeat_seconds": 0.5,
                    "rebalance_timeout_seconds": 6,
                    "request_timeout_seconds": 10,
                }
            },
            "delivery": {
                "queue": {"concurrency": 16},
                "retry": {"initial_seconds": 0.05, "max_seconds": 0.4, "max_attempts": 1000},
                "breaker": {"failures": 100_000},
                "timeout_seconds": 2,
            },
            "workspaces": [workspace([hook("hook", self._receiver.url("/hook"))], routes), side(self._receiver)],
        }

    # -- the kills ------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        began = time.monotonic()
        await self._daemon.start()
        self._starts.append(time.monotonic() - began)
        self._up.set()

    async def _round(self) -> None:
        self.report.rounds += 1
        if self._starts and self._random.random() < EARLY:
            self.report.early_kills += 1
            self._daemon.launch()
            await self._flow(self._random.uniform(0, self._starts[0]))
        else:
            await self._start()
            await self._flow(self._random.uniform(0, LOAD_SECONDS))
        self.report.requests_cut += self._in_air
        self._up.clear()
        await self._daemon.kill()

    async def _flow(self, seconds: float) -> None:
        """Let the load flow for so long; a part of it that ends by itself has failed. Raises what it failed with."""
        done, _ = await asyncio.wait(self._load, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*done)

    # -- the load -------------------------------------------------------------------------------------------------

    def _events(self) -> list[dict[str, Any]]:
        count = self._random.randint(1, BODY_EVENTS)
        self._number += count
        return [{"type": "torture", "id": f"e{self._number - n}", "data": {"n": n}} for n in range(count)]

    async def _post_on(self) -> None:
        """Post bodies; one that was cut is posted again until it is acknowledged, as a producer would."""
        while not await ended(self._over, PACE_SECONDS):
            events = self._events()
            while not await self._post(events):
                self.report.http_repeats += 1
            self.report.http_acknowledged += len(events)

    async def _post(self, events: list[dict[str, Any]]) -> bool:
        await self._up.wait()
        self._in_air += 1
        try:
            reply = await self._daemon.offer(*events)
        except (aiohttp.ClientError, OSError, TimeoutError):
            await ended(self._ended, PACE_SECONDS)
            return False
        finally:
            self._in_air -= 1
        if reply.status == 202:
            self._acknowledged.update(reply.json["ids"])
        elif reply.status not in (429, 503):
            self.report.problems.append(f"HTTP answered {reply.status}: {reply.body!r}")
        return reply.status == 202

    async def _produce_on(self, producer: AIOKafkaProducer) -> None:
        """Send records, with the daemon up or down; some of them by HTTP as well."""
        while not await ended(self._over, PACE_SECONDS * 4):
            events = self._events()
            both = self._random.random() < BOTH
            twin = asyncio.create_task(self._twin(events)) if both else None
            sent = [await producer.send(self._topic, json.dumps(event).encode()) for event in events]
            for future, event in zip(sent, events, strict=True):
                record = await future
                self._acknowledged.add(event["id"])
                self._ends[record.partition] = max(self._ends[record.partition], record.offset + 1)
            self.report.kafka_acknowledged += len(events)
            if twin is not None:
                await twin

    async def _twin(self, events: list[dict[str, Any]]) -> None:
        while not await self._post(events):
            pass
        self.report.in_both += len(events)

    # -- the receiver ---------------------------------------------------------------------------------------------

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        drawn = self._random.random()
        mood = next((name for bound, name in MOODS if drawn < bound), "good")
        if mood not in {"good", "slow"}:
            self.report.failures_answered += 1
        if mood == "reset":
            await reset(request, writer)
        elif mood == "503":
            await status(503)(request, writer)
        elif mood == "429":
            await status(429, Retry_After="0")(request, writer)
        else:
            if mood == "slow":
                await request.left(SLOW_SECONDS)
            await status(204)(request, writer)

    # -- the reckoning --------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Wait until all is received and stored, stop in an orderly way, and compare."""
        problems = self.report.problems
        requests = self._receiver.got("/hook")
        seen: set[str] = set()
        read = 0

        def complete() -> bool:
            nonlocal read
            seen.update(request.event["id"] for request in requests[read:])
            read = len(requests)
            return self._acknowledged <= seen

        try:
            await self._receiver.until(complete, "every acknowledged event", SETTLE_SECONDS)
            await eventually(self._finished, "the store to agree", SETTLE_SECONDS)
        except AssertionError as error:
            problems.append(f"not settled within {SETTLE_SECONDS} s: {error}")
        for part in (self._changes, self._reloads, self._envelopes, self._switches):
            problems += await part.reckon()
        self.report.reloads = self._reloads.acknowledged
        self.report.envelopes_acknowledged = len(self._envelopes.taken)
        self.report.switched_off = len(self._switches.sent["disable"])
        self.report.changes_acknowledged, self.report.changes_cut = self._changes.acknowledged, self._changes.cut
        if await self._daemon.stop() != 0:
            problems.append(f"the last stop failed: {self._daemon.tail(5)}")
        self._reckon(requests, seen)

    def _finished(self) -> bool:
        with contextlib.closing(sqlite3.connect(self._daemon.database)) as store:
            return self._positions(store) == dict(self._ends) and not _count(store, "delivery WHERE state < 2")

    def _positions(self, store: sqlite3.Connection) -> dict[int, int]:
        rows = store.execute("SELECT partition, next_offset FROM position WHERE topic = ?", (self._topic,))
        return {partition: offset for partition, offset in rows if offset}

    def _reckon(self, requests: list[Request], seen: set[str]) -> None:
        problems, report = self.report.problems, self.report
        if lost := self._acknowledged - seen:
            problems.append(f"{len(lost)} acknowledged events were never received: {sorted(lost)[:5]}")
        named: dict[str, set[str]] = defaultdict(set)
        for request in requests:
            named[request.event["id"]].add(request.delivery_id)
        if doubled := [name for name, ids in named.items() if len(ids) > 1]:
            problems.append(f"{len(doubled)} events were received under two delivery ids: {doubled[:5]}")
        report.requests_received = len(requests)
        report.received_again = len(requests) - len(named)
        with contextlib.closing(sqlite3.connect(self._daemon.database)) as store:
            problems += self._disagreements(store)
            report.stored = _count(store, SENT)

    def _disagreements(self, store: sqlite3.Connection) -> Iterator[str]:
        """Say where the store does not agree with what was acknowledged, with the log, or with itself."""
        check = store.execute("PRAGMA quick_check").fetchall()
        if check != [("ok",)]:
            yield f"the store is damaged: {check[:3]}"
        if self._positions(store) != dict(self._ends):
            yield f"positions {self._positions(store)}, log ends {dict(self._ends)}"
        stored = {
            str(row[0])
            for row in store.execute(f"SELECT json_extract(CAST(payload AS TEXT), '$.id') FROM {SENT} AND made = 0")  # noqa: S608 - our own words
        }
        if missing := self._acknowledged - stored:
            yield f"{len(missing)} acknowledged events are not stored: {sorted(missing)[:5]}"
        events = _count(store, SENT)
        if events != len(stored):
            yield f"{events} events have {len(stored)} ids"
        if (deliveries := _count(store, THEIRS)) != events:
            yield f"{events} events have {deliveries} deliveries"
        if waiting := _count(store, "delivery WHERE state != 2"):
            yield f"{waiting} deliveries are not delivered"
        if rejected := _count(store, "rejected"):
            yield f"{rejected} records were rejected"


def _count(store: sqlite3.Connection, what: str) -> int:
    return int(store.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608 - our own words


@contextlib.asynccontextmanager
async def _producer(bootstrap: str) -> Any:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def torture(folder: Path, bootstrap: str, topic: str, rounds: int, seed: int) -> Report:
    """Play so many rounds against a topic with `PARTITIONS` partitions that nobody else uses."""
    return await Torture(folder, bootstrap, topic, seed).run(rounds)


async def _play(folder: Path, bootstrap: str, rounds: int, seed: int) -> Report:
    topic = await create_topic(bootstrap, PARTITIONS)
    return await torture(folder / "daemon", bootstrap, topic, rounds, seed)


def main() -> int:
    """Play from the command line; the exit code is 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory(prefix="alertd-torture-") as text:
        folder = Path(text)
        broker = make_broker(folder / "kafka")
        broker.start()
        try:
            report = asyncio.run(_play(folder, broker.bootstrap, given.rounds, seed))
        finally:
            broker.stop()
    sys.stdout.write("\n".join([f"broker {broker.kind}, seed {seed}", *report.lines(), ""]))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
