"""The baseline: an aiohttp server whose handler reads the body and answers 202. `python -m benchmarks.bare_handler`.

One line on standard output says its port.
"""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import web


async def handle(request: web.Request) -> web.Response:
    """Read the body and forget it."""
    await request.read()
    return web.Response(status=202)


async def main() -> None:
    """Listen until killed."""
    app = web.Application()
    app.router.add_post("/api/v1/events", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
