"""The address of the daemon, which is its own before anybody is answered there."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from alertd.undo import OnFailure

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG: Final = 128
"""How many connections may wait to be taken."""


class Listener:
    """One address: `bind` makes it ours, from then on connections wait; `serve` takes them. `port` is the true one once bound.

    A host name may have several addresses, each of which is listened on that this system can have.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.AbstractServer] = []

    async def bind(self) -> None:
        """Listen; twice is fine. Raises OSError when the address cannot be had."""
        if self._sockets or self._servers:
            return
        found = await asyncio.get_running_loop().getaddrinfo(
            self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        families = [family for family in dict.fromkeys(family for family, *_ in found) if _can(family)]
        with OnFailure(self.close):
            for family, address in dict.fromkeys((family, address) for family, *_, address in found):
                if family in families or not families:
                    self._sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
        self.port = self._sockets[0].getsockname()[1]

    async def serve(self, connection: Callable[[], asyncio.BaseProtocol]) -> None:
        """Take connections, `connection` making what talks to each."""
        loop = asyncio.get_running_loop()
        while self._sockets:
            self._servers.append(await loop.create_server(connection, sock=self._sockets[-1], backlog=BACKLOG))
            self._sockets.pop()  # it is the server's now

    def close(self) -> None:
        """Take no more; those that were taken stay."""
        for server in self._servers:
            server.close()
        for each in self._sockets:
            each.close()
        self._servers, self._sockets = [], []


def _can(family: int) -> bool:
    """Say whether this system has the family of addresses: one without IPv6 may have names for it."""
    try:
        socket.socket(family).close()
    except OSError:
        return False
    return True
