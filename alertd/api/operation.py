"""What a route does, as its documentation says it: the OpenAPI document and the tests of roles are made of this."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from alertd.model.token import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

Schema = dict[str, Any]
"""A JSON Schema, or a reference to a component: `{"$ref": "#/components/schemas/Channel"}`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query."""

    name: str
    description: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    Shapes: `least` is the least role (None: open to everybody; INTAKE: whoever may send events); `everywhere` says that
    only a token for all workspaces will do; `answers` maps statuses of success to schemas (None: no body); `errors` are
    the further statuses that are problem documents; `conditional` says that ETag and If-Match belong to it.
    """

    summary: str
    tag: str
    least: Role | None = Role.VIEWER
    everywhere: bool = False
    query: tuple[Parameter, ...] = ()
    body: Schema | None = None
    body_needed: bool = True
    body_types: tuple[str, ...] = ("application/json",)
    answers: Mapping[int, Schema | None] = field(default_factory=lambda: {200: {"type": "object"}})
    answer_types: tuple[str, ...] = ("application/json",)
    errors: tuple[int, ...] = ()
    error_types: tuple[str, ...] = ("application/problem+json",)
    conditional: bool = False
    example: Any = None
    """An example of the body."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Several of them by what each shows, in place of the one."""
    other_bodies: Mapping[str, tuple[Schema, Any]] = field(default_factory=dict)
    """The shape of the body, and an example, in those content types in which they are others."""
    headers: tuple[Parameter, ...] = ()
    """What it reads of a request's headers besides those that all take."""
    guards: tuple[str, ...] = ()
    """By which of the document's security schemes it is guarded; empty: by a token of ours, unless it is open to everybody."""
    self_guarded: bool = False
    """Whether a token or a key in the path or the request says who is calling, and no token of ours is asked for."""

    def for_all(self) -> Operation:
        """Return the same for tokens of all workspaces alone."""
        return replace(self, everywhere=True)


STREAM: Final = "text/event-stream"
"""An answer that has no end, so that there is no HEAD of it."""
OPERATIONS: Final = web.AppKey("operations", dict[tuple[str, str], Operation])
"""Every documented route of an application, by method and path."""

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


def route(app: web.Application, method: str, path: str, handler: Handler, operation: Operation) -> None:
    """Add a route together with its documentation. A parameter in its path is anything without a slash, also braces."""
    pattern = _PARAMETER.sub(r"{\1:[^/]+}", path)
    if method == "GET":
        app.router.add_get(pattern, handler, allow_head=STREAM not in operation.answer_types)
    else:
        app.router.add_route(method, pattern, handler)
    app[OPERATIONS][method, path] = operation


def documented(request: web.Request) -> Operation:
    """Return the operation that a request asks for."""
    resource = request.match_info.route.resource
    if resource is None:
        raise AssertionError("a request that no route took has no operation")
    method = "GET" if request.method == "HEAD" else request.method
    return request.app[OPERATIONS][method, resource.canonical]


def ref(name: str) -> Schema:
    """Refer to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(item: Schema) -> Schema:
    """Describe a page of a list."""
    return {
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {"type": "array", "items": item},
            "next_cursor": {
                "type": ["string", "null"],
                "description": "where the next page begins; null: there is none",
            },
        },
    }


PAGE: Final = (
    Parameter("limit", "how many items at most", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    Parameter("cursor", "where to go on: the next_cursor of the page before"),
)
"""What every list takes."""
