"""The fast sender: HTTP/1.1 to addresses that the egress guard permits and to no other, at a tenth of a client's cost.

No task, no timer and no object that lives longer than the request: a future for each exchange, a parser for each
connection, one timer for all of them. Redirects are answers; no proxy, cookie or variable of the environment changes
anything; an answer is read up to its first kilobyte. HTTP/2 and proxies are not its business: `AiohttpSender` stays for
what this one does not do.

**When a request is sent again.** A connection that was closed while it rested is recognised before anything is written
(the loop was told, or the system is asked; it may even speak or end in the turn of the loop at whose end the request
is to be written), so nothing was lost and a fresh connection takes its place. From the first
byte that was handed to the system on, nobody can tell a server that closed an idle connection from one that read the
request, did the work and died before it answered: the close may have crossed the request on its way, and the kernel's
acknowledgement says nothing about the program behind it. RFC 9110, 9.2.2 (to which RFC 9112, 9.3.1 refers) therefore
allows a client to repeat a request by itself only when its method is idempotent, or when it knows that the first one
was never applied. So a request with an idempotent method that got not one byte of an answer on a *used* connection is
repeated, once and on a fresh one; a POST is not, and fails as ambiguous: the lane tries again with the same delivery
id, by which the receiver can tell. A request that was not handed over in full fails too, but not as ambiguous.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from alertd.destinations.base import SendError
from alertd.destinations.faults import UNSENDABLE
from alertd.destinations.guard import parse_url
from alertd.destinations.guarded_connection import GuardedConnector
from alertd.destinations.http1.connection import UnansweredError, UnsentError
from alertd.destinations.http1.dialer import Dialer, Origin
from alertd.destinations.http1.patrol import Patrol
from alertd.destinations.http1.pool import Pool
from alertd.destinations.http1.request import Writer
from alertd.destinations.http_bounds import CONNECT_SECONDS, URLS_MAX

if TYPE_CHECKING:
    import ssl

    from alertd.destinations.base import HttpAnswer, HttpRequest
    from alertd.destinations.guard import EgressPolicy
    from alertd.destinations.http1.connection import Connection
    from alertd.destinations.resolver import Lookup

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent twice (RFC 9110, 9.2.2)."""

_CLOSED: Final = "the sender is closed"


class Place:
    """Where requests to one URL go: their form, the origin and the pool of its connections."""

    __slots__ = ("origin", "pool", "writer")

    def __init__(self, writer: Writer, origin: Origin, pool: Pool) -> None:
        self.writer = writer
        self.origin = origin
        self.pool = pool


class FastSender:
    """Sends over its own connections, on the loop that runs when it is first used.

    `ssl_context` is for TLS connections (None: the system's certificates); `lookup` resolves a host name and port to
    addresses (None: the system's resolver; raises OSError).
    """

    def __init__(
        self, policy: EgressPolicy, *, ssl_context: ssl.SSLContext | None = None, lookup: Lookup | None = None
    ) -> None:
        self._policy = policy
        self._connector = GuardedConnector(policy, lookup)
        self._dialer = Dialer(self._connector, ssl_context)
        self._places: dict[str, Place] = {}
        self._pools: dict[Origin, Pool] = {}
        self._dialing: set[asyncio.Timeout] = set()
        self._patrol: Patrol | None = None
        self._closed = False

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Send and return the answer (redirects are answers). Raises SendError."""
        place = self._places.get(request.url) or self._place(request.url)
        try:
            data = place.writer.write(request)
        except ValueError as error:
            raise SendError(UNSENDABLE, refused=True) from error
        patrol = self._patrol or self._open()
        now = patrol.now()
        expires = now + timeout_seconds
        used = connection = place.pool.take(now)
        while True:
            if connection is None:
                connection = await self._dial(place, patrol, expires, timeout_seconds)
            waiter = connection.begin(data, expires, timeout_seconds, bodiless=request.method == "HEAD")
            try:
                return await waiter
            except asyncio.CancelledError:
                connection.forsake(waiter)
                raise
            except UnansweredError as error:
                again = request.method in IDEMPOTENT or isinstance(error, UnsentError)
                if connection is not used or not again:
                    raise
                connection = None

    async def close(self) -> None:
        """Close all connections; what is still under way fails. Twice is fine."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for timeout in tuple(self._dialing):
            timeout.reschedule(now)
        for pool in self._pools.values():
            pool.close()
        if self._patrol is not None:
            await self._patrol.end(_CLOSED)
        self._connector.close()

    def _open(self) -> Patrol:
        self._patrol = Patrol()
        return self._patrol

    def _place(self, text: str) -> Place:
        """Parse and check a URL once. Raises SendError."""
        if reason := self._policy.check_url(text):
            raise SendError(f"egress refused: {reason}", refused=True)
        try:
            url = parse_url(text)
        except ValueError as error:
            raise SendError(f"egress refused: {error}", refused=True) from error
        if len(self._places) >= URLS_MAX:
            self._start_over()
        origin = Origin.of(url)
        pool = self._pools.setdefault(origin, Pool())
        made = self._places[text] = Place(Writer(url), origin, pool)
        return made

    def _start_over(self) -> None:
        """Forget all URLs, and close the connections that rest; those in use close after it."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        self._places.clear()

    async def _dial(self, place: Place, patrol: Patrol, expires: float, seconds: float) -> Connection:
        """Connect in time. Raises SendError: nothing was sent."""
        if self._closed:
            raise SendError(_CLOSED)
        limit = min(expires, patrol.now() + CONNECT_SECONDS)
        timeout = asyncio.timeout_at(limit)
        self._dialing.add(timeout)
        try:
            async with timeout:
                return await self._dialer.dial(place.origin, place.pool, patrol)
        except TimeoutError:
            if self._closed:
                raise SendError(_CLOSED) from None
            words = "timed out" if limit == expires else "connecting timed out"
            raise SendError(f"{words} after {seconds if limit == expires else CONNECT_SECONDS:g} s") from None
        finally:
            self._dialing.discard(timeout)
