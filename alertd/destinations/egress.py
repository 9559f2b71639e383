"""The guarded sender: HTTP requests over aiohttp, to addresses that the egress guard permits and to no other.

A name is resolved once per connection, its addresses are checked, and only those are connected to; the check is
repeated at the socket, where address literals pass too, which no resolver sees. Redirects are answers, cookies and proxy
settings of the environment are ignored, and an answer is read up to its first kilobyte.

Once a status has come the answer stands, even when its body is cut off, trickles or is garbage: the receiver has
decided, and the status says how.

Whether a failed request may have been processed is known from its body: once it was handed to the network in full, a
lost answer is ambiguous. That includes a keep-alive connection which the receiver closed while the request was on its
way: for a POST nobody can tell it from a receiver that died while working (RFC 9112, 9.3.1), so it is never sent again
here but reported, and the lane tries again with the same delivery id. To make it rare, idle connections are dropped after
`KEEPALIVE_SECONDS`, sooner than the usual servers do.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.payload import Payload
from multidict import CIMultiDict
from typing_extensions import override

from alertd.destinations.base import HttpAnswer, SendError
from alertd.destinations.deadlines import Deadlines
from alertd.destinations.egress_faults import PROXY_LOGIN, send_error
from alertd.destinations.faults import UNSENDABLE, EgressRefusedError
from alertd.destinations.guard import parse_url
from alertd.destinations.header_names import check_names
from alertd.destinations.http_bounds import (
    CONNECT_SECONDS,
    DNS_CACHE_SECONDS,
    HEADERS_MAX,
    KEEPALIVE_SECONDS,
    LINE_BYTES_MAX,
    URLS_MAX,
    USER_AGENT,
)
from alertd.destinations.proxy import ProxyGuard
from alertd.destinations.resolver import Lookups, permitted, system_lookup
from alertd.destinations.system_trust import Trust
from alertd.destinations.watchful_connector import WatchfulConnector
from alertd.model.delivery import ANSWER_MAX
from alertd.undo import OnFailure

if TYPE_CHECKING:
    import ssl

    from aiohttp.abc import AbstractStreamWriter, ResolveResult
    from yarl import URL

    from alertd.destinations.base import HttpRequest
    from alertd.destinations.guard import EgressPolicy
    from alertd.destinations.proxy import Proxy
    from alertd.destinations.resolver import Lookup

READ_BUFFER_BYTES: Final = 16 * 1024
"""Bytes of an answer that may wait unread before the connection is told to pause."""

_LOGIN_WANTED: Final = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
_BODY_HEADERS: Final = CIMultiDict({"Content-Type": "application/octet-stream"})
"""What aiohttp takes as the content type where the request names none."""


class CheckedAddress(str):
    """An address that passed the guard together with the host name it belongs to."""

    __slots__ = ()


class AiohttpSender:
    """Sends through one aiohttp session, made when first used (a loop must run then).

    `ssl_context` is for TLS connections (None: the system's certificates, read when first needed); `lookup` resolves a host
    name and port to addresses (None: the system's resolver; raises OSError); with `proxy` everything leaves through it.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        ssl_context: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self._policy = policy
        self._lookups = Lookups(lookup or system_lookup)
        self._connected = policy if proxy is None else proxy.policy
        self._behind = None if proxy is None else ProxyGuard(policy, self._lookups.ask)
        self._through: dict[str, Any] = {} if proxy is None else {"proxy": proxy.url, "proxy_headers": proxy.login}
        self._trust = Trust(ssl_context, "http/1.1")
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._urls: dict[str, URL | str] = {}
        self._limits: dict[float, _Limits] = {}

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Send and return the answer (redirects are answers). Raises SendError."""
        url = self._urls.get(request.url) or self._check(request.url)
        if isinstance(url, str):
            raise SendError(f"egress refused: {url}", refused=True)
        _check_names(request)
        limits = self._limits.get(timeout_seconds) or self._limit(timeout_seconds)
        body = _Body(request.body)
        deadline = limits.deadlines.begin()
        response, kept = None, bytearray()
        try:
            if self._behind is not None:
                await self._behind.judge(url)
            context = await self._trust.context() if url.scheme == "https" else True
            response = await (self._session or self._open()).request(
                request.method,
                url,
                data=body,
                headers=request.headers,
                allow_redirects=False,
                timeout=limits.connecting,
                ssl=context,
                **self._through,
            )
            if self._through and response.status == _LOGIN_WANTED and url.scheme == "http":
                response.close()  # in a tunnel it would be the receiver that wants one
                raise SendError(PROXY_LOGIN)
            await _first_bytes(response, kept)
            return HttpAnswer(response.status, response.headers, bytes(kept))
        except asyncio.CancelledError:
            if not deadline.was_it():
                if self._closed and not deadline.from_outside():
                    raise SendError("the sender is closed", ambiguous=body.written) from None
                raise
            if response is not None:
                return HttpAnswer(response.status, response.headers, bytes(kept))
            raise send_error(TimeoutError(), limits.words, written=body.written) from None
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:  # uvloop raises RuntimeError, too
            # without its cause: aiohttp's own words repeat what the receiver said, and that may be what we sent
            raise send_error(error, limits.words, written=body.written) from None
        finally:
            deadline.done = True

    async def close(self) -> None:
        """Close all connections; what is still under way fails. Twice is fine."""
        self._closed = True
        self._lookups.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise SendError("the sender is closed")
        connector = WatchfulConnector(
            limit=0,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=DNS_CACHE_SECONDS,
            resolver=_GuardedResolver(self._connected, self._lookups.ask),
            socket_factory=self._checked_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": USER_AGENT},
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        return self._session

    def _check(self, text: str) -> URL | str:
        """Parse and check a URL once; a refusal is remembered as its reason."""
        if len(self._urls) >= URLS_MAX:
            self._urls.clear()
        found = self._policy.check_url(text) or parse_url(text)
        self._urls[text] = found
        return found

    def _limit(self, seconds: float) -> _Limits:
        connect = CONNECT_SECONDS if seconds > CONNECT_SECONDS else None
        made = _Limits(
            aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect),
            aiohttp.ClientTimeout(total=seconds, connect=connect or seconds),
            Deadlines(seconds),
        )
        self._limits[seconds] = made
        return made

    def _checked_socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Make the socket for one address, the last gate: `info` is what is connected to next."""
        family, kind, protocol, _, (address, port, *_) = info
        if not isinstance(address, CheckedAddress) and (reason := self._connected.check_address("", address, port)):
            raise EgressRefusedError(reason)
        return socket.socket(family, kind, protocol)


@dataclass(frozen=True, slots=True)
class _Limits:
    """One time-out: what aiohttp is told of it, what is said of it, and the deadlines of the requests under it."""

    connecting: aiohttp.ClientTimeout
    words: aiohttp.ClientTimeout
    deadlines: Deadlines


class _GuardedResolver(AbstractResolver):
    """Resolves names to those of their addresses that the guard permits."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": CheckedAddress(address),
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for address in permitted(self._policy, host, await self._lookup(host, port), port)
        ]

    @override
    async def close(self) -> None:
        """Hold nothing."""


def _check_names(request: HttpRequest) -> None:
    try:
        check_names((request.method, *request.headers))
    except ValueError as error:
        raise SendError(UNSENDABLE, refused=True) from error


class _Body(Payload):
    """A request's body that knows whether all of it was handed to the network."""

    def __init__(self, value: bytes) -> None:  # the base makes headers anew for each body; ours never differ
        self._value = value
        self.written = False

    @property
    @override
    def size(self) -> int:
        return len(self._value)

    @property
    @override
    def headers(self) -> CIMultiDict[str]:
        return _BODY_HEADERS

    @override
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)

    @override
    async def write(self, writer: AbstractStreamWriter) -> None:
        await writer.write(self._value)
        self.written = True


async def _first_bytes(response: aiohttp.ClientResponse, kept: bytearray) -> None:
    """Read the first kilobyte into `kept`, and give the connection back, or close it when more is to come."""
    content = response.content
    if content.at_eof():
        return
    with suppress(aiohttp.ClientError, OSError), OnFailure(response.close):  # the status is there: it decides
        while len(kept) < ANSWER_MAX and (chunk := await content.read(ANSWER_MAX - len(kept))):
            kept += chunk
        if not content.is_eof():
            response.close()
