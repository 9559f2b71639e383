"""The hub: what happens, told live to whoever listens (`alertd tail`). It keeps nothing and blocks nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUE_MAX: Final = 1000
"""How many entries wait for one slow subscriber; beyond that the oldest are dropped and counted."""


class Subscriber:
    """One subscriber's queue. `dropped` counts what it was too slow for."""

    __slots__ = ("_closed", "_entries", "_ready", "dropped")

    def __init__(self, bound: int) -> None:
        self.dropped = 0
        self._entries: deque[tuple[str, dict[str, Any]]] = deque(maxlen=bound)
        self._ready = asyncio.Event()
        self._closed = False

    def put(self, kind: str, entry: dict[str, Any]) -> None:
        """Queue an entry, dropping the oldest when full."""
        if len(self._entries) == self._entries.maxlen:
            self.dropped += 1
        self._entries.append((kind, entry))
        self._ready.set()

    def close(self) -> None:
        """End the stream after what is queued."""
        self._closed = True
        self._ready.set()

    async def get(self) -> tuple[str, dict[str, Any]]:
        """Wait for the next (kind, entry). Raises EOFError when the hub was closed and everything was read."""
        while not self._entries:
            if self._closed:
                raise EOFError
            self._ready.clear()
            await self._ready.wait()
        return self._entries.popleft()


class Hub:
    """Hands entries to all subscribers. Check `listening` before building an entry: then silence costs nothing."""

    def __init__(self) -> None:
        self.listening = False
        self._subscribers: set[Subscriber] = set()

    def publish(self, kind: str, entry: dict[str, Any]) -> None:
        """Tell all subscribers; `kind` is `delivery` or `verdict`, `entry` must not be changed afterwards."""
        for subscriber in self._subscribers:
            subscriber.put(kind, entry)

    @contextmanager
    def subscribe(self, bound: int = QUEUE_MAX) -> Iterator[Subscriber]:
        """Hear everything for as long as the context lasts; at most `bound` entries wait."""
        subscriber = Subscriber(bound)
        self._subscribers.add(subscriber)
        self.listening = True
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            self.listening = bool(self._subscribers)

    def close(self) -> None:
        """End all streams (shutdown)."""
        for subscriber in self._subscribers:
            subscriber.close()
