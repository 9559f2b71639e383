"""How a sender is put to the test: made, sent through, and closed, each within its time."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from alertd.destinations.base import HttpAnswer, HttpRequest, Sender, SendError
from alertd.destinations.guard import EgressPolicy
from tests.conformance.sender_behaviours import PATIENCE
from tests.conformance.sender_peer import serve, soon

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.conformance.sender_peer import Handler

    Lookup = Callable[[str, int], Awaitable[list[str]]]

BIG: Final = 8 * 1024 * 1024
"""Bytes that do not fit into the buffers of a connection."""

LOOPBACK: Final = ("127.0.0.0/8",)


class SenderCase(ABC):
    """What the parts of the suite share."""

    @abstractmethod
    def make(
        self, policy: EgressPolicy, *, ssl_context: ssl.SSLContext | None = None, lookup: Lookup | None = None
    ) -> Sender:
        """Make a fresh sender."""

    @asynccontextmanager
    async def sender(
        self,
        *allow: str,
        ssl_context: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
        policy: EgressPolicy | None = None,
    ) -> AsyncIterator[Sender]:
        """Make a sender that may go to loopback unless said otherwise, and close it afterwards."""
        made = self.make(policy or EgressPolicy(allow or LOOPBACK), ssl_context=ssl_context, lookup=lookup)
        try:
            yield made
        finally:
            await soon(made.close())

    async def send(self, sender: Sender, url: str, body: bytes = b"{}", timeout: float = PATIENCE) -> HttpAnswer:  # noqa: ASYNC109 - the sender's own, under test
        """Post within the deadline."""
        request = HttpRequest(url, body, {"content-type": "application/json", "x-a": "b"})
        answer: HttpAnswer = await soon(sender.send(request, timeout))
        return answer

    async def answer(self, handler: Handler, timeout: float = PATIENCE, body: bytes = b"{}") -> HttpAnswer:  # noqa: ASYNC109 - as above
        """Serve, post once and return the answer."""
        async with serve(handler) as server, self.sender() as sender:
            return await self.send(sender, server.url(), body, timeout)

    async def error(self, handler: Handler, timeout: float = PATIENCE, body: bytes = b"{}") -> SendError:  # noqa: ASYNC109 - as above
        """Serve, post once and return the error, after checking that a second client is still served in time."""
        async with serve(handler) as server, self.sender() as sender:
            return await self.failure(sender, server.url(), timeout, body)

    async def failure(self, sender: Sender, url: str, timeout: float = PATIENCE, body: bytes = b"{}") -> SendError:  # noqa: ASYNC109 - as above
        """Post once and return the error; it must come no later than the time-out says."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(SendError) as caught:
            await self.send(sender, url, body, timeout)
        assert loop.time() - began < timeout + 5
        assert "\n" not in str(caught.value)
        return caught.value
