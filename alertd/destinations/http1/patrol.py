"""Looks after all open connections: ends those whose time is over, at most `TICK_SECONDS` late, by one timer.

Each connection says in `expires` when it must be looked at: the deadline of the exchange under way, or the end of its
rest. Nothing is set or cleared for a request; the timer finds what is over when the first of them can be.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_SECONDS: Final = 0.02
"""Least time between two looks."""

TOGETHER_MAX: Final = 16
"""Connections that write together at most, so that the first of them does not wait for the work of a long turn."""

PARTING_SECONDS: Final = 1.0
"""Most that connections may take to close when all of them are told to."""


class Watched(Protocol):
    """What is looked after."""

    expires: float

    def expire(self) -> None:
        """End what takes too long, now."""

    def end(self, reason: str) -> None:
        """Close, whatever is under way."""


class Patrol:
    """The connections of one sender, on the running loop.

    `now` is that loop's clock, `future` makes futures of it; nothing is looked at before `next_look`.
    """

    __slots__ = ("_connections", "_empty", "_loop", "_sending", "_timer", "future", "next_look", "now")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections: set[Watched] = set()
        self.next_look = inf
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._sending: list[Callable[[], None]] = []
        self.now: Callable[[], float] = self._loop.time
        self.future: Callable[[], asyncio.Future[Any]] = self._loop.create_future

    @property
    def count(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def add(self, connection: Watched) -> None:
        """Look after one more."""
        self._connections.add(connection)
        self.expect(connection.expires)

    def discard(self, connection: Watched) -> None:
        """Forget one that is closed."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def send_soon(self, send: Callable[[], None]) -> None:
        """Let a connection write at the end of this turn of the loop, together with others that have something to write.

        Written one behind the other, requests cost the system less than each between two pieces of other work: a receiver
        on the same machine is woken once for all of them.
        """
        if not self._sending:
            self._loop.call_soon(self._send)
        self._sending.append(send)
        if len(self._sending) >= TOGETHER_MAX:
            self._send()

    def expect(self, at: float) -> None:
        """See to it that there is a look at this time."""
        if at >= self.next_look:
            return
        if self._timer is not None:
            self._timer.cancel()
        self.next_look = at
        self._timer = self._loop.call_at(at, self._look)

    async def end(self, reason: str) -> None:
        """Close all connections and wait for their end."""
        self._empty.clear()
        for connection in tuple(self._connections):
            connection.end(reason)
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), PARTING_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.next_look = None, inf

    def _send(self) -> None:
        sending, self._sending = self._sending, []
        for send in sending:
            send()

    def _look(self) -> None:
        now = self.now()
        self._timer, self.next_look = None, inf
        over = [connection for connection in self._connections if connection.expires <= now]
        first = min((each.expires for each in self._connections if each.expires > now), default=inf)
        for connection in sorted(over, key=_expires):  # one that expired first ends first, also when the look was late
            connection.expire()
        if first < inf:
            self.expect(max(first, now + TICK_SECONDS))


def _expires(connection: Watched) -> float:
    return connection.expires
