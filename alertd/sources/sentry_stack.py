"""A stack trace of Sentry: its frames, oldest caller first, crash frame last, bounded in number and in size.

Of more than `FRAMES_MAX` frames those nearest to the crash are kept, the outermost callers, then the application's own,
then others, always the nearest to the crash first. What a frame looks like is said in `alertd.sources.sentry_event`.
Values of variables are never kept: they hold what nobody wanted to send.
"""

from __future__ import annotations

from typing import Any, Final

from alertd.sources.sentry_fields import CUT, text_of

FRAMES_MAX: Final = 50
"""Greatest number of frames that are kept of one stack trace."""
NEAREST: Final = 25
"""So many frames nearest to the crash are kept in any case."""
OUTERMOST: Final = 5
"""So many of the outermost callers are kept in any case."""
CONTEXT_LINES_MAX: Final = 5
"""Greatest number of source lines that are kept before, and after, that of a frame."""
LINE_MAX: Final = 200
"""Greatest length of a source line, in characters."""
PATH_MAX: Final = 512
"""Greatest length of a file's name or path, in characters."""
NAME_MAX: Final = 256
"""Greatest length of the name of a module, function or type, in characters."""

_TEXTS: Final = (("filename", PATH_MAX), ("module", NAME_MAX), ("function", NAME_MAX))
_NUMBERS: Final = ("lineno", "colno")


def stacktrace_of(given: Any, place: str, trimmed: set[str]) -> dict[str, Any] | None:
    """Read a stack trace; None when it has no frame that says where it is. `place` is its path in `data`."""
    frames = given.get("frames") if isinstance(given, dict) else None
    if not isinstance(frames, list):
        return None
    count = len(frames)
    place += ".frames"
    if count > FRAMES_MAX:
        frames = _chosen(frames)
    kept = [frame for each in frames if type(each) is dict and (frame := _frame(each, place, trimmed))]
    if not kept:
        return None
    if len(kept) == count:
        return {"frames": kept}
    trimmed.add(place)
    return {"frames": kept, "omitted": count - len(kept)}


def _chosen(frames: list[Any]) -> list[Any]:
    """Choose which frames to keep; linear in their number."""
    count = len(frames)
    between = range(count - NEAREST - 1, OUTERMOST - 1, -1)
    kept = {*range(OUTERMOST), *range(count - NEAREST, count)}
    for wanted in (True, False):
        for index in between:
            if len(kept) == FRAMES_MAX:
                break
            frame = frames[index]
            if (isinstance(frame, dict) and frame.get("in_app") is True) is wanted:
                kept.add(index)
    return [frames[index] for index in sorted(kept)]


def _frame(given: dict[str, Any], place: str, trimmed: set[str]) -> dict[str, Any] | None:  # noqa: C901 - the hot path: one straight line
    """Read one frame; None when it has neither file, module nor function."""
    get = given.get
    frame: dict[str, Any] = {}
    for name, most in _TEXTS:
        text = get(name)
        if text:
            if type(text) is not str or len(text) > most:
                text = text_of(text, most, place, trimmed)
                if text is None:
                    continue
            frame[name] = text
    path = get("abs_path")
    if path and (path := text_of(path, PATH_MAX, place, trimmed)):
        filename = frame.setdefault("filename", path)
        if filename != path:
            frame["abs_path"] = path
    if not frame:
        return None
    for name in _NUMBERS:
        number = get(name)
        if type(number) is int and number >= 0:
            frame[name] = number
    frame["in_app"] = in_app = get("in_app") is True
    line = get("context_line")
    if type(line) is str and line:
        frame["context_line"] = line if len(line) <= LINE_MAX else _line(line, place, trimmed)
    if in_app:
        _add_context(frame, get("pre_context"), get("post_context"), place, trimmed)
    return frame


def _add_context(frame: dict[str, Any], before: Any, after: Any, place: str, trimmed: set[str]) -> None:
    """Add the source lines around the one of the frame, the nearest ones where there are too many."""
    if type(before) is list and before:
        frame["pre_context"] = [_line(line, place, trimmed) for line in before[-CONTEXT_LINES_MAX:]]
    if type(after) is list and after:
        frame["post_context"] = [_line(line, place, trimmed) for line in after[:CONTEXT_LINES_MAX]]


def _line(given: Any, place: str, trimmed: set[str]) -> str:
    if type(given) is not str:
        return ""
    if len(given) <= LINE_MAX:
        return given
    trimmed.add(place)
    return given[: LINE_MAX - 1] + CUT
