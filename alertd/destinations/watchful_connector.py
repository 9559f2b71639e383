"""aiohttp's connector, made to notice what a server says while it is asked nothing.

aiohttp keeps such bytes for the next request on that connection, which would take another's answer for its own. Here
the connection is closed instead. No public hook of aiohttp sees a connection at rest, hence the private names.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from typing_extensions import override

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader
    from aiohttp.tracing import Trace


class WatchfulHandler(ResponseHandler):
    """One connection. `resting`: nothing was asked."""

    resting = False

    @override
    def data_received(self, data: bytes) -> None:
        """Take an answer; close when there is no question."""
        if self.resting and data:  # aiohttp feeds itself nothing when it goes on reading
            self.close()
        else:
            super().data_received(data)

    @override
    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take the head of an answer. Which request a 408 answers nobody knows: its server was tired of waiting for one."""
        if data[0].code == HTTPStatus.REQUEST_TIMEOUT:
            self.force_close()
        super().feed_data(data, size)


class WatchfulConnector(aiohttp.TCPConnector):
    """A connector whose connections are watched while they rest."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        factory: Any = partial(WatchfulHandler, loop=self._loop)
        self._factory = factory

    @override
    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        found = await super()._get(key, traces)
        if found is not None and isinstance(found.protocol, WatchfulHandler):
            found.protocol.resting = False
        return found

    @override
    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        if isinstance(protocol, WatchfulHandler):
            protocol.resting = True
