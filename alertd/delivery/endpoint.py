"""One opened destination and how many attempts are using it, so that it is closed after the last of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from alertd.destinations.base import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.destinations.base import OpenDestination

UNREAD: Final = Message("", "", 1, "", "", "", None, "", b"{}", "")
"""What an instant destination is given: writing a message that nobody reads would cost more than all else about it."""
_log = structlog.get_logger("alertd.delivery")


class Endpoint:
    """Whoever attempts adds 1 to `users`, takes it away again, and then calls `let_go` if it is `retired`.

    `instant` says that an attempt neither waits nor looks at its message: so one worker is enough, and no message is written.
    """

    __slots__ = ("_close", "_closed", "bygone", "destination", "instant", "retired", "users")

    def __init__(self, destination: OpenDestination, close: Callable[[OpenDestination], None]) -> None:
        self.destination = destination
        self.instant: bool = getattr(destination, "instant", False)
        self.users = 0
        self.retired = self.bygone = False
        self._close = close
        self._closed = False

    def retire(self, *, bygone: bool = True) -> None:
        """Close it as soon as nobody uses it. `bygone`: what it still says is of a receiver that is not ours any more."""
        self.retired, self.bygone = True, bygone
        self.let_go()

    def let_go(self) -> None:
        """Close it if it is retired and nobody uses it any more."""
        if self.retired and not self.users and not self._closed:
            self._closed = True
            self._close(self.destination)


async def closed(destination: OpenDestination) -> None:
    """Close a destination; one that cannot be closed must not end the daemon."""
    try:
        await destination.close()
    except Exception as error:  # noqa: BLE001 - a destination that breaks its contract
        _log.error("destination.broken", exc_info=error)
