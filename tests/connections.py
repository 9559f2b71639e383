"""What this process connects to: every address that a socket is told to connect to is noted while somebody asks."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_listening: list[list[Any]] = []
_state = {"hooked": False}


@contextmanager
def connections() -> Iterator[list[Any]]:
    """Note the addresses of all connections that Python's own sockets make (uvloop makes its own)."""
    if not _state["hooked"]:
        sys.addaudithook(_hear)  # it cannot be taken back, so there is one for all
        _state["hooked"] = True
    heard: list[Any] = []
    _listening.append(heard)
    try:
        yield heard
    finally:
        _listening.remove(heard)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        for heard in _listening:
            heard.append(arguments[1])
