"""The exceptions of an event of Sentry: a chain, oldest cause first, the raised one last.

The last one's type and value are repeated at the top, where a matcher reaches them (`data.exception.type`). What it
looks like is said in `alertd.sources.sentry_event`.
"""

from __future__ import annotations

from typing import Any, Final

from alertd.model.frames import Crash
from alertd.sources.sentry_fields import picked, text_of
from alertd.sources.sentry_stack import NAME_MAX, stacktrace_of

VALUES_MAX: Final = 10
"""Greatest number of exceptions that are kept of one chain."""
CAUSES: Final = 2
"""So many of the oldest causes are kept of a chain that is longer."""
VALUE_MAX: Final = 4096
"""Greatest length of an exception's value, in characters."""
WORD_MAX: Final = 128
"""Greatest length of the texts of a mechanism, in characters."""

_PLACE: Final = "exception.values"
_IN_VALUE: Final = f"{_PLACE}."
_MECHANISM: Final = f"{_PLACE}.mechanism"
_STACKTRACE: Final = f"{_PLACE}.stacktrace"
_TEXTS: Final = {"type": NAME_MAX, "value": VALUE_MAX, "module": NAME_MAX}
_WORDS: Final = ("type", "source")
_FLAGS: Final = ("handled", "synthetic", "is_exception_group")
_NUMBERS: Final = ("exception_id", "parent_id")


def exception_of(given: Any, trimmed: set[str]) -> dict[str, Any] | None:
    """Read `exception`, in any of its shapes; None when no exception in it has a type or a value."""
    if type(given) is Crash:  # `alertd.sources.sentry_traces` has read it
        trimmed |= given.trimmed
        return given
    if isinstance(given, dict):
        given = given.get("values", [given])
    if not isinstance(given, list):
        return None
    named = [
        each for each in given if type(each) is dict and (_is_text(each.get("type")) or _is_text(each.get("value")))
    ]
    omitted = len(named) - VALUES_MAX
    if omitted > 0:
        named = [*named[:CAUSES], *named[CAUSES - VALUES_MAX :]]
        trimmed.add(_PLACE)
    values = [_value(each, trimmed) for each in named]
    if not values:
        return None
    raised = values[-1]
    kept: dict[str, Any] = {name: raised[name] for name in ("type", "value", "module") if name in raised}
    handled = _handled(values)
    if handled is not None:
        kept["handled"] = handled
    if omitted > 0:
        kept["omitted"] = omitted
    kept["values"] = values
    return kept


def _handled(values: list[dict[str, Any]]) -> bool | None:
    """Say whether it was handled: not, when any of them was not (some SDKs tell it of the cause); None: nobody says."""
    said: bool | None = None
    for value in values:
        mechanism = value.get("mechanism")
        said = mechanism.get("handled") if mechanism else None
        if said is False:
            return False
    return said


def _is_text(value: Any) -> bool:
    return value is not None and value != "" and type(value) is not dict and type(value) is not list


def _value(given: dict[str, Any], trimmed: set[str]) -> dict[str, Any]:
    kept = picked(given, _TEXTS, _IN_VALUE, trimmed)
    mechanism = given.get("mechanism")
    if isinstance(mechanism, dict) and (read := _mechanism(mechanism, trimmed)):
        kept["mechanism"] = read
    stacktrace = stacktrace_of(given.get("stacktrace"), _STACKTRACE, trimmed)
    if stacktrace is not None:
        kept["stacktrace"] = stacktrace
    return kept


def _mechanism(given: dict[str, Any], trimmed: set[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in _WORDS:
        if name in given and (text := text_of(given[name], WORD_MAX, _MECHANISM, trimmed)):
            kept[name] = text
    if len(given) == len(kept):
        return kept
    for name in _FLAGS:
        flag = given.get(name)
        if isinstance(flag, bool):
            kept[name] = flag
    for name in _NUMBERS:
        number = given.get(name)
        if type(number) is int:
            kept[name] = number
    return kept
