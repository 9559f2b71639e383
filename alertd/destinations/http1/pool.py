"""The connections to one origin (scheme, host and port) that rest between two requests, the last one used on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alertd.destinations.http1.connection import Connection

IDLE_MAX: Final = 256
"""Connections that may rest for one origin; those beyond it are closed."""


class Pool:
    """What rests. `closed`: nothing is taken in any more."""

    __slots__ = ("_resting", "closed")

    def __init__(self) -> None:
        self._resting: list[Connection] = []
        self.closed = False

    @property
    def count(self) -> int:
        """How many connections rest."""
        return len(self._resting)

    def take(self, now: float) -> Connection | None:
        """Return one that is still good, or None; what is not good any more is closed."""
        resting = self._resting
        while resting:
            connection = resting.pop()
            if connection.good(now):
                return connection
            connection.end("")
        return None

    def put(self, connection: Connection) -> bool:
        """Keep one; False: there is no room."""
        if self.closed or len(self._resting) >= IDLE_MAX:
            return False
        self._resting.append(connection)
        return True

    def drop(self, connection: Connection) -> None:
        """Forget one that is closed."""
        if connection in self._resting:
            self._resting.remove(connection)

    def close(self) -> None:
        """Close those that rest, and take in no more."""
        self.closed = True
        while self._resting:
            self._resting.pop().end("")
