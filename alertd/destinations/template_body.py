"""The body of `format: template`: what a user's template makes of a message, else the standard body, which says why. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from alertd.destinations.standard_body import body_of
from alertd.destinations.templated import values_of
from alertd.destinations.templates import render

if TYPE_CHECKING:
    from alertd.destinations.base import Message

ERROR_HEADER: Final = "x-alertd-template-error"
"""Says in a standard body's headers why the template did not make the body."""


def template_body(message: Message, source: str, content_type: str) -> tuple[bytes, dict[str, str]]:
    """Give the body with its own headers."""
    made = render(source, values_of(message))
    problem = made.problem
    body = made.text.encode("utf-8", "replace")
    if not problem and "json" in content_type:
        problem = _not_json(body)
    if problem:
        plain = problem.encode("ascii", "replace").decode()
        return body_of(message), {"content-type": "application/json", ERROR_HEADER: plain}
    return body, {"content-type": content_type}


def _not_json(body: bytes) -> str:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return f"what it made is not JSON: {error}"[:200]
    return ""
