"""The HTTP server: all routes on one listener, as a service that finishes requests in the air before it ends."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

from alertd.api.acknowledging import AcknowledgePage
from alertd.api.alerts import Alerts
from alertd.api.audit import Audit
from alertd.api.channels import Channels
from alertd.api.destinations import Destinations
from alertd.api.docs import Docs
from alertd.api.doors import SEND, open_doors
from alertd.api.edge import make_edge, make_gate
from alertd.api.event_types import EventTypes
from alertd.api.expect import GATE, behind
from alertd.api.explain import Explain
from alertd.api.express import EXPRESS, Express, ExpressHandler, fits
from alertd.api.front import Front
from alertd.api.history import History
from alertd.api.incidents import Incidents
from alertd.api.intake_endpoints import IntakeEndpoints
from alertd.api.issues import Issues
from alertd.api.operation import OPERATIONS, route
from alertd.api.projects import Projects
from alertd.api.refusals import Refusals
from alertd.api.rejected import Rejected
from alertd.api.replays import Replays
from alertd.api.reshaping import Reshaping
from alertd.api.resources import Collection
from alertd.api.sdk_keys import SdkKeys
from alertd.api.stream import Stream
from alertd.api.subscriptions import Subscriptions
from alertd.api.system import System
from alertd.api.tokens import Tokens, TokensOfAll
from alertd.api.transfer import Transfer
from alertd.api.workspaces import Workspaces
from alertd.resources.kinds import DERIVED_TYPE, METRIC_ALERT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alertd.api.context import Context
    from alertd.api.express import EnvelopeTaker, Taker
    from alertd.api.listener import Listener

KEEPALIVE_SECONDS: Final = 75
"""How long a connection may stay silent, or take to send a request's head."""
LINGER_SECONDS: Final = 2
"""How long a client that was answered before its body was there may go on sending, so that it reads the answer."""
REQUESTS_SECONDS: Final = 5
"""How long requests in the air may take to finish when the server stops; one that never ends holds it for as long again."""
CUT_SECONDS: Final = 0.05
"""How long they may take when it is cancelled, not even to finish but to end; to the library 0 is for ever."""

_RESOURCES: Final = (
    Front,
    System,
    Stream,
    Tokens,
    TokensOfAll,
    Workspaces,
    Projects,
    SdkKeys,
    Channels,
    EventTypes,
    Destinations,
    Subscriptions,
    IntakeEndpoints,
    Explain,
    Issues,
    Reshaping,
    Incidents,
    Replays,
    History,
    Alerts,
    Rejected,
    AcknowledgePage,
    Audit,
    Transfer,
)


def build(
    context: Context,
    post_events: Callable[[web.Request], Awaitable[web.StreamResponse]],
    max_body: int,
    doors: Callable[[web.Application], None] = lambda app: None,
    taker: Taker | None = None,
    envelopes: EnvelopeTaker | None = None,
) -> web.Application:
    """Put every route on one application; `max_body` in bytes bounds what a request may bring, `doors` adds the routes of
    outside services, `taker` and `envelopes` take plain requests of the intakes (None: they have no lane of their own).
    """  # noqa: D205 - one thought, two lines
    refusals = Refusals(context.metrics)
    app = web.Application(middlewares=[make_edge(context.authenticator, refusals)], client_max_size=max_body)
    app[OPERATIONS] = {}
    app[GATE] = make_gate(context.authenticator, refusals)
    if taker is not None and fits():
        app[EXPRESS] = Express(context.authenticator, refusals, taker, envelopes)
    route(app, "POST", "/api/v1/events", post_events, SEND)
    for resource in _RESOURCES:
        resource(context).register(app)
    for kind in (DERIVED_TYPE, METRIC_ALERT):
        Collection(context, kind).register(app)
    open_doors(app, doors)
    Docs(app, context.registry.types)
    return app


class _OwnFaults(logging.Filter):
    """Keeps out of the log what clients get wrong: who sends garbage is answered 400 and must not fill the disk."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record may be shown."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_own_faults = _OwnFaults()


class HttpServer:
    """Answers who connects to one listener."""

    name = "http"

    def __init__(self, app: web.Application, listener: Listener) -> None:
        logger = logging.getLogger("alertd.http")
        logger.addFilter(_own_faults)
        self._gate = app[GATE]
        self._express = app.get(EXPRESS)
        self._options: dict[str, Any] = {
            "logger": logger,
            "access_log": None,
            "lingering_time": LINGER_SECONDS,
            "auto_decompress": False,
            "keepalive_timeout": KEEPALIVE_SECONDS,
        }
        self._runner = web.AppRunner(app, shutdown_timeout=REQUESTS_SECONDS, **self._options)
        self._listener = listener
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Take connections, on an address that is made ours unless it is. Raises OSError when it cannot be had."""
        await self._listener.bind()
        await self._runner.setup()
        server = self._runner.server
        if server is None:
            raise AssertionError("a runner that was set up has a server")
        server.request_handler = behind(self._gate, server.request_handler)
        loop = asyncio.get_running_loop()
        connection: Callable[[], asyncio.BaseProtocol] = server
        if self._express is not None:
            connection = partial(ExpressHandler, self._express, server, loop=loop, **self._options)
        await self._listener.serve(connection)

    async def run(self) -> None:
        """Serve until asked to stop, then finish the requests in the air; cancelled, cut them off."""
        try:
            await self._stopping.wait()
            self._listener.close()
            await self._runner.cleanup()
        except asyncio.CancelledError:
            self._listener.close()
            await self._cut()
            raise

    def stop(self) -> None:
        """Ask to stop."""
        self._stopping.set()

    async def _cut(self) -> None:
        """End every connection, whatever goes on there."""
        if (server := self._runner.server) is not None:
            await asyncio.sleep(0)  # a connection that came in this turn is known in the next
            await server.shutdown(CUT_SECONDS)
        await self._runner.cleanup()
