"""Resolves host names to those of their addresses that the egress guard permits, and remembers them for a while."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from alertd.destinations.faults import EgressRefusedError
from alertd.destinations.http_bounds import DNS_CACHE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from alertd.destinations.guard import EgressPolicy

    Lookup = Callable[[str, int], Awaitable[list[str]]]

NAMES_MAX: Final = 10_000
"""Names whose addresses are remembered."""


def permitted(policy: EgressPolicy, host: str, addresses: Sequence[str], port: int = 0) -> list[str]:
    """Keep the addresses that the guard permits, in their order.

    Raises EgressRefusedError, with the first reason, when none is left, and OSError when there was none to begin with.
    """
    reasons = {address: policy.check_address(host, address, port) for address in addresses}
    good = [address for address, reason in reasons.items() if reason is None]
    if good:
        return good
    first = next(iter(reasons.values()), None)
    raise EgressRefusedError(first) if first else OSError("the name has no addresses")


async def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise OSError("not a name that DNS can hold") from error
    return [str(info[4][0]) for info in infos]


class Resolver:
    """Resolves through `lookup` (None: the system's resolver; raises OSError).

    A name is asked for once at a time, whoever waits for it and whoever stops waiting: a look-up cannot be called back
    from the system, so a dead name must not take up a thread for each attempt.
    """

    def __init__(self, policy: EgressPolicy, lookup: Lookup | None = None) -> None:
        self._policy = policy
        self._lookup = lookup or system_lookup
        self._known: dict[tuple[str, int], tuple[float, list[str]]] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the permitted addresses, at least one. Raises EgressRefusedError or OSError."""
        key, loop = (host, port), asyncio.get_running_loop()
        until, known = self._known.get(key, (0.0, []))
        if loop.time() < until:
            return known
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = loop.create_task(self._ask(host, port))
            task.add_done_callback(partial(self._asked, key))
        return await asyncio.shield(task)

    def close(self) -> None:
        """Stop asking. Twice is fine."""
        for task in self._asking.values():
            task.cancel()

    async def _ask(self, host: str, port: int) -> list[str]:
        return permitted(self._policy, host, await self._lookup(host, port), port)

    def _asked(self, key: tuple[str, int], task: asyncio.Task[list[str]]) -> None:
        del self._asking[key]
        if task.cancelled() or task.exception() is not None:  # whoever waits is told by the task itself
            return
        if len(self._known) >= NAMES_MAX:
            self._known.clear()
        self._known[key] = (task.get_loop().time() + DNS_CACHE_SECONDS, task.result())
