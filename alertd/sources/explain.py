"""Why an object is not an event: every bad field, named by its pointer.

The careful twin of `alertd.sources.native.build`, used only for what that refused; it must find a problem in exactly
those objects (a property test holds them together).
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from alertd.model.event import KEY_MAX, LABEL_NAME_MAX, LABEL_VALUE_MAX, LABELS_MAX, NAME_MAX
from alertd.model.severity import BY_WORD, EXPECTED
from alertd.sources.base import Context, ForbiddenWorkspaceError
from alertd.sources.document import depth_of, is_deeper, kind_of, too_deep
from alertd.sources.fields import FIELDS, PLACE_MAX, SOURCE_MAX, URL_MAX, is_key, is_name, is_place, read_time
from alertd.sources.problems import Problems, step

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN: Final = frozenset(FIELDS)
"""Every name that an event may have at its top."""

_SHOWN_MAX = 64
_NAME = f"1 to {NAME_MAX} printable ASCII characters without spaces"


def explain(value: dict[str, Any], pointer: str, context: Context, problems: Problems) -> None:
    """Add every problem of an object's fields; its size as a whole is looked at elsewhere."""
    unknown = value.keys() - KNOWN
    if unknown:
        _explain_unknown(value, len(unknown), pointer, problems)
    if value.get("type") is None:
        problems.add(f"{pointer}/type", f"is required: {_NAME}")
    for name in FIELDS:
        given = value.get(name)
        if given is None:
            continue
        if name == "workspace":
            _explain_workspace(given, pointer, context, problems)
        elif name == "labels":
            _explain_labels(given, f"{pointer}/labels", problems)
        elif name == "data":
            _explain_data(given, pointer, context, problems)
        elif (expected := _CHECKS[name](given)) is not None:
            problems.add(f"{pointer}/{name}", f"{expected}, found {found(given)}")


def found(value: Any) -> str:
    """Show a refused value to people: short strings as they are, other values by their type."""
    if not isinstance(value, str):
        return kind_of(value)
    if len(value) > _SHOWN_MAX:
        return f"{len(value)} characters beginning with {value[:_SHOWN_MAX]!r}"
    return repr(value)


def _explain_unknown(value: dict[str, Any], count: int, pointer: str, problems: Problems) -> None:
    for name in value:
        if name in KNOWN:
            continue
        if problems.full:
            problems.count(count)
            return
        count -= 1
        problems.add(step(pointer, name), f"unknown field{_suggestion(name)}")


def _suggestion(name: str) -> str:
    if name in {"specversion", "data_base64"}:
        return ": send CloudEvents with the content type application/cloudevents+json"
    near = get_close_matches(name.lower(), FIELDS, 1, 0.6) if len(name) <= _SHOWN_MAX else []
    if near:
        return f", did you mean {near[0]!r}?"
    return ": put fields of your own below `data` or `labels`"


def _explain_workspace(given: Any, pointer: str, context: Context, problems: Problems) -> None:
    place = f"{pointer}/workspace"
    if not isinstance(given, str):
        problems.add(place, f"expected a workspace's name, found {kind_of(given)}")
    elif given == context.workspace:
        return
    elif given not in context.workspaces:
        problems.add(place, f"unknown workspace {found(given)}")
    elif context.confined:
        detail = f"not allowed: this sender writes to the workspace {context.workspace!r} only"
        problems.add(place, detail, ForbiddenWorkspaceError)


def _explain_labels(given: Any, pointer: str, problems: Problems) -> None:
    if not isinstance(given, dict):
        problems.add(pointer, f"expected an object of strings, found {kind_of(given)}")
        return
    if len(given) > LABELS_MAX:
        problems.add(pointer, f"expected at most {LABELS_MAX} labels, found {len(given)}")
    for name, text in given.items():
        if not 1 <= len(name) <= LABEL_NAME_MAX:
            problems.add(step(pointer, name), f"expected a name of 1 to {LABEL_NAME_MAX} characters")
        if not isinstance(text, str) or len(text) > LABEL_VALUE_MAX:
            detail = f"expected a string of at most {LABEL_VALUE_MAX} characters, found {found(text)}"
            problems.add(step(pointer, name), detail)


def _explain_data(given: Any, pointer: str, context: Context, problems: Problems) -> None:
    if not isinstance(given, dict):
        problems.add(f"{pointer}/data", f"expected an object, found {kind_of(given)}")
    elif is_deeper(given, depth_of(context) - 1):
        problems.add(f"{pointer}/data", too_deep(context))


def _name(given: Any) -> str | None:
    return None if isinstance(given, str) and is_name(given) else f"expected {_NAME}"


def _place(given: Any) -> str | None:
    if isinstance(given, str) and is_place(given):
        return None
    return f"expected 1 to {PLACE_MAX} characters without control characters"


def _key(given: Any) -> str | None:
    if isinstance(given, str) and is_key(given):
        return None
    return f"expected 1 to {KEY_MAX} characters without control characters"


def _severity(given: Any) -> str | None:
    return None if isinstance(given, str) and given in BY_WORD else f"expected {EXPECTED}"


def _time(given: Any) -> str | None:
    if isinstance(given, str) and read_time(given) is not None:
        return None
    return "expected a time as in RFC 3339, such as 2026-05-07T00:00:00Z"


def _text(given: Any) -> str | None:
    return None if isinstance(given, str) else "expected a string"


def _up_to(most: int) -> Callable[[Any], str | None]:
    def check(given: Any) -> str | None:
        if isinstance(given, str) and len(given) <= most:
            return None
        return f"expected a string of at most {most} characters"

    return check


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "type": _name,
    "id": _name,
    "project": _place,
    "environment": _place,
    "source": _up_to(SOURCE_MAX),
    "severity": _severity,
    "time": _time,
    "key": _key,
    "message": _text,
    "url": _up_to(URL_MAX),
}
