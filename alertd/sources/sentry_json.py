r"""JSON as Sentry's SDKs write it: as strict as `alertd.sources.document`, but halves of characters are forgiven.

An SDK that cuts a text inside a character beyond the basic plane, or reports one that was never valid, writes half of
a surrogate pair (`\ud83d`). That is no Unicode; here U+FFFD takes its place, so that no error is lost for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from alertd.errors import DecodeError, NotJsonError, Problem
from alertd.sources.document import kind_of, unreadable

if TYPE_CHECKING:
    from alertd.sources.base import Context

_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
_HALF = "surrogate in string"


def load(body: bytes | memoryview, context: Context) -> Any:
    """Read one document whose size is already bounded. Errors: `NotJsonError`, `DecodeError` when it is too deep."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        wrong = error
    if _HALF in wrong.msg:
        try:
            return orjson.loads(_mended(bytes(body)))
        except orjson.JSONDecodeError as error:
            wrong = error
    raise unreadable(wrong, context) from wrong


def load_object(body: bytes | memoryview, pointer: str, context: Context) -> dict[str, Any]:
    """Read one document that must be an object; errors are at `pointer`. Errors: as `load`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            value = load(body, context)
        except DecodeError as error:
            raise type(error)([Problem(pointer, problem.detail) for problem in error.problems]) from error
    if not isinstance(value, dict):
        raise NotJsonError([Problem(pointer, f"expected an object, found {kind_of(value)}")])
    return value


def _mended(body: bytes) -> bytes:
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)
