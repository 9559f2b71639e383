"""The hub: tells those who follow live that something was stored. It carries nothing, keeps nothing and blocks nobody."""

from __future__ import annotations

import asyncio


class Hub:
    """Rings when events or outcomes were stored, and for the last time when the daemon stops."""

    def __init__(self) -> None:
        self.closed = False
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake up everybody who waits."""
        rung, self._next = self._next, asyncio.Event()
        rung.set()

    def next_ring(self) -> asyncio.Event:
        """Return what the next ring sets: whoever takes it before a look at the store misses nothing."""
        return self._next

    def close(self) -> None:
        """End all streams (shutdown)."""
        self.closed = True
        self.ring()
