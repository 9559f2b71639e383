"""Whom the system trusts, as a TLS context: more than a hundred certificates, for which the loop would stand still."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial

from alertd.destinations.own_thread import in_own_thread


class Trust:
    """A TLS context: the one that is given, else the system's, read when it is first asked for.

    `protocols` are what the system's offers to servers (ALPN).
    """

    def __init__(self, context: ssl.SSLContext | None, *protocols: str) -> None:
        self._context = context
        self._protocols = protocols
        self._reading = asyncio.Lock()

    async def context(self) -> ssl.SSLContext:
        """Return it."""
        async with self._reading:
            if self._context is None:
                self._context = await system_trust(*self._protocols)
            return self._context


async def system_trust(*protocols: str) -> ssl.SSLContext:
    """Read it anew; `protocols` are offered to servers (ALPN)."""
    return await in_own_thread(partial(_read, protocols), "system-trust")


def _read(protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    return context
