"""The doors that events come in by as the documentation says them, and what answers where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from alertd.api import examples
from alertd.api.edge import SENTRY, WEBHOOKS
from alertd.api.operation import OPERATIONS, Operation, ref
from alertd.api.shapes import TEXT, many, whole
from alertd.errors import NotFoundError
from alertd.model.token import Role

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOUD_EVENT: Final = whole(**dict.fromkeys(("specversion", "id", "source", "type"), TEXT))
SEND: Final = Operation(
    "Send events: one, or many as an array, as lines, or as CloudEvents",
    "events",
    Role.INTAKE,
    body={"anyOf": [ref("Event"), many(ref("Event"))]},
    other_bodies={
        "application/x-ndjson": (TEXT, '{"type": "run:failed"}\n{"type": "run:cancelled", "project": "shop"}\n'),
        "application/cloudevents+json": (_CLOUD_EVENT, examples.CLOUD_EVENT),
        "application/cloudevents-batch+json": (many(_CLOUD_EVENT), [examples.CLOUD_EVENT]),
    },
    answers={202: ref("Accepted")},
    errors=(415,),
    example=examples.EVENT,
)
"""The intake, as its documentation says it."""


def open_doors(app: web.Application, register: Callable[[web.Application], None]) -> None:
    """Let outside services in by the routes that `register` adds, and refuse whoever knocks elsewhere."""
    before = {id(route) for route in app.router.routes()}
    register(app)
    for added in app.router.routes():
        if id(added) not in before and added.resource is not None and added.method in {"POST", "PUT"}:
            path = added.resource.canonical
            app[OPERATIONS][added.method, path] = _operation(path)
    app.router.add_route("*", WEBHOOKS + "{rest:.*}", _no_endpoint)
    app.router.add_route("*", SENTRY + "{rest:.*}", _no_key)


def _operation(path: str) -> Operation:
    if path.startswith(WEBHOOKS):
        source = path.removeprefix(WEBHOOKS).partition("/")[0]
        return Operation(
            f"Take a webhook of {source}: the URL of an intake endpoint",
            "webhooks",
            None,
            body={},
            example=examples.WEBHOOKS[source],
            answers={202: ref("Accepted")},
            errors=(401, 415, 422),
            self_guarded=True,
        )
    is_store = path.rstrip("/").endswith("/store")
    return Operation(
        "Take what a Sentry SDK sends: the DSN of a project's key",
        "webhooks",
        None,
        body={},
        body_types=("application/json",) if is_store else ("application/x-sentry-envelope", "application/json"),
        example=examples.STORE if is_store else examples.ENVELOPE,
        answers={200: {"type": "object"}},
        errors=(403, 415, 429),
        guards=("sdk_key", "sdk_header"),
        self_guarded=True,
    )


async def _no_endpoint(request: web.Request) -> web.Response:
    """Refuse an unknown source, a missing token, another method."""
    raise web.HTTPUnauthorized(text="there is no such intake endpoint")


async def _no_key(request: web.Request) -> web.Response:
    """Refuse what is no path of an SDK."""
    if request.method == "OPTIONS":
        raise NotFoundError(f"there is nothing at {request.path}")
    raise web.HTTPForbidden(text="a key is required, and a path as in a DSN: /sentry/PROJECT")
