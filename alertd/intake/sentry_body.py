"""The bodies of requests whose bound is not the server's own: received up to a bound each, and all together up to another.

A body is held while it is received and read, not while its events are committed. Large ones are inflated and decoded in
threads, few at a time, so that the loop goes on and memory stays bounded.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from alertd.errors import IntakeFullError, TooLargeError
from alertd.intake.http import BODY_SECONDS
from alertd.model.intake_endpoint import HELD_MAX_BYTES
from alertd.sources.sentry_compression import decompress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from alertd.model.event import Event

INFLATED_HERE_MAX_BYTES: Final = 64 * 1024
"""Greatest size of a compressed body that is inflated in the event loop; a larger one is in a thread."""
DECODED_HERE_MAX_BYTES: Final = 256 * 1024
"""Greatest size of a body that is decoded in the event loop; a larger one is in a thread."""
WORKED_MAX: Final = 2
"""How many bodies are inflated or decoded in threads at the same time."""


class Bodies:
    """Receives and inflates bodies within the bounds."""

    def __init__(self, held_max_bytes: int = HELD_MAX_BYTES) -> None:
        self._most = held_max_bytes
        self._working = asyncio.Semaphore(WORKED_MAX)
        self.held_bytes = 0

    @asynccontextmanager
    async def received(self, request: web.Request, limit: int) -> AsyncIterator[bytes]:
        """Hold a request's body as it is on the wire, at most `limit` bytes, until the block ends.

        Raises `TooLargeError`, `IntakeFullError` when too much is held already, `web.HTTPRequestTimeout`.
        """
        length = request.content_length
        if length is not None and length > limit:
            raise TooLargeError(f"the body has {length} bytes, at most {limit} are accepted")
        chunks: list[bytes] = []
        try:
            await self._receive(request, limit, chunks)
            yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            self.held_bytes -= sum(map(len, chunks))

    async def inflated(self, encoding: str | None, body: bytes, limit: int) -> bytes:
        """Inflate a body by its `Content-Encoding`, up to `limit` bytes. Errors: as `sentry_compression.decompress`."""
        if not encoding or len(body) <= INFLATED_HERE_MAX_BYTES:
            return decompress(encoding, body, limit)
        async with self._working:
            return await asyncio.to_thread(decompress, encoding, body, limit)

    async def decoded(self, size: int, decode: Callable[[], list[Event]]) -> list[Event]:
        """Let a pure decoder make the events of a body of `size` bytes; raises what the decoder raises."""
        if size <= DECODED_HERE_MAX_BYTES:
            return decode()
        async with self._working:
            return await asyncio.to_thread(decode)

    async def _receive(self, request: web.Request, limit: int, chunks: list[bytes]) -> None:
        """Put what comes into `chunks`, counting it as held."""
        left = limit
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.content.iter_any():
                    chunks.append(chunk)
                    self.held_bytes += len(chunk)
                    left -= len(chunk)
                    if left < 0:
                        raise TooLargeError(f"the body is larger than {limit} bytes")
                    if self.held_bytes > self._most:
                        raise IntakeFullError
        except TimeoutError:
            raise web.HTTPRequestTimeout(text=f"the body did not arrive within {BODY_SECONDS} s") from None
