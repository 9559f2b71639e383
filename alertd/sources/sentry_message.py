"""The message of an event of Sentry: its text, and the template and parameters that it was made of.

SDKs say it as `logentry`, as a `message` that is text, or as a `message` that is an object; together too. Where only a
template and parameters came, the text is made of them, for `%s`-like and `{}`-like places. What it looks like is said
in `alertd.sources.sentry_event`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from alertd.sources.sentry_fields import cut, text_of

MESSAGE_MAX: Final = 8192
"""Greatest length of a message and of its template, in characters."""
PARAMS_MAX: Final = 32
"""Greatest number of parameters that are kept."""
PARAM_MAX: Final = 256
"""Greatest length of a parameter, in characters."""

_percent = re.compile(r"%(?:\((\w+)\))?[-#0+ ]{0,5}[0-9]{0,9}(?:\.[0-9]{0,9})?([a-zA-Z%])")
_braces = re.compile(r"\{(\w*)\}")


def logentry_of(logentry: Any, message: Any, trimmed: set[str]) -> dict[str, Any] | None:
    """Read the message; None when there is none. Its `formatted` is always there."""
    if logentry is None and message is None:
        return None
    given = logentry if isinstance(logentry, dict) else message if isinstance(message, dict) else {}
    template = text_of(given.get("message"), MESSAGE_MAX, "logentry.message", trimmed)
    text = text_of(given.get("formatted"), MESSAGE_MAX, "logentry.formatted", trimmed)
    if text is None:
        text = text_of(message, MESSAGE_MAX, "logentry.formatted", trimmed)
    params = _params(given.get("params"), trimmed)
    if text is None:
        if template is None:
            return None
        text = cut(_formatted(template, params), MESSAGE_MAX)
    kept: dict[str, Any] = {"formatted": text}
    if template is not None and (params or template != text):
        kept["message"] = template
    if params:
        kept["params"] = params
    return kept


def _params(given: Any, trimmed: set[str]) -> list[Any] | dict[str, Any]:
    if isinstance(given, list):
        if len(given) > PARAMS_MAX:
            trimmed.add("logentry.params")
        return [_param(each, trimmed) for each in given[:PARAMS_MAX]]
    if isinstance(given, dict):
        if len(given) > PARAMS_MAX:
            trimmed.add("logentry.params")
        named = list(given.items())[:PARAMS_MAX]
        return {cut(name, PARAM_MAX): _param(each, trimmed) for name, each in named}
    return []


def _param(given: Any, trimmed: set[str]) -> Any:
    if isinstance(given, str):
        return text_of(given, PARAM_MAX, "logentry.params", trimmed) or ""
    return None if isinstance(given, (dict, list)) else given


def _formatted(template: str, params: list[Any] | dict[str, Any]) -> str:
    """Put parameters into a template's places, as far as they go; no width or precision is obeyed."""
    if not params:
        return template
    rest = iter(params if isinstance(params, list) else params.values())

    def fill(place: re.Match[str]) -> str:
        if place[0] == "%%":
            return "%"
        if place[1] and isinstance(params, dict):
            return str(params.get(place[1], place[0]))
        return str(next(rest, place[0]))

    pattern = _percent if _percent.search(template) else _braces
    return pattern.sub(fill, template)
