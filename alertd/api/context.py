"""What the resources of the API are made of: the parts of the daemon that they show and steer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from aiohttp import web

from alertd.api.auth import require
from alertd.api.query import refuse_unknown
from alertd.api.views import Names
from alertd.errors import InvalidError, NotFoundError, NotJsonError, Problem
from alertd.model.token import Role
from alertd.resources.judge import read_alone
from alertd.resources.kinds import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from alertd.api.auth import Authenticator
    from alertd.clock import Clock
    from alertd.delivery.acknowledging import AcknowledgeLinks
    from alertd.delivery.dispatcher import Dispatcher
    from alertd.delivery.hub import Hub
    from alertd.delivery.replayer import Replayer
    from alertd.facts import Facts
    from alertd.metrics import Metrics
    from alertd.model.event import Bounds
    from alertd.model.ids import IdSource
    from alertd.model.token import Token
    from alertd.pipeline import Pipeline
    from alertd.resources.judge import M
    from alertd.resources.registry import Registry
    from alertd.store.base import Store
    from alertd.submission import Accepted


BODY_SECONDS: Final = 30
"""How long a caller may take to send its body."""


class Resubmit(Protocol):
    """Tries a rejected record again (`alertd.intake.rejected`)."""

    async def __call__(self, record: Mapping[str, Any], *, confined: bool) -> Accepted:
        """Store the event of a row of the history; `confined`: of the record's workspace alone. Raises DecodeError."""


@dataclass(slots=True)
class Context:
    """The daemon, as the API sees it. `base_url` is how people reach it, `bounds` are those of events.

    Whoever changes tokens, or takes a workspace from them, holds `changing_tokens`.
    """

    store: Store
    pipeline: Pipeline
    dispatcher: Dispatcher
    hub: Hub
    replayer: Replayer
    authenticator: Authenticator
    metrics: Metrics
    clock: Clock
    ids: IdSource
    reload: Callable[[], Awaitable[list[str]]]
    ready: Callable[[], Mapping[str, bool]]
    know_token: Callable[[Token | None, Token | None], Awaitable[None]]
    refile_token: Callable[[Token, str | None], None]
    registry: Registry
    facts: Facts
    base_url: Callable[[], str]
    links: AcknowledgeLinks
    resubmit: Resubmit
    bounds: Callable[[], Bounds]
    changing_tokens: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def names(self) -> Names:
        """Names by number, as of now."""
        return Names(self.pipeline.ruleset.names)

    def workspace(self, request: web.Request) -> str:
        """Return the workspace of a path. Raises NotFoundError."""
        name = request.match_info["workspace"]
        if self.registry.snapshot.get(("workspace", name, name)) is None:
            raise NotFoundError(f"there is no workspace {name!r}")
        return name

    def enter(self, request: web.Request, least: Role = Role.VIEWER) -> str:
        """Return the workspace of a path to a caller who has a role there.

        Raises ForbiddenError, NotFoundError, and InvalidError for a parameter where there is none.
        """
        require(request, least, request.match_info["workspace"])
        name = self.workspace(request)
        refuse_unknown(request)
        return name

    def number(self, kind: str, workspace: str, name: str) -> int:
        """Return the number of a named resource of the ruleset. Raises NotFoundError."""
        number = self.pipeline.ruleset.ids.get((kind, workspace, name))
        if number is None:
            raise NotFoundError(f"there is no {kind} {name!r} in the workspace {workspace!r}")
        return number

    def destination(self, workspace: str, name: str | None, pointer: str) -> int | None:
        """Return the number of a destination that a body names; None when it names none. Raises InvalidError."""
        if name is None:
            return None
        try:
            return self.number(DESTINATION.word, workspace, name)
        except NotFoundError:
            raise InvalidError([Problem(pointer, f"unknown destination {name!r}")]) from None

    def workspace_number(self, name: str) -> int:
        """Return the number of a workspace. Raises NotFoundError."""
        return self.number("workspace", name, name)


def json(body: Any, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


async def read_bytes(request: web.Request) -> bytes:
    """Return a request's body. Raises HTTPRequestTimeout when it does not arrive, HTTPRequestEntityTooLarge before it does."""
    length, most = request.content_length, request.client_max_size
    if length is not None and length > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=length)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body did not arrive within {BODY_SECONDS} s") from None


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return a request's JSON object. Raises NotJsonError, InvalidError, and as `read_bytes`."""
    try:
        body = orjson.loads(await read_bytes(request))
    except orjson.JSONDecodeError as error:
        raise NotJsonError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidError([Problem("", "the body must be a JSON object")])
    return body


async def read_body(request: web.Request, model: type[M]) -> M:
    """Read a request's body, which may be left out, as a model. Raises InvalidError with every bad field."""
    return read_alone(model, await body_of(request) if request.can_read_body else {})
