"""What the SQLite store costs: CPU per event, bytes per event, claims from a million, retention's stalls.

`python benchmarks/store.py [--json FILE] [--events N] [--pending N]`. CPU is that of the writer thread alone, between
two jobs that read its clock; wall times are seen by the event loop. Events have a 500-byte payload and a UUID of their
own (the dearest kind of id), one delivery each, batches of 500.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alertd.clock import SystemClock
from alertd.engine.plan import Plan
from alertd.model.delivery import DELIVERED, Attempt, Delivery, DeliveryState, Outcome, OutcomeKind
from alertd.model.event import Event, with_id
from alertd.model.ids import IdSource, made_event_id
from alertd.model.severity import Severity
from alertd.model.verdict import Verdict, VerdictCode
from alertd.store.base import Batch, Filter
from alertd.store.sqlite.store import SqliteStore, open_sqlite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BATCH = 500
PAYLOAD_BYTES = 500
DESTINATIONS = 50


class Load:
    """Makes plans, each with a fresh event and one delivery."""

    def __init__(self, clock: SystemClock, salt: int) -> None:
        self._clock = clock
        self._salt = salt
        self.ids = IdSource(clock)
        self._destination = 0

    def batch(self, size: int = BATCH, *, brought: bool = True, destination: int | None = None) -> Batch:
        """Make a batch of new events."""
        plans = [self._plan(brought=brought, destination=destination) for _ in range(size)]
        return Batch(1, plans, {("events", 0): plans[-1].number & 0xFFFFFFFF})

    def _plan(self, *, brought: bool, destination: int | None) -> Plan:
        number = self.ids.take(2)
        event_id = str(uuid.uuid4()) if brought else ""
        own = f'"id":"{event_id}",' if brought else ""
        head = f'{{{own}"type":"run:failed","severity":"error","project":"shop","data":{{"x":"'
        size = PAYLOAD_BYTES - len(head) - 3 - (0 if brought else len('"id":"","') + 35)
        payload = f'{head}{"x" * size}"}}}}'.encode()
        event = Event("run:failed", event_id, "default", "shop", "prod", Severity.ERROR, "", "run:failed", {}, payload)
        if not brought:
            with_id(event, made_event_id(number, self._salt))
        self._destination = (self._destination + 1) % DESTINATIONS
        to = self._destination + 1 if destination is None else destination
        now = self._clock.now_ms()
        delivery = Delivery(number + 1, number, to, 7, 3, 0, now, event.type, event.payload)
        return Plan(event, number, 1, True, [Verdict(7, 3, VerdictCode.SENT)], [delivery], {})

    def outcomes(self, batch: Batch) -> list[Attempt]:
        """Say that everything in a batch was delivered at the first attempt."""
        now = self._clock.now_ms()
        outcome = Outcome(DELIVERED.kind, 200, "", b"ok")
        ids = [delivery.id for plan in batch.plans for delivery in plan.deliveries]
        return [Attempt(number, 1, now, 12_345, outcome, DeliveryState.DELIVERED) for number in ids]

    def failures(self, batch: Batch) -> list[Attempt]:
        """Say that everything in a batch failed for now."""
        now = self._clock.now_ms()
        outcome = Outcome(OutcomeKind.RETRY_LATER, 503, "the receiver answered 503", b"busy")
        ids = [delivery.id for plan in batch.plans for delivery in plan.deliveries]
        return [Attempt(number, 1, now, 12_345, outcome, DeliveryState.RETRYING, now + 5_000) for number in ids]


async def thread_seconds(store: SqliteStore) -> float:
    """Read the CPU clock of the writer thread."""
    return await store.core.writer.run(lambda _: time.thread_time())


async def cpu_us(store: SqliteStore, count: int, work: Callable[[], Awaitable[Any]]) -> float:
    """Measure the writer thread's CPU per item, in microseconds."""
    before = await thread_seconds(store)
    await work()
    return (await thread_seconds(store) - before) / count * 1e6


async def costs(store: SqliteStore, load: Load, events: int, *, brought: bool) -> dict[str, float]:
    """Commit and record events; measure both."""
    batches = [load.batch(brought=brought) for _ in range(events // BATCH)]

    async def commit() -> None:
        for batch in batches:
            await store.commit(batch)

    async def record() -> None:
        for batch in batches:
            await store.record(load.outcomes(batch))

    started = time.perf_counter()
    committed = await cpu_us(store, events, commit)
    recorded = await cpu_us(store, events, record)
    return {
        "commit_cpu_us": committed,
        "record_cpu_us": recorded,
        "total_cpu_us": committed + recorded,
        "events_per_second": events / (time.perf_counter() - started),
    }


async def with_store(work: Callable[[SqliteStore, Load], Awaitable[dict[str, float]]]) -> dict[str, float]:
    """Run a measurement on a store of its own, and add the file's size once it is closed."""
    with tempfile.TemporaryDirectory() as folder:
        clock = SystemClock()
        path = Path(folder, "alertd.db")
        store = await open_sqlite(path, clock)
        await store.intern([("workspace", "default", "default")])
        load = Load(clock, store.salt)
        try:
            result = await work(store, load)
        finally:
            await store.close()
        if events := result.pop("_events", 0):
            result["bytes_per_event"] = (await asyncio.to_thread(path.stat)).st_size / events
        return result


async def hot_path(events: int, *, brought: bool) -> dict[str, float]:
    """CPU and bytes of events that are delivered at once."""

    async def work(store: SqliteStore, load: Load) -> dict[str, float]:
        return {**await costs(store, load, events, brought=brought), "_events": events}

    return await with_store(work)


async def retries(events: int) -> dict[str, float]:
    """CPU of recording a first attempt that failed and a second that did not."""

    async def work(store: SqliteStore, load: Load) -> dict[str, float]:
        batches = [load.batch() for _ in range(events // BATCH)]
        for batch in batches:
            await store.commit(batch)

        async def record(number: int) -> None:
            for batch in batches:
                attempts = load.failures(batch) if number == 1 else load.outcomes(batch)
                for attempt in attempts:
                    attempt.number = number
                await store.record(attempts)

        first = await cpu_us(store, events, lambda: record(1))
        second = await cpu_us(store, events, lambda: record(2))
        return {"failed_cpu_us": first, "then_delivered_cpu_us": second, "_events": events}

    return await with_store(work)


async def timed(work: Callable[[], Awaitable[Any]], times: int = 20) -> float:
    """Return the median wall time of an await, in milliseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


async def backlog(pending: int) -> dict[str, float]:
    """Claims, counts and pages over a large outbox, then retention of all of it beside commits."""

    async def work(store: SqliteStore, load: Load) -> dict[str, float]:
        for _ in range(pending // BATCH):
            await store.commit(load.batch())
        small = load.batch(20, destination=999)
        await store.commit(small)
        now = SystemClock().now_ms()
        held = [(await store.due(1, now, 1000, ())).deliveries[i].id for i in range(min(1000, pending // DESTINATIONS))]
        result = {
            "due_100_ms": await timed(lambda: store.due(1, now, 100, ())),
            "due_500_ms": await timed(lambda: store.due(1, now, 500, ())),
            "due_500_held_1000_ms": await timed(lambda: store.due(1, now, 500, held)),
            "due_small_ms": await timed(lambda: store.due(999, now, 100, ())),
            "destinations_with_work_ms": await timed(store.destinations_with_work),
            "outbox_counts_ms": await timed(store.outbox_counts, 3),
            "deliveries_page_ms": await timed(lambda: store.deliveries(Filter(limit=50))),
            "dead_page_ms": await timed(lambda: store.deliveries(Filter(limit=50, state="dead"))),
        }
        return {**result, **await retention(store, load, now)}

    return await with_store(work)


async def retention(store: SqliteStore, load: Load, now: int) -> dict[str, float]:
    """Make a fifth of the outbox final, delete it, and watch what small commits wait meanwhile."""
    for destination in range(1, DESTINATIONS // 5 + 1):
        await store.cancel_destination(destination, "benchmark", ())
    alone = await stalls(store, load, asyncio.create_task(asyncio.sleep(2)))
    started = time.perf_counter()
    deleting = asyncio.create_task(retain_all(store, now))
    beside = await stalls(store, load, deleting)
    return {
        "commit_10_alone_p50_ms": alone[0],
        "commit_10_alone_p99_ms": alone[1],
        "commit_10_beside_retain_p50_ms": beside[0],
        "commit_10_beside_retain_p99_ms": beside[1],
        "commit_10_beside_retain_max_ms": beside[2],
        "retained_events": await deleting,
        "retained_per_second": await deleting / (time.perf_counter() - started),
    }


async def retain_all(store: SqliteStore, now: int) -> int:
    """Delete as housekeeping does: 500 at a time with a pause."""
    total = 0
    while gone := await store.retain(now, BATCH):
        total += gone
        await asyncio.sleep(0.01)
    return total


async def stalls(store: SqliteStore, load: Load, until: asyncio.Task[Any]) -> tuple[float, float, float]:
    """Commit ten events again and again until a task is done; return p50, p99 and max in milliseconds."""
    taken: list[float] = []
    while not until.done():
        batch = load.batch(10)
        started = time.perf_counter()
        await store.commit(batch)
        taken.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.001)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.99)], taken[-1]


async def measure(events: int, pending: int) -> dict[str, dict[str, float]]:
    """Run everything."""
    return {
        "brought ids": await hot_path(events, brought=True),
        "made ids": await hot_path(events, brought=False),
        "one retry each": await retries(events),
        f"{pending:,} pending": await backlog(pending),
    }


def main() -> None:
    """Print the table; write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pending", type=int, default=1_000_000)
    options = parser.parse_args()
    table = asyncio.run(measure(options.events, options.pending))
    for title, values in table.items():
        print(title)
        for name, value in values.items():
            print(f"  {name:36} {value:12,.2f}")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
