"""Resolves host names to those of their addresses that the egress guard permits, and remembers them for a while."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from alertd.destinations.faults import EgressRefusedError, unresolved
from alertd.destinations.guard import literal
from alertd.destinations.http_bounds import DNS_CACHE_SECONDS
from alertd.destinations.own_thread import in_own_thread
from alertd.runtime import look_away

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from alertd.destinations.guard import EgressPolicy

    Lookup = Callable[[str, int], Awaitable[list[str]]]

NAMES_MAX: Final = 10_000
"""Names whose addresses are remembered."""

LOOKUPS_MAX: Final = 256
"""Names that are asked for at a time; beyond them a name does not resolve for now."""


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
    """Ask the system's resolver. Raises OSError.

    In a thread of its own: the system cannot be called back, and waits for half a minute for a server that does not answer.
    """
    return await in_own_thread(partial(_ask_system, host, port), "lookup")


def _ask_system(host: str, port: int) -> list[str]:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise OSError("not a name that DNS can hold") from error
    return [str(info[4][0]) for info in infos]


class Lookups:
    """Look-ups under way through `lookup`, which resolves a host name and port to addresses, or raises OSError.

    A name is asked for once at a time, whoever waits for it and whoever stops waiting: a look-up cannot be called back
    from the system, so a dead name must not take up a thread for each attempt. At most `LOOKUPS_MAX` names are asked for.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._asking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def ask(self, host: str, port: int) -> list[str]:
        """Return the addresses. Raises as the look-up does, and OSError beyond the bound."""
        key = (host, port)
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= LOOKUPS_MAX:
                raise OSError(f"{LOOKUPS_MAX} other names are being looked up")
            task = self._asking[key] = asyncio.ensure_future(self._lookup(host, port))
            task.add_done_callback(partial(self._asked, key))
        return await asyncio.shield(task)

    def close(self) -> None:
        """Stop asking. Twice is fine."""
        for task in self._asking.values():
            task.cancel()

    def _asked(self, key: tuple[str, int], task: asyncio.Future[list[str]]) -> None:
        del self._asking[key]
        look_away(task)  # whoever waits is told by the task itself


class Resolver:
    """Resolves through `lookup` (None: the system's resolver; raises OSError), and remembers what was permitted."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup | None = None) -> None:
        self._policy = policy
        self._lookup = lookup or system_lookup
        self._lookups = Lookups(self._look_up)
        self._known: dict[tuple[str, int], tuple[float, list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the permitted addresses, at least one. Raises EgressRefusedError or OSError."""
        until, known = self._known.get((host, port), (0.0, []))
        if asyncio.get_running_loop().time() < until:
            return known
        return await self._lookups.ask(host, port)

    async def reachable(self, host: str, port: int) -> list[str]:
        """Return what may be connected to, at least one: the permitted addresses of a name, or `host` when it is an address.

        Raises EgressRefusedError, and SendError for a name that does not resolve.
        """
        if literal(host) is not None:
            if reason := self._policy.check_address("", host, port):
                raise EgressRefusedError(reason)
            return [host]
        try:
            return await self.addresses(host, port)
        except EgressRefusedError:
            raise
        except OSError as error:
            raise unresolved(host, error) from error

    def close(self) -> None:
        """Stop asking. Twice is fine."""
        self._lookups.close()

    async def _look_up(self, host: str, port: int) -> list[str]:
        """Look up, judge and remember: also what comes when nobody waits any more, for the next attempt."""
        found = permitted(self._policy, host, await self._lookup(host, port), port)
        if len(self._known) >= NAMES_MAX:
            self._known.clear()
        self._known[host, port] = (asyncio.get_running_loop().time() + DNS_CACHE_SECONDS, found)
        return found
