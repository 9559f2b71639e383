"""Where a program crashed, in the few lines that a person looks at first. Pure; reads what any source made of it."""

from __future__ import annotations

from typing import Any, Final

from alertd.destinations.clean import line

FRAMES_MAX: Final = 6
"""Frames that are shown: the application's own, from the crash on outwards."""


def crash_title(event: dict[str, Any]) -> str:
    """Give the title of an error event: `KeyError: 'sku'`; empty for any other."""
    data = event.get("data")
    return line(data.get("title")) if isinstance(data, dict) and isinstance(data.get("exception"), dict) else ""


def crash_text(event: dict[str, Any]) -> str:
    """List the frames, the one that crashed first: `shop/cart.py:17 in checkout`; empty when none are known."""
    frames = [frame for frame in _frames(event.get("data")) if isinstance(frame, dict)]
    own = [frame for frame in frames if frame.get("in_app") is True] or frames
    return "\n".join(filter(None, map(_shown, reversed(own[-FRAMES_MAX:]))))


def _frames(data: Any) -> list[Any]:
    """Find the frames of the exception that was raised last, else the event's own."""
    values = _at(data, "exception", "values")
    raised = values[-1] if isinstance(values, list) and values else None
    found = _at(raised, "stacktrace", "frames") or _at(data, "stacktrace", "frames")
    return found if isinstance(found, list) else []


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _shown(frame: dict[str, Any]) -> str:
    place = line(frame.get("filename") or frame.get("module"), 120)
    number = line(frame.get("lineno"), 12)
    function = line(frame.get("function"), 80)
    where = f"{place}:{number}" if place and number else place
    return " in ".join(filter(None, (where, function)))
