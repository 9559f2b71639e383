"""What the pipeline promises the Kafka intake: nothing of a partition is done twice, nor after it was given up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from alertd.clock import SystemClock
from alertd.engine.ruleset import compile_ruleset, name_keys
from alertd.metrics import Metrics
from alertd.model.event import Bounds
from alertd.model.ids import IdSource
from alertd.pipeline import Pipeline, Submission
from alertd.sources.base import Context
from alertd.sources.native import decode_json
from tests.kafka_lab import WORKSPACE, Ledger, until, value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
    async with asyncio.timeout(5):
        await task


def fetch(offsets: range) -> Submission:
    """Make what one fetch would bring: the number of each event is its offset."""
    context = Context("default", 0, frozenset({"default"}), Bounds(), confined=False)
    events = [decode_json(value(offset), context)[0] for offset in offsets]
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    return Submission("kafka", events, 100, done, PLACE, list(offsets), offsets.stop)


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
