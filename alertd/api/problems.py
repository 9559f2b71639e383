"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from alertd.api.auth import ForbiddenError, UnauthorizedError, WrongWorkspaceError
from alertd.api.wrong_tokens import TooManyWrongTokensError
from alertd.errors import (
    AlertdError,
    ConfigError,
    ConflictError,
    DecodeError,
    IntakeFullError,
    NotFoundError,
    NotJsonError,
    Problem,
    StaleError,
    StoreUnavailableError,
    TooLargeError,
    TooManyError,
    UnconditionalError,
)
from alertd.model.text import sayable
from alertd.sources.base import ForbiddenWorkspaceError, UnsupportedMediaTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTENT_TYPE: Final = "application/problem+json"
_INDEX: Final = re.compile(r"\[(\d+)\]", re.ASCII)

_STATUS: Final[dict[type[AlertdError], HTTPStatus]] = {
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    TooManyWrongTokensError: HTTPStatus.TOO_MANY_REQUESTS,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    ForbiddenWorkspaceError: HTTPStatus.FORBIDDEN,
    NotJsonError: HTTPStatus.BAD_REQUEST,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    DecodeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ConfigError: HTTPStatus.UNPROCESSABLE_ENTITY,
    IntakeFullError: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    UnconditionalError: HTTPStatus.PRECONDITION_REQUIRED,
    StaleError: HTTPStatus.PRECONDITION_FAILED,
}


def problem(
    status: int,
    detail: str,
    errors: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
    **more: str,
) -> web.Response:
    """Build a problem document; `more` are further members."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sayable(detail),
        **more,
    }
    if errors:
        body["errors"] = [{"pointer": sayable(e.pointer), "detail": sayable(e.detail)} for e in errors]
    return web.Response(status=status, body=orjson.dumps(body), content_type=CONTENT_TYPE, headers=headers)


def status_of(error: AlertdError) -> HTTPStatus:
    """Return the status that an error is answered with."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def of_error(error: AlertdError) -> web.Response:
    """Turn one of our errors into its problem document."""
    errors: Sequence[Problem] = ()
    headers: dict[str, str] = {}
    detail = str(error)
    if isinstance(error, DecodeError | ConflictError):
        errors = error.problems
    if isinstance(error, ConfigError):
        errors = [Problem(_pointer(each.path), str(each)) for each in error.problems]
        detail = f"the configuration is refused and nothing was changed; problems: {len(errors)}, listed below errors"
    if isinstance(error, IntakeFullError | TooManyError | TooManyWrongTokensError | StoreUnavailableError):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'Bearer realm="alertd"'
    more = {"token_workspace": error.own} if isinstance(error, WrongWorkspaceError) else {}
    return problem(status_of(error), detail, errors, headers, **more)


def _pointer(path: str) -> str:
    """Turn the path of a setting (`workspaces[0].channels[2].pattern`) into a JSON pointer into the configuration."""
    return "/" + _INDEX.sub(r"/\1", path).replace(".", "/") if path and path[0] not in "([" else ""
