"""A fingerprint: which errors are one issue. The rules, the first that says something decides:

1. an explicit fingerprint, its variables replaced; `{{ default }}` stands for what rules 2 to 4 say;
2. the raised exception: its type and the last `FRAMES` calls of the application, from the crash on, without lines; of a synthetic
   one, which an SDK makes of a message to have a stack, its value with parameters replaced in place of the type;
3. without a usable stack: its type, its value with parameters replaced, and the transaction;
4. the message, with parameters replaced; of a template (`Order %s failed`) the template.

A fingerprint begins with the version of the rules that made it. Once released, rules never change under a version: whoever
changes them adds one, and sees to it that no project's issues are grouped anew unasked.

It is made of `data` as `alertd.sources.sentry_event` lays it out, from the crash end of the stack, so that frames left
out elsewhere do not matter.
"""  # noqa: D400 - the list belongs to it

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from alertd.engine.issues.frame import counted, place_of, raw_frames, trace_of
from alertd.engine.issues.parameters import parameterise
from alertd.model.frames import Crash, Frames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION: Final = 1
"""The version of the rules in force."""
FRAMES: Final = 5
"""How many calls count, from the crash on; a call that calls itself counts once."""

_RECENT: Final = 8192
_LOOKED_AT: Final = 200
_GROUP_TYPES: Final = 8
_DIGITS: Final = 32
_SEPARATOR: Final = "\x1f"
_VARIABLE: Final = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def fingerprint_of(data: Mapping[str, Any], labels: Mapping[str, str] | None = None, version: int = VERSION) -> str:
    """Name the issue of an error: the rules' version, a colon, 32 hexadecimal digits.

    Raises KeyError for a version that there never was.
    """
    crash = data.get("exception")
    if type(crash) is not Crash or version != VERSION or data.get("fingerprint"):
        return _digest(version, tuple(_RULES[version](data, labels or {})))
    if crash.fingerprint is not None:
        return crash.fingerprint
    parts = _RULES[version](data, labels or {})
    found = _digest(version, tuple(parts))
    if parts[0] == "exception" and "stacktrace" in crash["values"][-1]:  # nothing else of the event was asked
        crash.fingerprint = found
    return found


@lru_cache(_RECENT)
def _digest(version: int, parts: tuple[str, ...]) -> str:
    """Write a fingerprint; most errors are of issues that had one lately, so the answers are kept."""
    digest = sha256(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{version}:{digest[:_DIGITS]}"


def _parts(data: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    explicit = data.get("fingerprint")
    if not explicit:
        return _default(data)
    if all(_variable(part) == "default" for part in explicit):
        return _default(data)
    parts = ["explicit"]
    for part in explicit:
        if _variable(part) == "default":
            parts += _default(data)
        else:
            parts.append(_VARIABLE.sub(lambda found: _value(found, data, labels), part))
    return parts


def _variable(part: str) -> str:
    found = _VARIABLE.fullmatch(part)
    return found[1] if found else ""


def _default(data: Mapping[str, Any]) -> list[str]:
    exception = data.get("exception")
    places = _places(data)
    if exception is None:
        return ["stack", *places] if places and "logentry" not in data else ["message", _message(data)]
    raised = exception["values"][-1]
    mechanism = raised.get("mechanism") or {}
    is_synthetic = bool(mechanism.get("synthetic"))
    kind = "" if is_synthetic else raised.get("type") or ""
    if mechanism.get("is_exception_group"):
        kind = _SEPARATOR.join([kind, *_members(exception["values"])])
    if places:
        return ["exception", parameterise(raised.get("value") or "") if is_synthetic else kind, *places]
    where = parameterise(data.get("transaction") or data.get("culprit") or "")
    return ["value", kind, parameterise(raised.get("value") or ""), where]


def _places(data: Mapping[str, Any]) -> list[str]:
    """Name the calls that count; what was read in frames that come again stays with them."""
    frames = trace_of(data)
    if type(frames) is not Frames:
        return _read_places(frames)
    if frames.places is None:
        frames.places = _read_places(frames)
    return frames.places


def _read_places(frames: Any) -> list[str]:
    places: list[str] = []
    last = ""
    for seen, frame in enumerate(counted(frames)):
        place = place_of(frame.get("module"), frame.get("filename"), frame.get("function"))
        if place and place != last:
            places.append(place)
            last = place
        if len(places) == FRAMES or seen >= _LOOKED_AT:
            break
    return places


def _members(values: list[Mapping[str, Any]]) -> list[str]:
    """Name the kinds of errors in a group of exceptions: that the group was raised tells little."""
    kinds = {
        value.get("type") or "" for value in values[:-1] if not (value.get("mechanism") or {}).get("is_exception_group")
    }
    return sorted(kinds)[:_GROUP_TYPES]


def _message(data: Mapping[str, Any]) -> str:
    logentry = data.get("logentry") or {}
    return parameterise(logentry.get("message") or logentry.get("formatted") or data.get("title") or "")


def _value(found: re.Match[str], data: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Replace one variable; one that nobody knows stays as it is, one that has no value here is empty."""
    name = found[1]
    if name.startswith("tags."):
        return labels.get(name[5:], "")
    reader = _VARIABLES.get(name)
    return found[0] if reader is None else str(reader(data) or "")


def _raised(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda data: (data.get("exception") or {}).get(name)


def _crash(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda data: next((frame.get(name) for frame in raw_frames(data)), None)


def _field(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda data: data.get(name)


def _text(data: Mapping[str, Any]) -> Any:
    logentry = data.get("logentry") or {}
    return logentry.get("formatted") or (data.get("exception") or {}).get("value")


_VARIABLES: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "transaction": _field("transaction"),
    "logger": _field("logger"),
    "level": _field("level"),
    "message": _text,
    "error.type": _raised("type"),
    "type": _raised("type"),
    "error.value": _raised("value"),
    "value": _raised("value"),
    "stack.function": _crash("function"),
    "function": _crash("function"),
    "stack.module": _crash("module"),
    "module": _crash("module"),
    "stack.package": _crash("module"),
    "package": _crash("module"),
    "stack.filename": _crash("filename"),
    "stack.abs_path": _crash("abs_path"),
    "path": _crash("abs_path"),
}
_RULES: Final[Mapping[int, Callable[[Mapping[str, Any], Mapping[str, str]], list[str]]]] = {1: _parts}
