"""Whom the system trusts, as a TLS context: more than a hundred certificates, for which the loop would stand still."""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor


async def system_trust(*protocols: str) -> ssl.SSLContext:
    """Read it anew; `protocols` are offered to servers (ALPN).

    The thread is one of its own: those of the loop may all be waiting, for a disk that does not answer perhaps.
    """
    executor = ThreadPoolExecutor(1, "system-trust")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, _read, protocols)
    finally:
        executor.shutdown(wait=False)


def _read(protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    return context
