"""The OpenAPI 3.1 document, made of what the routes say of themselves and of the models of resources."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic.json_schema import models_json_schema

from alertd.api.answers import PROBLEMS, answer_examples, example_of
from alertd.api.history_shapes import HISTORY_SHAPES
from alertd.api.operation import OPERATIONS, Operation, Schema, ref
from alertd.api.shapes import RESOURCE_STATUS, SHAPES, STATUS, with_status
from alertd.model.token import Role, TokenSettings
from alertd.resources.kinds import KINDS, WORKSPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiohttp import web
    from pydantic import BaseModel

_IN_PATH: Final = re.compile(r"\{(\w+)[^}]*\}")
_COMPONENTS: Final = "#/components/schemas/{model}"
_DESCRIPTIONS: Final = {
    200: "done",
    201: "made",
    202: "stored",
    204: "done; there is nothing to say",
    304: "it has not changed",
    400: "the body is not JSON",
    401: "no token, or none that is known",
    403: "the token's role or workspace does not allow it",
    404: "there is no such thing",
    408: "the body did not arrive in time",
    409: "its state, or who uses it, does not allow it",
    410: "it has ended",
    412: "it has changed since it was read",
    413: "the body is too large",
    415: "the content type is not read here",
    422: "something in it is wrong; every bad place is named",
    428: "If-Match is missing",
    429: "too much, or too many wrong tokens, from here: come back after Retry-After",
    503: "the store cannot write now: come back after Retry-After",
}


def document(app: web.Application, version: str, settings: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """Write the document of an application; `settings` are those of destinations, by type."""
    paths: dict[str, dict[str, Any]] = {}
    known = answer_examples()
    for (method, path), operation in app[OPERATIONS].items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "alertd",
            "version": version,
            "summary": "A durable event-to-notification daemon.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(settings),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}, **_KEYS},
        },
    }


_KEYS: Final = {
    "sdk_key": {"type": "apiKey", "in": "query", "name": "sentry_key", "description": "the key of a DSN"},
    "sdk_header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Sentry-Auth",
        "description": "the same, as SDKs send it",
    },
}
"""How Sentry's SDKs say who they are: one of the two."""
_ABOUT: Final = (
    "Every call but those to the open paths brings a token: `Authorization: Bearer TOKEN`. Errors are RFC 9457 problem"
    " documents. Lists are pages: give `next_cursor` back as `cursor`. Changes say which state they are based on: `If-Match`"
    " with the `ETag` of a GET. Each operation names the least role that may do it as `x-alertd-role`."
)


def _schemas(settings: Mapping[str, type[BaseModel]]) -> dict[str, Schema]:
    models: list[type[BaseModel]] = [kind.model for kind in (*KINDS, WORKSPACE)]
    described: list[type[BaseModel]] = [*models, TokenSettings, *settings.values()]
    inputs: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in described]
    _, found = models_json_schema(inputs, ref_template=_COMPONENTS)
    schemas: dict[str, Schema] = {**found["$defs"], **SHAPES, **HISTORY_SHAPES}
    for kind in KINDS:
        if kind.built_in:
            name = schemas[kind.model.__name__]["properties"]["name"]
            name["pattern"] = f"{name['pattern']}|^({'|'.join(kind.built_in)})$"
    by_type = ", ".join(f"{name}: {model.__name__}" for name, model in settings.items())
    schemas["Destination"]["properties"]["settings"]["description"] = (
        f"what the type needs, as its schema says: {by_type}"
    )
    for model in models:
        own = {**RESOURCE_STATUS, **STATUS.get(model.__name__, {})}
        schemas[model.__name__] = with_status(schemas[model.__name__], own)
    return {name: _shown(schema) for name, schema in sorted(schemas.items())}


def _shown(schema: Any) -> Any:
    """Say nowhere that a secret is only written: it is shown, as `***`."""
    if isinstance(schema, dict):
        return {name: _shown(value) for name, value in schema.items() if name != "writeOnly"}
    return [_shown(each) for each in schema] if isinstance(schema, list) else schema


def _operation(method: str, path: str, operation: Operation, known: Mapping[str, Any]) -> dict[str, Any]:
    guards = operation.guards or (() if operation.least is None else ("token",))
    written: dict[str, Any] = {
        "operationId": _identity(method, path),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": list(_parameters(method, path, operation)),
        "responses": dict(_responses(method, path, operation, known)),
        "security": [{guard: []} for guard in guards],
    }
    if operation.least is not None:
        role = "any that may send" if operation.least is Role.INTAKE else operation.least.word
        written["x-alertd-role"] = f"{role}, of all workspaces" if operation.everywhere else role
    if operation.body is not None:
        content: dict[str, Any] = {"schema": operation.body}
        if operation.examples:
            content["examples"] = {name: {"value": value} for name, value in operation.examples.items()}
        elif operation.example is not None:
            content["example"] = operation.example
        others = {
            kind: {"schema": schema, "example": example} for kind, (schema, example) in operation.other_bodies.items()
        }
        written["requestBody"] = {
            "required": operation.body_needed,
            "content": dict.fromkeys(operation.body_types, content) | others,
        }
    return written


def _identity(method: str, path: str) -> str:
    """Name an operation, each by another name: a path is also there with a slash at its end."""
    parts = [part for part in re.split(r"[^a-z0-9]+", path.removeprefix("/api/v1")) if part]
    end = ["slash"] if parts and path.endswith("/") else []
    return "_".join([method.lower(), *parts, *end])


def _parameters(method: str, path: str, operation: Operation) -> Iterator[dict[str, Any]]:
    for name in _IN_PATH.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    for where, parameters in (("query", operation.query), ("header", operation.headers)):
        for each in parameters:
            yield {"name": each.name, "in": where, "description": each.description, "schema": each.schema}
    if operation.conditional or (method == "DELETE" and 412 in operation.errors):  # noqa: PLR2004 - a status
        yield {
            "name": "If-Match",
            "in": "header",
            "required": operation.conditional,
            "description": "the ETag of the state that this is based on, or *",
            "schema": {"type": "string"},
        }


def _responses(
    method: str, path: str, operation: Operation, known: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, schema in operation.answers.items():
        answer: dict[str, Any] = {"description": _DESCRIPTIONS[status]}
        if schema is not None:
            example = example_of(schema, known)
            content = {"schema": schema} | ({} if example is None else {"example": example})
            answer["content"] = dict.fromkeys(operation.answer_types, content)
        yield str(status), answer
    for status in sorted(_errors(method, path, operation)):
        yield (
            str(status),
            {
                "description": _DESCRIPTIONS[status],
                "content": {
                    kind: {"schema": ref("Problem"), "example": _problem(status)} if "json" in kind else {"schema": {}}
                    for kind in operation.error_types
                },
            },
        )


def _problem(status: int) -> dict[str, Any]:
    """Write an example of the problem document that a status comes with."""
    detail, more = PROBLEMS[status]
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


def _errors(method: str, path: str, operation: Operation) -> set[int]:
    """Which statuses an operation may answer besides success, from its shape and its own list."""
    found = set(operation.errors)
    if operation.least is not None:
        found |= {401, 403, 422, 429}
    if _IN_PATH.search(path):
        found.add(404)
    if operation.conditional:
        found |= {412, 428}
    if method != "GET":
        found.add(503)
    if operation.body is not None:
        found |= {400, 408, 413}
    return found - set(operation.answers)
