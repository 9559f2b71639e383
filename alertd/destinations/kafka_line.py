"""One producer's life: started when it is first needed, shared by a destination's attempts, thrown away when it broke.

A producer that is idempotent never gives up a record by itself, and one whose numbering is broken refuses all that follows.
So one that failed is retired: it takes nothing more, and it is closed, whatever it still holds, when the last attempt has
left it. The next attempt makes another.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.kafka_client import Reach, guarded_producer
from alertd.destinations.kafka_inside import tear_out
from alertd.runtime import look_away

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from alertd.destinations.base import Connect
    from alertd.destinations.kafka_record import Record

CLOSE_SECONDS: Final = 0.3
"""How long a producer may take to end by itself; then its tasks are cancelled and its connections closed."""


class KafkaLine:
    """A connection to a cluster. `options` are aiokafka's, `context` is that of its TLS (None: no TLS)."""

    def __init__(self, options: Mapping[str, Any], context: ssl.SSLContext | None, connect: Connect) -> None:
        self.reach = Reach(connect)
        self.context = context
        self.users = 0
        self.retired = False
        self._options = dict(options) | {"ssl_context": context}
        self._producer: Any = None
        self._starting: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def produce(self, topic: str, record: Record) -> tuple[int, int]:
        """Produce one record; return its partition and offset.

        Raises aiokafka's errors, UnknownClientError and CancelledError.
        """
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name="kafka-start")
            self._starting.add_done_callback(look_away)
        await asyncio.shield(self._starting)
        sent = await self._producer.send(topic, record.value, record.key, headers=list(record.headers))
        found = await sent
        return found.partition, found.offset

    def leave(self) -> None:
        """Take one user away; the last one of a retired line closes it."""
        self.users -= 1
        if self.retired and not self.users:
            self._end()

    def retire(self) -> None:
        """Let nobody else in; close it as soon as nobody is left. Twice is fine."""
        self.retired = True
        if not self.users:
            self._end()

    @property
    def is_closed(self) -> bool:
        """Whether nothing of it is left."""
        return self._closing is not None and self._closing.done()

    async def closed(self) -> None:
        """Wait until a retired line is closed."""
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _start(self) -> None:
        self._producer = guarded_producer(self.reach, **self._options)
        await self._producer.start()

    def _end(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="kafka-close")

    async def _close(self) -> None:
        """Stop in good order, or else at once."""
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.wait({self._starting}, timeout=CLOSE_SECONDS)
        if self._producer is None:
            return
        stopping = asyncio.create_task(self._producer.stop(), name="kafka-stop")
        stopping.add_done_callback(look_away)
        try:
            await asyncio.wait({stopping}, timeout=CLOSE_SECONDS)
        finally:
            torn = tear_out(self._producer)
            stopping.cancel()
        if torn:
            await asyncio.wait(torn, timeout=CLOSE_SECONDS)
