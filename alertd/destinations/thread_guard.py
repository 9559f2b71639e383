"""The egress guard for foreign code that makes its own connections: it watches the thread in which that code runs.

Python tells of every connection before it is made (PEP 578), with the address that is connected to, so no second look-up
leads elsewhere, and redirects are seen too. (Where an address is forbidden by itself, the names that were looked up are
looked up once more: one that is permitted may have led there.) Threads that the code starts are watched as it is, and those that these start;
none of them may connect once the watch has ended. Python tells of threads from 3.12 on only, and not before their first
moment, so `threading.Thread.start` is wrapped; it does for everybody else what it did. Other programs are not started.
What is not seen: libraries that do not go through Python's sockets, and where a proxy connects to.
"""

from __future__ import annotations

import functools
import socket
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from alertd.destinations.faults import EgressRefusedError
from alertd.destinations.guard import literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from alertd.destinations.base import Permit

NAMES_MAX: Final = 64
"""Names that were looked up last, which are remembered: one of them may be what an address is permitted by."""

_LOOKUPS: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_CONNECTS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_THREADS: Final = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
_PROGRAMS: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"}
)
_watched = threading.local()
_installing: Final = threading.Lock()
_installed: Final[list[bool]] = []


class ThreadGuard:
    """Watches the thread that enters it, and those that it starts. `permit` says why an address is refused, or None."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self._names: deque[str] = deque(maxlen=NAMES_MAX)
        self._ended = False
        self._around: ThreadGuard | None = None
        self.refused = ""
        """Why a connection was refused; empty: none was."""
        self.connections = 0
        """Connections that were permitted."""

    def __enter__(self) -> Self:
        """Begin to watch, in place of a guard that does so already."""
        _install()
        self._around = getattr(_watched, "guard", None)
        _watched.guard = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Watch this thread no more; threads that it has started may go on, but connect to nothing."""
        self._ended = True
        _watched.guard = self._around

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        """Look at what is about to happen. Raises EgressRefusedError, which keeps it from happening."""
        if event in _LOOKUPS:
            self._note(args[0])
        elif event in _CONNECTS:
            self._judge(args[1])
        elif event in _THREADS:
            self._look_at(args[0])
        elif event in _PROGRAMS:
            self._refuse("other programs are not started")

    def _note(self, host: Any) -> None:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
        if name not in self._names:
            self._names.append(name)

    def _judge(self, address: Any) -> None:
        if address is None:
            return  # a message on a connection that was judged when it was made
        if self._ended:
            self._refuse("the attempt that this belongs to has ended")
        if not isinstance(address, tuple) or len(address) < 2:  # noqa: PLR2004 - address and port
            self._refuse("only the network is connected to, nothing of this machine")
        if literal(str(address[0]).partition("%")[0]) is None:
            self._refuse("a name that only the system looks up cannot be judged; give the address in its place")
        reason = self._reason(str(address[0]), int(address[1]))
        if reason is not None:
            self._refuse(reason)
        self.connections += 1

    def _reason(self, ip: str, port: int) -> str | None:
        """Say why an address is refused, or None. A name that permits it must have been looked up, and be its own."""
        reason = self._permit("", ip, port)
        if reason is None:
            return None
        named = [self._permit(name, ip, port) for name in tuple(self._names) if ip in _addresses(name)]
        return None if None in named else next(iter(named), reason)

    def follow(self, thread: threading.Thread) -> None:
        """Have a thread watched that is about to be started."""
        thread.run = _Watched(self, thread.run)  # type: ignore[method-assign]  # what it calls first

    def _look_at(self, function: Any) -> None:
        if not isinstance(getattr(getattr(function, "__self__", None), "run", None), _Watched):
            self._refuse("threads are started by Python's own class of threads")

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        raise EgressRefusedError(reason)


class _Watched:
    """What a thread runs, watched from its first to its last moment."""

    def __init__(self, guard: ThreadGuard, run: Callable[[], None]) -> None:
        self._guard = guard
        self._run = run

    def __call__(self) -> None:
        _watched.guard = self._guard
        self._run()


def _addresses(name: str) -> set[str]:
    """Look up what a name stands for; nothing when that cannot be said. It only ever narrows what is permitted."""
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(name, None)}
    except (OSError, ValueError):  # a UnicodeError is a ValueError
        return set()


def _hear(event: str, args: tuple[Any, ...]) -> None:
    guard = getattr(_watched, "guard", None)
    if guard is not None:
        guard.see(event, args)


def _install() -> None:
    """Listen from now on; there is no way to stop, so it is done once for the process, when first needed."""
    with _installing:
        if not _installed:
            sys.addaudithook(_hear)
            threading.Thread.start = _following(threading.Thread.start)  # type: ignore[method-assign, assignment]  # for all threads
            _installed.append(True)


def _following(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Make a `start` that has threads watched which a watched one starts."""

    @functools.wraps(start)
    def watching(thread: threading.Thread) -> None:
        guard = getattr(_watched, "guard", None)
        if guard is not None:
            guard.follow(thread)
        start(thread)

    return watching
