"""One opened destination and how many attempts are using it, so that it is closed after the last of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.destinations.base import OpenDestination


class Endpoint:
    """Whoever attempts adds 1 to `users`, takes it away again, and then calls `let_go` if it is `retired`.

    `instant` says that no attempt ever waits, so that a second worker would find nothing to do.
    """

    __slots__ = ("_close", "_closed", "destination", "instant", "retired", "users")

    def __init__(self, destination: OpenDestination, close: Callable[[OpenDestination], None]) -> None:
        self.destination = destination
        self.instant: bool = getattr(destination, "instant", False)
        self.users = 0
        self.retired = False
        self._close = close
        self._closed = False

    def retire(self) -> None:
        """Close it as soon as nobody uses it."""
        self.retired = True
        self.let_go()

    def let_go(self) -> None:
        """Close it if it is retired and nobody uses it any more."""
        if self.retired and not self.users and not self._closed:
            self._closed = True
            self._close(self.destination)
