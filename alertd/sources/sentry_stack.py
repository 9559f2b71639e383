"""A stack trace of Sentry: its frames, oldest caller first, crash frame last, bounded in number and in size.

Of more than `FRAMES_MAX` frames those nearest to the crash are kept, the outermost callers, then the application's own,
then others, always the nearest to the crash first. What a frame looks like is said in `alertd.sources.sentry_event`.
Values of variables are never kept: they hold what nobody wanted to send.

Errors have most of their frames in common, so frames that came lately are kept and shared by the events that have them:
nobody changes one. That leaves less memory to walk through while events wait for their commit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from alertd.model.frames import Frames
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
FRAMES_RECENT: Final = 2048
"""So many frames that came lately are kept: about a kilobyte each, at most seventeen."""

_BEFORE: Final = slice(-CONTEXT_LINES_MAX, None)
_AFTER: Final = slice(CONTEXT_LINES_MAX)
_ALWAYS: Final = frozenset({"lineno", "colno", "in_app"})


def stacktrace_of(given: Any, place: str, trimmed: set[str]) -> dict[str, Any] | None:
    """Read a stack trace; None when it has no frame that says where it is. `place` is its path in `data`."""
    frames = given.get("frames") if isinstance(given, dict) else None
    kept: list[dict[str, Any]]
    if type(frames) is Frames:  # `alertd.sources.sentry_traces` has read them
        kept, omitted, is_cut = frames, frames.omitted, frames.is_cut
    elif isinstance(frames, list):
        kept, omitted, is_cut = read_frames(frames)
    else:
        return None
    if not kept:
        return None
    if is_cut:
        trimmed.add(f"{place}.frames")
    return {"frames": kept, "omitted": omitted} if omitted else {"frames": kept}


def read_frames(given: list[Any]) -> tuple[list[dict[str, Any]], int, bool]:
    """Read frames; return those that are kept, how many are not, and whether anything was too much, a text or their number."""
    count, cut = len(given), set[str]()
    frames = _chosen(given) if count > FRAMES_MAX else given
    kept = [frame for each in frames if type(each) is dict and (frame := _frame(each, "frames", cut))]
    omitted = count - len(kept)
    return kept, omitted, omitted > 0 or bool(cut)


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


def _frame(given: dict[str, Any], place: str, trimmed: set[str]) -> dict[str, Any] | None:
    """Read one frame; None when it has neither file, module nor function."""
    get = given.get
    filename, module, function, path = get("filename"), get("module"), get("function"), get("abs_path")
    if filename and (type(filename) is not str or len(filename) > PATH_MAX):
        filename = text_of(filename, PATH_MAX, place, trimmed)
    if module and (type(module) is not str or len(module) > NAME_MAX):
        module = text_of(module, NAME_MAX, place, trimmed)
    if function and (type(function) is not str or len(function) > NAME_MAX):
        function = text_of(function, NAME_MAX, place, trimmed)
    if path and (type(path) is not str or len(path) > PATH_MAX):
        path = text_of(path, PATH_MAX, place, trimmed)
    if not (filename or module or function or path):
        return None
    line = get("context_line")
    if type(line) is not str:
        line = None
    elif len(line) > LINE_MAX:
        line = _line(line, place, trimmed)
    in_app = get("in_app") is True
    lineno, colno = get("lineno"), get("colno")
    return _known(
        filename or path or None,
        path or None if filename and path != filename else None,
        module or None,
        function or None,
        lineno if type(lineno) is int and lineno >= 0 else None,
        colno if type(colno) is int and colno >= 0 else None,
        in_app,
        line,
        _lines(get("pre_context"), _BEFORE, place, trimmed) if in_app else (),
        _lines(get("post_context"), _AFTER, place, trimmed) if in_app else (),
    )


@lru_cache(FRAMES_RECENT)
def _known(
    filename: str | None,
    path: str | None,
    module: str | None,
    function: str | None,
    lineno: int | None,
    colno: int | None,
    in_app: bool,
    line: str | None,
    before: tuple[str, ...],
    after: tuple[str, ...],
) -> dict[str, Any]:
    """Lay a frame out; one that came lately is the same object again, in no more memory."""
    named = (
        ("filename", filename),
        ("module", module),
        ("function", function),
        ("abs_path", path),
        ("lineno", lineno),
        ("colno", colno),
        ("in_app", in_app),
        ("context_line", line),
        ("pre_context", list(before)),
        ("post_context", list(after)),
    )
    return {name: value for name, value in named if value or (value is not None and name in _ALWAYS)}


def _lines(given: Any, nearest: slice, place: str, trimmed: set[str]) -> tuple[str, ...]:
    """Read the source lines before or after the one of a frame, the nearest ones where there are too many."""
    return tuple([_line(line, place, trimmed) for line in given[nearest]]) if type(given) is list else ()


def _line(given: Any, place: str, trimmed: set[str]) -> str:
    if type(given) is not str:
        return ""
    if len(given) <= LINE_MAX:
        return given
    trimmed.add(place)
    return given[: LINE_MAX - 1] + CUT
