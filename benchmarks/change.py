"""The operator: creates channels while the daemon works. `python -m benchmarks.change FILE`, started by the harness.

FILE is JSON: host, port, connections, seconds and count. It says `ready`, begins when a line comes in, and sends its
writes evenly over `seconds`; a write whose time has come while all connections are busy waits for one. At the end it
prints JSON: how many were created, the 50th and the 99th percentile of the time that a write took, and how long all of
them took together.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from benchmarks.workload import ADMIN_TOKEN

CREATED = 201


async def main(options: dict[str, Any]) -> None:
    """Create all of them, and say how it went."""
    base = f"http://{options['host']}:{options['port']}"
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    connector = aiohttp.TCPConnector(limit=options["connections"])
    async with aiohttp.ClientSession(base, headers=headers, connector=connector) as session:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        begun = time.monotonic()
        gap = options["seconds"] / options["count"]
        took = await asyncio.gather(*(_create(session, n, begun + n * gap) for n in range(options["count"])))
        seconds = time.monotonic() - begun
    took.sort()
    figures = {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}
    print(json.dumps({"created": len(took), "seconds": seconds, **figures}), flush=True)


async def _create(session: aiohttp.ClientSession, number: int, due: float) -> float:
    """Create one channel when its time has come; return the milliseconds that it took."""
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    begun = time.monotonic()
    document = {"name": f"made{number}", "kind": "glob", "pattern": f"made{number}.*.failed"}
    async with session.post("/api/v1/workspaces/default/channels", json=document) as response:
        if response.status != CREATED:
            raise SystemExit(f"the answer was {response.status}: {await response.text()}")
    return (time.monotonic() - begun) * 1e3


if __name__ == "__main__":
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
