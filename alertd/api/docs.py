"""The documentation over HTTP: the OpenAPI document, and the same as a page that asks nobody else for anything.

Both are written when they are first asked for, in a thread: most daemons never are, and a start need not wait for it.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from alertd.api.openapi import document
from alertd.api.operation import Operation, route
from alertd.api.shapes import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alertd.resources.judge import DestinationTypes

PATH: Final = "/api/openapi.json"
PAGE: Final = "/api/docs"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}
_STYLE: Final = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em}
h2{margin:2em 0 .4em;border-bottom:1px solid #8886}
details{margin:.3em 0;padding:.3em .6em;border:1px solid #8884;border-radius:6px}
summary{cursor:pointer}summary b{display:inline-block;min-width:4.6em}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{overflow:auto;background:#8881;padding:.6em;border-radius:4px}
table{border-collapse:collapse;margin:.4em 0}td,th{text-align:left;vertical-align:top;padding:.15em 1em .15em 0}
.role{float:right;opacity:.75}nav a{margin-right:.8em}
"""


class Docs:
    """`/api/openapi.json` and `/api/docs`, open to everybody."""

    def __init__(self, app: web.Application, types: DestinationTypes) -> None:
        route(app, "GET", PATH, self.show, Operation("This document", "documentation", None))
        page = Operation(
            "This document as a page", "documentation", None, answers={200: TEXT}, answer_types=("text/html",)
        )
        route(app, "GET", PAGE, self.page, page)
        self._app = app
        self._types = types

    @cached_property
    def _written(self) -> tuple[bytes, str]:
        """The document and the page."""
        settings = {name: self._types.settings_model(name) for name in sorted(self._types.names())}
        doc = document(self._app, version("alertd"), settings)
        return orjson.dumps(doc, option=orjson.OPT_INDENT_2), "".join(_page(doc))

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the document."""
        body, _ = await asyncio.to_thread(lambda: self._written)
        return web.Response(body=body, content_type="application/json")

    async def page(self, request: web.Request) -> web.Response:
        """Answer with the page."""
        _, text = await asyncio.to_thread(lambda: self._written)
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)


def _page(doc: dict[str, Any]) -> Iterator[str]:
    info = doc["info"]
    yield '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>\n"
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>\n"
    yield f"<p>{_text(info['description'])}</p>\n"
    yield f'<p>For programs: <a href="{PATH}">{PATH}</a> (OpenAPI {escape(doc["openapi"])})</p>\n<nav>'
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in doc["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    yield from (f'<a href="#{escape(tag)}">{escape(tag)}</a> ' for tag in groups)
    yield '<a href="#schemas">schemas</a></nav>\n'
    for tag, operations in groups.items():
        yield f'<h2 id="{escape(tag)}">{escape(tag)}</h2>\n'
        for method, path, operation in operations:
            yield from _operation(method, path, operation)
    yield '<h2 id="schemas">schemas</h2>\n'
    for name, schema in doc["components"]["schemas"].items():
        shown = escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode())
        yield f'<details id="schema-{escape(name)}"><summary>{escape(name)}</summary><pre>{shown}</pre></details>\n'
    yield "</html>\n"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    role = operation.get("x-alertd-role", "open")
    yield f"<details><summary><b>{method}</b> <code>{escape(path)}</code> {escape(operation['summary'])}"
    yield f'<span class="role">{escape(role)}</span></summary>\n'
    if operation["parameters"]:
        yield "<table><tr><th>parameter<th>in<th>what</tr>\n"
        for each in operation["parameters"]:
            needed = " (needed)" if each.get("required") else ""
            what = escape(each.get("description", ""))
            yield f"<tr><td><code>{escape(each['name'])}</code>{needed}<td>{each['in']}<td>{what}</tr>\n"
        yield "</table>\n"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body: <code>{escape(kind)}</code> {_shape(content['schema'])}</p>\n"
        if "example" in content:
            yield f"<pre>{escape(_written(content['example']))}</pre>\n"
        for name, example in content.get("examples", {}).items():
            yield f"<details><summary>{escape(name)}</summary><pre>{escape(_written(example['value']))}</pre></details>\n"
    yield "<table>\n"
    for status, answer in operation["responses"].items():
        shapes = " ".join(_shape(each["schema"]) for each in answer.get("content", {}).values())
        yield f"<tr><td>{status}<td>{escape(answer['description'])}<td>{shapes}</tr>\n"
    yield "</table>\n"
    for status, answer in operation["responses"].items():
        for content in answer.get("content", {}).values():
            if status.startswith("2") and "example" in content:
                yield f"<p>Answer {status}:</p>\n<pre>{escape(_written(content['example']))}</pre>\n"
    yield "</details>\n"


def _written(example: Any) -> str:
    return example if isinstance(example, str) else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _shape(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_shape, schema["anyOf"]))
    if schema.get("type") == "array" and "$ref" in schema.get("items", {}):
        return f"an array of {_shape(schema['items'])}"
    items = schema.get("properties", {}).get("items", {}).get("items")
    return f"a page of {_shape(items)}" if items else escape(str(schema.get("type", "")))


def _text(markdown: str) -> str:
    parts = escape(markdown).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
