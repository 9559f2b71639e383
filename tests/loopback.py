"""Applications of aiohttp on loopback, for tests that play somebody else's service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator


@asynccontextmanager
async def serving(
    app: web.Application, ssl_context: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    """Serve an application while the block runs, and give its port. The options are those of aiohttp's AppRunner."""
    runner = web.AppRunner(app, access_log=None, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
