"""What the pipeline promises the Kafka intake: nothing of a partition is done twice, nor after it was given up.

And what it promises those who wait for an answer while Kafka's records wait for the store.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from alertd.clock import SystemClock
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.errors import StoreUnavailableError
from alertd.metrics import Metrics
from alertd.model.event import Bounds
from alertd.model.ids import IdSource
from alertd.pipeline import BATCH_EVENTS, Pipeline, Submission
from alertd.sources.base import Context
from alertd.sources.native import decode_json
from alertd.store.base import RejectedRecord
from tests.kafka_lab import WORKSPACE, Ledger, until, value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.model.event import Event
    from alertd.store.base import Partition

PLACE = ("topic", 0)


@pytest.fixture
async def ledger() -> Ledger:
    """A store."""
    return Ledger()


@pytest.fixture
async def pipeline(ledger: Ledger) -> AsyncIterator[Pipeline]:
    """A pipeline that runs on it."""
    clock = SystemClock()
    rules = compile_ruleset([WORKSPACE], await ledger.intern(name_keys([WORKSPACE])), 1)
    made = Pipeline(ledger, IdSource(clock), ledger.salt, clock, Metrics(), rules, lambda _: None)
    task = asyncio.create_task(made.run())
    yield made
    ledger.failing = False
    ledger.gate.set()
    made.stop()
    async with asyncio.timeout(60):
        await task


def fetch(offsets: range, place: Partition = PLACE) -> Submission:
    """Make what one fetch would bring: the number of each event is its offset."""
    context = Context("default", 0, frozenset({"default"}), Bounds(), confined=False)
    events = [decode_json(value(offset), context)[0] for offset in offsets]
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    return Submission("kafka", events, 100, done, place, list(offsets), offsets.stop)


def one() -> list[Event]:
    """Make what a body with one event would bring."""
    return decode_json(value(-1), Context("default", 0, frozenset({"default"}), Bounds(), confined=False))


async def test_what_is_passed_over_moves_the_position(pipeline: Pipeline, ledger: Ledger) -> None:
    """Records that become no event are done with when their position is stored, and counted."""
    pipeline.offer(submission := fetch(range(0)))
    submission.next_offset, submission.skipped = 3, 3
    await submission.done
    assert ledger.stored("topic") == {0: 3}
    registry = pipeline._metrics.registry
    assert registry.get_sample_value("alertd_events_total", {"source": "kafka", "result": "skipped"}) == 3


async def test_overlapping_fetches_in_one_batch_are_done_once(pipeline: Pipeline, ledger: Ledger) -> None:
    """Records that were fetched again while the first fetch still waited are stored once, and counted as duplicates."""
    ledger.gate.clear()
    first, again, further = fetch(range(5)), fetch(range(8)), fetch(range(8, 10))
    for submission in (fetch(range(0)), first, again, further):
        pipeline.offer(submission)
    ledger.gate.set()

    await further.done
    assert ledger.numbers == list(range(10))
    events = pipeline._metrics.events
    assert events.labels("kafka", "duplicate")._value.get() == 5
    assert events.labels("kafka", "accepted")._value.get() == 10
    assert ledger.stored("topic") == {0: 10}


async def test_rejected_records_are_kept_once(pipeline: Pipeline, ledger: Ledger) -> None:
    """What could not be read is not kept again when it is fetched again, in the same batch or in a later one."""

    def unreadable(offset: int) -> RejectedRecord:
        return RejectedRecord(offset + 1, "default", *PLACE, offset, "what is not JSON", b"{", 1)

    fetches = [fetch(range(3)) for _ in range(4)]
    for submission, end in zip(fetches, (4, 4, 5, 5), strict=True):
        submission.next_offset = end
        submission.rejected = [unreadable(offset) for offset in range(3, end)]
    for submission in fetches[:3]:
        pipeline.offer(submission)
    await fetches[2].done
    pipeline.offer(fetches[3])
    await fetches[3].done
    assert [record.offset for record in ledger.rejected] == [3, 4]
    assert ledger.stored("topic") == {0: 5}


async def test_what_was_given_up_is_not_tried_again(pipeline: Pipeline, ledger: Ledger) -> None:
    """A batch that fails after its partition was revoked is dropped; whoever has the partition then reads it again."""
    ledger.failing = True
    ledger.gate.clear()
    under_way, queued = fetch(range(5)), fetch(range(5, 10))
    pipeline.offer(under_way)
    await until(lambda: pipeline._under_way)
    pipeline.offer(queued)
    revoking = asyncio.create_task(pipeline.revoke([PLACE]))
    await asyncio.sleep(0)
    ledger.gate.set()
    await revoking
    ledger.failing = False

    later = fetch(range(3))
    pipeline.offer(later)
    await later.done
    assert under_way.done.cancelled()
    assert queued.done.cancelled()
    assert ledger.numbers == [0, 1, 2]
    assert pipeline.queued_events == 0


async def test_others_do_not_go_with_a_partition_that_goes(pipeline: Pipeline, ledger: Ledger) -> None:
    """What waits of another partition, or of somebody who waits for an answer, is stored, in its order."""
    ledger.gate.clear()
    under_way, going, staying = fetch(range(5)), fetch(range(5, 10)), fetch(range(10, 15), ("topic", 1))
    pipeline.offer(under_way)
    await until(lambda: pipeline._under_way)
    pipeline.offer(going)
    pipeline.offer(staying)
    asking = asyncio.create_task(pipeline.submit(one(), 10))
    await until(lambda: pipeline.queued_events == 16)
    revoking = asyncio.create_task(pipeline.revoke([PLACE]))
    await asyncio.sleep(0)
    assert pipeline.queued_events == 11
    ledger.gate.set()
    await revoking

    await asyncio.gather(asking, staying.done)
    assert ledger.numbers == [*range(5), *range(10, 15), -1]
    assert ledger.stored("topic") == {0: 5, 1: 15}
    assert pipeline.queued_events == 0


async def test_what_is_under_way_may_still_land(pipeline: Pipeline, ledger: Ledger) -> None:
    """A commit that succeeds after the revocation counts: its position stands, and nothing is done again."""
    ledger.gate.clear()
    pipeline.offer(fetch(range(5)))
    await until(lambda: pipeline._under_way)
    revoking = asyncio.create_task(pipeline.revoke([PLACE]))
    await asyncio.sleep(0)
    ledger.gate.set()
    await revoking
    again = fetch(range(7))
    pipeline.offer(again)
    await again.done

    assert ledger.numbers == list(range(7))


async def test_records_keep_their_order_while_the_store_fails(pipeline: Pipeline, ledger: Ledger) -> None:
    """Fetches that failed together, and one that waited behind them, are stored in their order: none is passed over."""
    ledger.failing = True
    ledger.gate.clear()
    fetches = [fetch(range(start, end)) for start, end in pairwise((0, 3, 5, 5 + BATCH_EVENTS, 1000, 1003))]
    for submission in fetches:
        pipeline.offer(submission)
    await until(lambda: pipeline._under_way)
    ledger.gate.set()
    await until(lambda: ledger.refused == 1)
    ledger.failing = False

    await fetches[-1].done
    assert ledger.numbers == list(range(1003))
    assert [len(batch.plans) for batch in ledger.batches] == [5 + BATCH_EVENTS, 498]
    assert ledger.stored("topic") == {0: 1003}
    assert pipeline.queued_events == 0


async def test_whoever_waits_behind_records_is_told_that_the_store_fails(
    pipeline: Pipeline, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is not put off by a batch of Kafka's that fails in front of it, and that batch is not tried without a pause."""
    monkeypatch.setattr("alertd.pipeline.STORE_RETRY_SECONDS", (3600.0,))
    ledger.failing = True
    ledger.gate.clear()
    pipeline.offer(fetch(range(BATCH_EVENTS)))
    await until(lambda: pipeline._under_way)
    waiting = [asyncio.create_task(pipeline.submit(one(), 10)) for _ in range(3)]
    await until(lambda: pipeline.queued_events == BATCH_EVENTS + 3)
    ledger.gate.set()

    async with asyncio.timeout(60):
        told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in told] == [StoreUnavailableError] * 3
    assert ledger.refused == 1
    assert pipeline.queued_events == BATCH_EVENTS
    ledger.failing = False
    await pipeline.submit(one(), 10)  # which ends the pause


async def test_whoever_comes_during_a_pause_is_answered_at_once(
    pipeline: Pipeline, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's next try does not wait for its time when somebody wants an answer: a refusal, or the commit of all."""
    monkeypatch.setattr("alertd.pipeline.STORE_RETRY_SECONDS", (3600.0,))
    ledger.failing = True
    kafka = fetch(range(3))
    pipeline.offer(kafka)
    await until(lambda: ledger.refused == 1)
    pipeline.offer(further := fetch(range(3, 5)))
    async with asyncio.timeout(60):
        with pytest.raises(StoreUnavailableError):
            await pipeline.submit(one(), 10)
        ledger.failing = False
        await pipeline.submit(one(), 10)
        await asyncio.gather(kafka.done, further.done)
    assert ledger.refused == 2
    assert ledger.stored("topic") == {0: 5}
    assert pipeline.queued_events == 0
