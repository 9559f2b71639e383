"""The edge of the HTTP interface: authentication before everything else, and every failure as a problem document."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from alertd.api.auth import TOKEN
from alertd.api.problems import of_error, problem
from alertd.errors import AlertdError, NotFoundError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from alertd.api.auth import Authenticator
    from alertd.api.expect import Gate
    from alertd.api.refusals import Refusals

OPEN_PATHS: Final = frozenset({"/", "/metrics", "/-/healthy", "/-/ready", "/api/openapi.json", "/api/docs"})
"""Paths that answer without a token."""

WEBHOOKS: Final = "/api/v1/webhooks/"
SENTRY: Final = "/sentry/"
SELF_GUARDED: Final = (WEBHOOKS, SENTRY)
"""Where these begin, the path itself or a key says who is calling: they ask for no token."""

LINKS: Final = re.compile(r"/api/v1/alerts/[^/]+/acknowledge")
"""Links in messages, which are signed: they are read, and posted by the button behind them."""

_log = structlog.get_logger("alertd.api")


def make_gate(authenticator: Authenticator, refusals: Refusals) -> Gate:
    """Make what asks a request who it is before anything else looks at it."""

    def gate(request: web.Request) -> web.Response | None:
        try:
            _identify(request, authenticator)
        except AlertdError as error:
            refusals.note(request.path, error)
            return of_error(error)
        return None

    return gate


def make_edge(authenticator: Authenticator, refusals: Refusals) -> Middleware:
    """Make the one middleware."""

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _identify(request, authenticator)
            _refuse_bytes(request.path)
            return await handler(request)
        except AlertdError as error:
            refusals.note(request.path, error)
            return of_error(error)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - redirects pass
                raise
            return _of_http(request, error)
        except Exception as error:  # noqa: BLE001 - the boundary of a request; logged once here
            if _has_left(request, error):
                return problem(400, "the client left")  # which nobody hears
            return broken(request.method, _told(request.path), error)

    return edge


def _has_left(request: web.Request, error: Exception) -> bool:
    """Say whether it failed because the client is gone, perhaps before its body was begun to be read (RuntimeError)."""
    if request.transport is not None:
        return False
    return isinstance(error, ConnectionError) or (isinstance(error, RuntimeError) and not request.content.is_eof())


def broken(method: str, path: str, error: BaseException) -> web.Response:
    """Log what should not have happened, and answer that it did."""
    _log.error("request.failed", method=method, path=path, exc_info=error)
    return problem(500, "something went wrong here; the log says what")


def _told(path: str) -> str:
    """Return a path for the log, without the secret that an intake endpoint's URL ends in."""
    below, _, _ = path.rpartition("/")
    return f"{below}/…" if path.startswith(WEBHOOKS) else path


def _identify(request: web.Request, authenticator: Authenticator) -> None:
    """Find out whose request it is, where that matters. Raises UnauthorizedError and its like."""
    path = request.path
    if path not in OPEN_PATHS and not path.startswith(SELF_GUARDED) and not _is_link(request):
        request[TOKEN] = authenticator.identify(request.headers.get("Authorization"), request.remote or "")


def _is_link(request: web.Request) -> bool:
    return LINKS.fullmatch(request.path) is not None and request.method in {"GET", "HEAD", "POST"}


def _refuse_bytes(path: str) -> None:
    """Raise NotFoundError for a path that is no text: nothing has such a name, and no store could look for it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise NotFoundError("there is nothing here: the path is not UTF-8") from None


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    """Say in our words what the server library refused."""
    allow = error.headers.get("Allow")
    if error.status == HTTPStatus.NOT_FOUND:
        return problem(error.status, f"there is nothing at {request.path}")
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED and allow:
        detail = f"{request.path} does not take {request.method}, only {allow.replace(',', ', ')}"
        return problem(error.status, detail, headers={"Allow": allow})
    wait = error.headers.get("Retry-After")
    return problem(error.status, error.text or error.reason, headers={"Retry-After": wait} if wait else None)
