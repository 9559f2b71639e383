"""A JSON document: bytes to Python values within the bounds, or an error that says what is wrong with the bytes.

Strict as RFC 8259: UTF-8 without a byte order mark, no NaN, no Infinity, no lone surrogates, no number beyond a double.
Of members with the same name the last one counts; an integer beyond 64 bits is read as a double (RFC 7493 §2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.errors import DecodeError, NotJsonError, TooLargeError

if TYPE_CHECKING:
    from alertd.sources.base import Context

WRITER_DEPTH_MAX: Final = 254
"""Greatest depth that the JSON writer can write; a greater `max_depth` counts as this."""

_PARSER_TOO_DEEP = ("depth", "memory", "recursion")


def load(body: bytes, context: Context) -> Any:
    """Read one document. Errors: `TooLargeError`, `NotJsonError`, `DecodeError` when even the parser finds it too deep."""
    check_size(body, context)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unreadable(error, context) from error


def check_size(body: bytes, context: Context) -> None:
    """Raise `TooLargeError` for a body beyond its bound."""
    most = context.bounds.max_body_bytes
    if len(body) > most:
        raise TooLargeError(f"the body has {len(body)} bytes, at most {most} are accepted")


def check_count(count: int, context: Context) -> None:
    """Raise `TooLargeError` for more events than a body may hold."""
    most = context.bounds.max_events
    if count > most:
        raise TooLargeError(f"the body holds {count} events, at most {most} are accepted")


def unreadable(error: orjson.JSONDecodeError, context: Context) -> DecodeError:
    """Turn the parser's error into ours; the parser gives up at about 1,000 levels, or for lack of memory."""
    if any(word in error.msg.lower() for word in _PARSER_TOO_DEEP):
        return DecodeError(too_deep(context))
    return NotJsonError(f"not JSON: {error.msg}, at line {error.lineno}, column {error.colno}")


def depth_of(context: Context) -> int:
    """Return in how many levels an event may be nested, itself the first."""
    return min(context.bounds.max_depth, WRITER_DEPTH_MAX)


def too_deep(context: Context) -> str:
    """Say that something is nested beyond the bound."""
    return f"nested deeper than {depth_of(context)} levels"


def is_deeper(value: Any, levels: int) -> bool:
    """Tell whether objects and arrays are nested in more than so many levels; linear in the size of the value."""
    layer = [value] if isinstance(value, (dict, list)) else []
    while layer:
        if levels <= 0:
            return True
        levels -= 1
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return False


def kind_of(value: Any) -> str:
    """Name a JSON value's type for people: `an array`, `null`, ..."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", int: "a number", float: "a number", dict: "an object", list: "an array"}
    return names.get(type(value), "something else")
