"""What the pipeline promises: all or nothing, stored before acknowledged, nothing done twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from alertd.clock import SystemClock
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.errors import IntakeFullError, StoreUnavailableError
from alertd.metrics import Metrics
from alertd.model.ids import IdSource, made_event_number
from alertd.model.workspace import Workspace
from alertd.pipeline import Pipeline
from alertd.sources.base import Context
from alertd.sources.native import decode_json
from alertd.store.base import Filter
from alertd.store.memory import MemoryStore
from alertd.submission import QueueBounds, Submission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.model.delivery import Delivery
    from alertd.model.event import Event
    from alertd.store.base import Batch

WORKSPACE = Workspace.model_validate(
    {
        "name": "default",
        "channels": [{"name": "all", "kind": "glob", "pattern": "*"}],
        "destinations": [{"name": "a", "type": "null"}],
        "subscriptions": [{"name": "s", "channels": ["all"], "destinations": ["a"]}],
    }
)
COOLING = WORKSPACE.model_copy(
    update={"subscriptions": (WORKSPACE.subscriptions[0].model_copy(update={"cooldown_seconds": 60}),)}
)


class Gate:
    """A store whose commits wait for the test, or fail as it says."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.committed = asyncio.Event()
        self.batches: list[Batch] = []
        self.failures = 0
        self.broken: Exception | None = None

    async def commit(self, batch: Batch) -> None:
        """Commit when the gate is open."""
        self.entered.set()
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("disk full")
        if self.broken is not None:
            raise self.broken
        await self._store.commit(batch)
        self.batches.append(batch)
        self.committed.set()

    def __getattr__(self, name: str) -> Any:
        """Leave all else to the store."""
        return getattr(self._store, name)


class AheadClock(SystemClock):
    """The machine's clock, whose spans a test may set ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        """Seconds on a clock that only measures spans."""
        return super().monotonic() + self.ahead


class Bench:
    """A running pipeline with its store and what it handed to delivery."""

    def __init__(self, workspace: Workspace, bounds: QueueBounds | None) -> None:
        self.clock = AheadClock()
        self.store = MemoryStore(self.clock)
        self.gate = Gate(self.store)
        self.delivered: list[Delivery] = []
        self.metrics = Metrics()
        self.ids = IdSource(self.clock)
        self.workspace = workspace
        self.bounds = bounds

    async def start(self) -> None:
        """Build the pipeline."""
        keys = await self.store.intern(name_keys([self.workspace]))
        self.pipeline = Pipeline(
            self.gate,
            self.ids,
            self.store.salt,
            self.clock,
            self.metrics,
            compile_ruleset([self.workspace], keys, 1),
            self.delivered.extend,
            bounds=self.bounds,
        )

    def count(self, name: str, **labels: str) -> float:
        """Read a metric."""
        return self.metrics.registry.get_sample_value(name, labels or None) or 0.0

    async def stored(self) -> list[str]:
        """Ids of all stored events, oldest first."""
        page = await self.store.events(Filter(workspace="default", limit=1000))
        return [orjson.loads(row["payload"])["id"] for row in reversed(page.items)]

    def kafka(self, offsets: range, *, ids: bool = False) -> Submission:
        """Make what one fetch of one partition would bring."""
        made = events(*[{"type": "t", **({"id": f"k{o}"} if ids else {})} for o in offsets])
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return Submission("kafka", made, 100, done, ("topic", 0), list(offsets), offsets.stop)


def events(*given: dict[str, Any]) -> list[Event]:
    """Decode events as the intake would."""
    return decode_json(orjson.dumps(given), Context("default", 1_800_000_000_000, frozenset({"default"})))


@asynccontextmanager
async def running(workspace: Workspace = WORKSPACE, bounds: QueueBounds | None = None) -> AsyncIterator[Bench]:
    """Run a pipeline over a store in memory."""
    bench = Bench(workspace, bounds)
    await bench.start()
    async with at_work(bench):
        yield bench


@asynccontextmanager
async def at_work(bench: Bench) -> AsyncIterator[Bench]:
    """Let its pipeline work meanwhile."""
    task = asyncio.create_task(bench.pipeline.run())
    try:
        async with asyncio.timeout(60):
            yield bench
            bench.gate.open.set()
            bench.pipeline.stop()
            await task
    finally:
        task.cancel()


async def test_events_are_answered_after_their_commit() -> None:
    """`submit` returns only when the batch is stored, with the ids in order, and then deliveries are handed on."""
    async with running() as bench:
        bench.gate.open.clear()
        waiting = asyncio.create_task(bench.pipeline.submit(events({"type": "a"}, {"type": "b", "id": "mine"}), 10))
        await bench.gate.entered.wait()
        assert (
            bench.metrics.registry.get_sample_value("alertd_intake_queued_events") == bench.pipeline.queued_events > 0
        )
        assert not waiting.done()
        assert bench.delivered == []
        bench.gate.open.set()
        made, mine = await waiting
        assert made_event_number(made.id, bench.store.salt) is not None
        assert (mine.id, mine.duplicate) == ("mine", False)
        assert await bench.stored() == [made.id, "mine"]
        assert [d.event_type for d in bench.delivered] == ["a", "b"]
        assert orjson.loads(bench.delivered[0].payload)["id"] == made.id


async def test_what_piles_up_becomes_one_batch() -> None:
    """While one commit runs, submissions gather; the next commit takes them all."""
    async with running() as bench:
        bench.gate.open.clear()
        first = asyncio.create_task(bench.pipeline.submit(events({"type": "a"}), 10))
        await bench.gate.entered.wait()
        rest = [asyncio.create_task(bench.pipeline.submit(events({"type": "b"}), 10)) for _ in range(20)]
        await asyncio.sleep(0)
        bench.gate.open.set()
        await asyncio.gather(first, *rest)
        assert [len(batch.plans) for batch in bench.gate.batches] == [1, 20]


async def test_what_is_revoked_before_its_batch_begins_is_gone() -> None:
    """A partition revoked while its only submission gathers leaves nothing, and the pipeline goes on."""
    async with running() as bench:
        submission = bench.kafka(range(2))
        bench.pipeline.offer(submission)
        await asyncio.sleep(0)
        await bench.pipeline.revoke([("topic", 0)])
        assert submission.done.cancelled()
        await bench.pipeline.submit(events({"type": "a", "id": "x"}), 10)
        assert await bench.stored() == ["x"]


async def test_a_repeated_id_does_nothing_twice() -> None:
    """An id is kept: in one body, in one batch, and in what is stored already; the answer calls it a duplicate."""
    async with running() as bench:
        first = await bench.pipeline.submit(events({"type": "a", "id": "x"}, {"type": "a", "id": "x"}), 10)
        again = await bench.pipeline.submit(events({"type": "a", "id": "y"}, {"type": "a", "id": "x"}), 10)
        assert [one.duplicate for one in first] == [False, True]
        assert [one.duplicate for one in again] == [False, True]
        assert await bench.stored() == ["x", "y"]
        assert len(bench.delivered) == 2
        assert bench.count("alertd_events_total", source="http", result="duplicate") == 2
        assert bench.count("alertd_events_total", source="http", result="accepted") == 2


async def test_the_id_from_our_answer_is_an_idempotency_key_too() -> None:
    """A producer that sends an event again with the id that we made for it is told of the duplicate."""
    async with running() as bench:
        (made,) = await bench.pipeline.submit(events({"type": "a"}), 10)
        (again,) = await bench.pipeline.submit(events({"type": "a", "id": made.id}), 10)
        assert again.duplicate
        assert len(bench.delivered) == 1


async def test_planning_again_after_a_duplicate_keeps_made_ids_true() -> None:
    """When a known id makes a batch be planned anew, events without ids get ids that name their final number."""
    async with running() as bench:
        await bench.pipeline.submit(events({"type": "a", "id": "x"}), 10)
        made, _ = await bench.pipeline.submit(events({"type": "a"}, {"type": "a", "id": "x"}), 10)
        number = made_event_number(made.id, bench.store.salt)
        row = await bench.store.event("default", made.id)
        assert row is not None
        assert row["number"] == number
        assert orjson.loads(row["payload"])["id"] == made.id
        assert row["payload"].count(b'"id"') == 1


async def test_a_duplicate_takes_no_cooldown() -> None:
    """What is dropped as a duplicate leaves no trace in the plans of others."""
    async with running(COOLING) as bench:
        await bench.pipeline.submit(events({"type": "t", "id": "x", "key": "k1"}), 10)
        await bench.pipeline.submit(events({"type": "t", "id": "x", "key": "k2"}, {"type": "t", "key": "k2"}), 10)
        assert len(bench.delivered) == 2


async def test_cooldown_holds_inside_one_batch() -> None:
    """The second event of a key in the same body rests already."""
    async with running(COOLING) as bench:
        await bench.pipeline.submit(events({"type": "t"}, {"type": "t"}), 10)
        assert len(bench.delivered) == 1
        assert bench.count(
            "alertd_verdicts_total", workspace="default", subscription="s", verdict="cooldown"
        ) == pytest.approx(1)


async def test_a_store_that_cannot_write_refuses_http_and_keeps_kafka() -> None:
    """HTTP is answered at once and nothing of it is stored; Kafka's records are committed when the store is back."""
    async with running() as bench:
        bench.gate.failures = 2
        kafka = bench.kafka(range(3))
        bench.pipeline.offer(kafka)
        with pytest.raises(StoreUnavailableError):
            await bench.pipeline.submit(events({"type": "a", "id": "x"}), 10)
        await kafka.done
        assert len(await bench.stored()) == 3
        assert not bench.pipeline.failing
        assert bench.pipeline.queued_events == 0
        await bench.pipeline.submit(events({"type": "a", "id": "x"}), 10)
        assert (await bench.stored())[-1] == "x"


async def test_a_failed_commit_takes_no_cooldown() -> None:
    """What was not stored did not happen: the next event of the key is sent."""
    async with running(COOLING) as bench:
        bench.gate.failures = 1
        with pytest.raises(StoreUnavailableError):
            await bench.pipeline.submit(events({"type": "t"}), 10)
        await bench.pipeline.submit(events({"type": "t"}), 10)
        assert len(bench.delivered) == 1


async def test_records_are_taken_once() -> None:
    """Records before the position are done: fetched again, whole or in part, they do nothing, and no position goes back."""
    async with running() as bench:
        for offsets in (range(5), range(5), range(3, 8), range(2)):
            submission = bench.kafka(offsets)
            bench.pipeline.offer(submission)
            await submission.done
        assert len(await bench.stored()) == 8
        assert bench.pipeline.positions == {("topic", 0): 8}
        assert await bench.store.positions() == {("topic", 0): 8}


async def test_revoking_forgets_what_waits_and_awaits_what_runs() -> None:
    """After `revoke` nothing of the partition is queued or under way."""
    async with running() as bench:
        bench.gate.open.clear()
        running_one, waiting_one = bench.kafka(range(2)), bench.kafka(range(2, 4))
        bench.pipeline.offer(running_one)
        await bench.gate.entered.wait()
        bench.pipeline.offer(waiting_one)
        revoking = asyncio.create_task(bench.pipeline.revoke([("topic", 0)]))
        await asyncio.sleep(0)
        assert waiting_one.done.cancelled()
        assert not revoking.done()
        bench.gate.open.set()
        await revoking
        assert bench.pipeline.positions == {("topic", 0): 2}


@pytest.mark.parametrize(("events_max", "bytes_max"), [(10, 1_000_000), (1_000, 100)])
async def test_the_queue_is_full_at_its_bound(events_max: int, bytes_max: int) -> None:
    """Ten events of ten bytes fill the queue exactly; one more is refused, and all is well when it has drained."""
    async with running(bounds=QueueBounds(events_max, bytes_max)) as bench:
        bench.gate.open.clear()
        tasks = [asyncio.create_task(bench.pipeline.submit(events({"type": "a"}), 10)) for _ in range(10)]
        await bench.gate.entered.wait()
        await asyncio.sleep(0)
        assert not bench.pipeline.has_room(1, 10)
        with pytest.raises(IntakeFullError):
            await bench.pipeline.submit(events({"type": "a"}), 10)
        bench.gate.open.set()
        await asyncio.gather(*tasks)
        await bench.pipeline.submit(events({"type": "a"}), 10)
        assert len(await bench.stored()) == 11


async def test_what_is_larger_than_the_queue_passes_alone() -> None:
    """A bound that is smaller than one body, or one fetch, does not shut it out for ever."""
    async with running(bounds=QueueBounds(2, 50)) as bench:
        for size in (51, 10):
            await bench.pipeline.submit(events(*[{"type": "a"}] * 3), size)
        await bench.pipeline.submit(events({"type": "a"}), 51)
        assert len(await bench.stored()) == 7


async def test_stopping_commits_what_was_taken_and_takes_no_more() -> None:
    """A soft stop drains the queue; later submissions are refused."""
    async with running() as bench:
        bench.gate.open.clear()
        tasks = [asyncio.create_task(bench.pipeline.submit(events({"type": "a"}), 10)) for _ in range(3)]
        await bench.gate.entered.wait()
        tasks.append(asyncio.create_task(bench.pipeline.submit(events({"type": "a"}), 10)))
        await asyncio.sleep(0)
        bench.pipeline.stop()
        with pytest.raises(IntakeFullError):
            await bench.pipeline.submit(events({"type": "a"}), 10)
        bench.gate.open.set()
        await asyncio.gather(*tasks)
        assert len(bench.gate.batches) == 2
        assert len(await bench.stored()) == 4


async def test_a_cut_between_two_batches_is_told_to_all_who_wait() -> None:
    """Also where no batch is under way yet."""
    bench = Bench(WORKSPACE, None)
    await bench.start()
    run = asyncio.create_task(bench.pipeline.run())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(bench.pipeline.submit(events({"type": "a"}), 10))
    await asyncio.sleep(0)
    run.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await run
        with pytest.raises(StoreUnavailableError, match="stopped before this was stored"):
            await waiting
    assert await bench.stored() == []


@pytest.mark.parametrize("cut", [False, True], ids=["died", "cancelled"])
async def test_an_end_in_the_middle_is_told_to_all_who_wait(*, cut: bool) -> None:
    """Those of the batch under way and those behind it: HTTP gets an error, Kafka nothing, and no more is taken."""
    bench = Bench(WORKSPACE, None)
    await bench.start()
    bench.gate.open.clear()
    bench.gate.broken = OSError("the disk is gone")
    run = asyncio.create_task(bench.pipeline.run())
    async with asyncio.timeout(60):
        under_way = asyncio.create_task(bench.pipeline.submit(events({"type": "a"}), 10))
        await bench.gate.entered.wait()
        behind = asyncio.create_task(bench.pipeline.submit(events({"type": "b"}), 10))
        bench.pipeline.offer(record := bench.kafka(range(1)))
        await asyncio.sleep(0)
        if cut:
            run.cancel()
        else:
            bench.gate.open.set()
        with pytest.raises(asyncio.CancelledError if cut else OSError):
            await run
        for waiting in (under_way, behind):
            with pytest.raises(StoreUnavailableError, match="stopped before this was stored"):
                await waiting
    assert record.done.cancelled()
    with pytest.raises(IntakeFullError):
        await bench.pipeline.submit(events({"type": "c"}), 10)
    assert await bench.stored() == []


async def test_swap_returns_when_no_old_batch_is_under_way() -> None:
    """After `swap` every commit is planned by the new rules."""
    async with running() as bench:
        bench.gate.open.clear()
        waiting = asyncio.create_task(bench.pipeline.submit(events({"type": "a"}), 10))
        await bench.gate.entered.wait()
        keys = await bench.store.intern(name_keys([COOLING]))
        swapping = asyncio.create_task(bench.pipeline.swap(compile_ruleset([COOLING], keys, 2)))
        await asyncio.sleep(0)
        assert not swapping.done()
        bench.gate.open.set()
        await swapping
        await waiting
        await bench.pipeline.submit(events({"type": "a"}), 10)
        assert [batch.revision for batch in bench.gate.batches] == [1, 2]


ERROR = {"type": "e", "key": "k", "data": {"event_id": "1", "title": "boom", "level": "error"}}


@pytest.mark.parametrize("given", [{"type": "a"}, ERROR], ids=["plain", "of-an-issue"])
async def test_a_workspace_that_is_removed_takes_what_waits_with_it(given: dict[str, Any]) -> None:
    """What is under way is stored; what waits over HTTP is answered, of Kafka's passed over; all others go on."""
    other = WORKSPACE.model_copy(update={"name": "other"})
    theirs = events(given, given, given)
    for event in theirs:
        event.workspace = event.body["workspace"] = "other"
        event.payload = orjson.dumps(event.body)
    first, second, third = theirs
    async with running() as bench:
        keys = await bench.store.intern(name_keys([WORKSPACE, other]))
        await bench.pipeline.swap(compile_ruleset([WORKSPACE, other], keys, 2))
        bench.gate.open.clear()
        under_way = asyncio.create_task(bench.pipeline.submit([first], 10))
        await bench.gate.entered.wait()
        gone = asyncio.create_task(bench.pipeline.submit([second], 10))
        record = bench.kafka(range(2), ids=True)
        record.events[0] = third
        bench.pipeline.offer(record)
        kept = asyncio.create_task(bench.pipeline.submit(events(given), 10))
        await asyncio.sleep(0)
        swapping = asyncio.create_task(bench.pipeline.swap(compile_ruleset([WORKSPACE], keys, 3)))
        await asyncio.sleep(0)
        bench.gate.open.set()
        await asyncio.gather(swapping, under_way, kept, record.done)
        with pytest.raises(StoreUnavailableError, match="the workspace was removed"):
            await gone
        stored = [p.event for batch in bench.gate.batches for p in batch.plans if p.event.type in {given["type"], "t"}]
        assert [event.workspace for event in stored] == ["other", "default", "default"]
        assert bench.pipeline.positions["topic", 0] == 2
        assert bench.pipeline.queued_events == 0
