"""The egress guard for foreign code that makes its own connections: it watches the thread in which that code runs.

Python tells of every connection before it is made (PEP 578), with the address that a name was resolved to, so there is no
second look-up, and redirects are seen too. What the code does in threads of its own, in other processes (which it cannot
start here) or in libraries that do not go through Python's sockets, is not seen.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from alertd.destinations.faults import EgressRefusedError

if TYPE_CHECKING:
    from types import TracebackType

    from alertd.destinations.base import Permit

_CONNECTS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_STARTS: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"}
)
_watched = threading.local()
_installing: Final = threading.Lock()
_installed: Final[list[bool]] = []


class ThreadGuard:
    """Watches the thread that enters it. `permit` says why an address may not be connected to, or None."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self._host = ""
        self.refused = ""
        """Why a connection was refused; empty: none was."""
        self.connections = 0
        """Connections that were permitted."""

    def __enter__(self) -> Self:
        """Begin to watch."""
        _install()
        _watched.guard = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Watch no more."""
        _watched.guard = None

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        """Look at what is about to happen in the thread. Raises EgressRefusedError, which keeps it from happening."""
        if event == "socket.getaddrinfo":
            host = args[0]
            self._host = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
        elif event in _CONNECTS:
            self._judge(args[1])
        elif event in _STARTS:
            self._refuse("other programs are not started")

    def _judge(self, address: Any) -> None:
        if address is None:
            return  # a message on a connection that was judged when it was made
        if not isinstance(address, tuple) or len(address) < 2:  # noqa: PLR2004 - address and port
            self._refuse("only the network is connected to, nothing of this machine")
        reason = self._permit(self._host, str(address[0]), int(address[1]))
        if reason is not None:
            self._refuse(reason)
        self.connections += 1

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        raise EgressRefusedError(reason)


def _hear(event: str, args: tuple[Any, ...]) -> None:
    guard = getattr(_watched, "guard", None)
    if guard is not None:
        guard.see(event, args)


def _install() -> None:
    """Listen from now on; there is no way to stop, so it is done once for the process, when first needed."""
    with _installing:
        if not _installed:
            sys.addaudithook(_hear)
            _installed.append(True)
