"""Whom the system trusts, as a TLS context: more than a hundred certificates, for which the loop would stand still."""

from __future__ import annotations

import asyncio
import ssl
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.own_thread import in_own_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ONE_AT_A_TIME: Final = threading.Lock()


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


def load_aiohttp() -> None:
    """Import aiohttp, in any thread. It makes two contexts that no sender of ours uses: these trust nobody.

    To read the system's certificates for them was a twenty-fifth of a start, and some memory.
    """
    if "aiohttp" in sys.modules:
        return
    with trusting_nobody():
        import aiohttp  # noqa: F401, PLC0415 - that is what it is for


@contextmanager
def trusting_nobody() -> Iterator[None]:
    """Let the contexts that this thread makes within by default trust nobody; those of others are as always."""
    with _ONE_AT_A_TIME:
        make = ssl.create_default_context
        ssl.create_default_context = _distrusting(threading.get_ident(), make)
        try:
            yield
        finally:
            ssl.create_default_context = make


def _distrusting(own: int, make: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    def made(*arguments: Any, **options: Any) -> ssl.SSLContext:
        if threading.get_ident() == own:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return make(*arguments, **options)

    return made
