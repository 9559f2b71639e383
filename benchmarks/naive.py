"""The baseline: what somebody writes in an afternoon. `python -m benchmarks.naive FILE`.

Reads Kafka with `async for`, asks each compiled pattern in turn, posts under a semaphore of 100, and commits after every
5,000 records once all of them are posted. It keeps no history, signs nothing, never tries again, and one receiver that
does not answer stops all the others at the next commit.

FILE is JSON: bootstrap, topic, group, patterns, urls (by project) and limit (records to handle; 0: until SIGTERM).
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer

COLLECTOR_THRESHOLDS = (20_000, 50, 100)
"""Python's collector runs more rarely: without this the baseline is a tenth slower, and too weak to compare with."""
AT_ONCE = 100
COMMIT_EVERY = 5_000
HEADERS = {"Content-Type": "application/json"}


class Naive:
    """Consumer, patterns and session."""

    def __init__(self, options: dict[str, Any], consumer: Any, session: aiohttp.ClientSession) -> None:
        self.patterns = [re.compile(text, re.DOTALL) for text in options["patterns"]]
        self.urls: dict[str, str] = options["urls"]
        self.limit: int = options["limit"]
        self.consumer = consumer
        self.session = session
        self.semaphore = asyncio.Semaphore(AT_ONCE)
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Handle records until the limit."""
        done = 0
        async for record in self.consumer:
            event = orjson.loads(record.value)
            for pattern in self.patterns:
                if pattern.fullmatch(event["type"]):
                    await self.semaphore.acquire()
                    self.tasks.append(asyncio.create_task(self.post(self.urls[event["project"]], record.value)))
            done += 1
            if done % COMMIT_EVERY == 0 or done == self.limit:
                await asyncio.gather(*self.tasks)
                self.tasks.clear()
                await self.consumer.commit()
            if done == self.limit:
                return

    async def post(self, url: str, body: bytes) -> None:
        """Post one event."""
        try:
            async with self.session.post(url, data=body, headers=HEADERS) as answer:
                await answer.read()
        finally:
            self.semaphore.release()


async def main(options: dict[str, Any]) -> None:
    """Connect, run, leave."""
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    consumer = AIOKafkaConsumer(
        options["topic"],
        bootstrap_servers=options["bootstrap"],
        group_id=options["group"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await Naive(options, consumer, session).run()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
