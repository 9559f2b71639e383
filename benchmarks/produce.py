"""The Kafka loader: fills a topic, or sends at a steady pace. `python -m benchmarks.produce FILE`.

FILE is JSON: bootstrap, topic, seed, projects, and either count and ids (fill: as fast as it goes) or rate, seconds and
warm_up (pace: an open loop that never waits for anybody; events of the first `warm_up` seconds are not timed). Prints
JSON when every record is acknowledged by the broker; for a pace also how late the loop itself was, in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from aiokafka import AIOKafkaProducer

from benchmarks.pace import Pace, lateness
from benchmarks.workload import events

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTITIONS = 4
AT_ONCE = 5_000


async def fill(producer: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Send so many events."""
    waiting = []
    source = events(options["count"], seed=options["seed"], ids=options["ids"], projects=options["projects"])
    for position, body in enumerate(source):
        waiting.append(await producer.send(options["topic"], body, partition=position // 8 % PARTITIONS))
        if len(waiting) == AT_ONCE:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    return {"sent": options["count"]}


async def pace(producer: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Send so many events a second."""
    steady = Pace(options["rate"], options["seconds"], options["warm_up"])
    waiting, turn = [], 0
    late: list[int] = []
    async for bodies, late_ns in steady.bursts(options["seed"], options["projects"]):
        turn += 1
        where = {"topic": options["topic"], "partition": turn % PARTITIONS}
        waiting += [await producer.send_batch(batch, **where) for batch in batches(producer, bodies)]
        late += [late_ns] * len(bodies)
    await asyncio.gather(*waiting)
    return {"sent": steady.count, "timed": steady.timed, "late_p99_ms": lateness(late)}


def batches(producer: Any, bodies: Iterable[bytes]) -> list[Any]:
    """Put a burst into as few batches as it needs, one as a rule: event by event the first would go alone."""
    made = [producer.create_batch()]
    for body in bodies:
        if made[-1].append(key=None, value=body, timestamp=None) is None:
            made.append(producer.create_batch())
            made[-1].append(key=None, value=body, timestamp=None)
    return made


async def main(options: dict[str, Any]) -> None:
    """Send, and say what was sent."""
    producer = AIOKafkaProducer(bootstrap_servers=options["bootstrap"], acks="all", linger_ms=0)
    await producer.start()
    try:
        result = await (pace if "rate" in options else fill)(producer, options)
    finally:
        await producer.stop()
    print(json.dumps({**result, "cpu_seconds": time.process_time()}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
