"""The HTTP proxy through which requests may leave, and the guard of what it connects to.

Behind a proxy nobody here sees which address is connected to. So only the proxy itself is; what a URL says is judged as
always; and a name is looked up here as well: one that leads to anything forbidden is refused. A name that is not known
here is the proxy's to look up, and to judge.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from yarl import URL

from alertd.destinations.faults import EgressRefusedError
from alertd.destinations.guard import EgressPolicy, literal, parse_url
from alertd.destinations.http_bounds import DNS_CACHE_SECONDS
from alertd.destinations.login import authorization

if TYPE_CHECKING:
    from alertd.destinations.resolver import Lookup

LOOKUP_SECONDS: Final = 2.0
"""How long a name is looked up here, at most: behind a proxy there may be nobody who answers."""
NAMES_MAX: Final = 10_000
"""Names that are remembered as judged."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that speaks HTTP. `url` is without a login; `login` is the header that logs in, or nothing."""

    url: URL
    login: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def policy(self) -> EgressPolicy:
        """What may be connected to: the proxy, and nothing else but what is public."""
        return EgressPolicy([self.url.raw_host or ""])


def proxy_of(text: str) -> Proxy:
    """Read `http://[user:password@]host:port`. Raises ValueError, which never repeats it."""
    try:
        whole = URL(text)
        bare = whole.with_user(None)
    except ValueError:
        raise ValueError("a proxy such as http://proxy.example.com:3128") from None
    parse_url(str(bare))
    if bare.scheme != "http" or bare.path not in {"", "/"} or bare.raw_query_string or bare.raw_fragment:
        raise ValueError("a proxy such as http://proxy.example.com:3128, spoken to without TLS, and without a path")
    return Proxy(bare, authorization(None, whole.user, SecretStr(whole.password or "")))


def checked_proxy(url: SecretStr) -> SecretStr:
    """Take a setting that `proxy_of` can read. Raises ValueError."""
    proxy_of(url.get_secret_value())
    return url


class ProxyGuard:
    """Judges where a proxy is asked to connect to. `lookup` resolves a host name and port, and raises OSError."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup
        self._good: dict[tuple[str, int], float] = {}

    async def judge(self, url: URL) -> None:
        """Raise EgressRefusedError when the host of a URL is known here to lead to anything forbidden."""
        key, loop = (url.raw_host or "", url.port or 0), asyncio.get_running_loop()
        if loop.time() < self._good.get(key, 0.0):
            return
        for address in await self._addresses(*key):
            if reason := self._policy.check_address(key[0], address, key[1]):
                raise EgressRefusedError(reason)
        if len(self._good) >= NAMES_MAX:
            self._good.clear()
        self._good[key] = loop.time() + DNS_CACHE_SECONDS

    async def _addresses(self, host: str, port: int) -> list[str]:
        if literal(host) is not None:
            return [host]
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self._lookup(host, port)
        except OSError:  # a TimeoutError is one
            return []
