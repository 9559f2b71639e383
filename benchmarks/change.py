"""The operator: creates channels while the daemon works. `python -m benchmarks.change FILE`, started by the harness.

FILE is JSON: host, port, connections, seconds, count, and `asks`: then it changes nothing and only asks whether the daemon
is healthy. It says `ready`, begins when a line comes in, and sends its requests evenly over `seconds`; one whose time has
come while all connections are busy waits for one. At the end it prints JSON: how many were answered, the 50th and the 99th
percentile of the time that one took, its wait included, and how long all of them took together.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import uvloop

from benchmarks.workload import ADMIN_TOKEN

if TYPE_CHECKING:
    from collections.abc import Coroutine

CREATED = 201
HEALTHY = 200


async def main(options: dict[str, Any]) -> None:
    """Send all of them, and say how it went."""
    base = f"http://{options['host']}:{options['port']}"
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    connector = aiohttp.TCPConnector(limit=options["connections"])
    async with aiohttp.ClientSession(base, headers=headers, connector=connector) as session:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        begun = time.monotonic()
        gap = options["seconds"] / options["count"]
        send = _ask if options["asks"] else _create
        took = await asyncio.gather(*(_timed(send(session, n), begun + n * gap) for n in range(options["count"])))
        seconds = time.monotonic() - begun
    took.sort()
    figures = {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}
    print(json.dumps({"answered": len(took), "seconds": seconds, **figures}), flush=True)


async def _timed(request: Coroutine[Any, Any, None], due: float) -> float:
    """Send a request when its time has come; return the milliseconds that it took."""
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    begun = time.monotonic()
    await request
    return (time.monotonic() - begun) * 1e3


async def _create(session: aiohttp.ClientSession, number: int) -> None:
    document = {"name": f"made{number}", "kind": "glob", "pattern": f"made{number}.*.failed"}
    async with session.post("/api/v1/workspaces/default/channels", json=document) as response:
        await _expect(CREATED, response)


async def _ask(session: aiohttp.ClientSession, _: int) -> None:
    async with session.get("/-/healthy") as response:
        await _expect(HEALTHY, response)


async def _expect(status: int, response: aiohttp.ClientResponse) -> None:
    text = await response.text()
    if response.status != status:
        raise SystemExit(f"the answer was {response.status}: {text}")


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
