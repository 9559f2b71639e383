"""JSON of others, read without trust: what is not there, or not of its kind, is empty. Pure."""

from __future__ import annotations

from typing import Any

import orjson


def object_in(data: bytes | None) -> dict[str, Any]:
    """Read a JSON object; empty for anything else."""
    if not data:
        return {}
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def text_in(value: Any, otherwise: str = "") -> str:
    """Take a text as it is, `otherwise` for an empty one and for all else."""
    return value if isinstance(value, str) and value else otherwise
