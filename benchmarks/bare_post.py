"""The baseline: aiohttp posting as fast as it can. `python -m benchmarks.bare_post FILE`.

64 tasks on 64 keep-alive connections post the workload's events to the same receiver and do nothing else.
FILE is JSON: urls and limit (how many posts).
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import uvloop

from benchmarks.workload import events

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 64
HEADERS = {"Content-Type": "application/json"}


async def worker(session: aiohttp.ClientSession, work: Iterator[tuple[str, bytes]]) -> None:
    """Post one after the other."""
    for url, body in work:
        async with session.post(url, data=body, headers=HEADERS) as answer:
            await answer.read()


async def main(urls: list[str], limit: int) -> None:
    """Post so many."""
    bodies = list(events(80, seed=1))
    work = ((url, body) for _, url, body in zip(range(limit), cycle(urls), cycle(bodies), strict=False))
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(worker(session, work) for _ in range(CONNECTIONS)))


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    uvloop.run(main(given["urls"], given["limit"]))
