"""A frame of a stack trace: one call, as grouping and the search for suspects look at it.

Frames are read from the end of the stack, where it crashed: those of the application, or all where none is said to be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RECENT: Final = 8192
_NOWHERE: Final = frozenset({"", "?", "<anonymous>", "<unknown>", "<stdin>", "<string>", "[native code]", "native"})
_MADE: Final = re.compile(
    r"\$\$.*"  # proxies and lambdas of the JVM: Shop$$EnhancerBySpringCGLIB$$1f2e
    r"|(?<=\$)\d+"  # Outer$1, lambda$run$0
    r"|(?<=Accessor)\d+|(?<=Proxy)\d+"  # what reflection makes
    r"|(?<=0x)[0-9a-fA-F]+"  # addresses
    r"|[._-](?=[0-9a-f]{0,31}\d)[0-9a-f]{7,32}(?=[._-]|$)"  # the hash in app.3f2a1b9c.js
)
_WRAPPED: Final = re.compile(r"^(?:async |new )?(?:(?:Object|Module|Function)\.)?")


@dataclass(frozen=True, slots=True)
class Frame:
    """One call. What is not known is empty; `paths` are the names of its file, as sent, best first; `text` is its line.

    `own` says that the application claims it.
    """

    module: str
    function: str
    paths: tuple[str, ...]
    text: str = ""
    own: bool = False


def crash_frames(data: Mapping[str, Any], most: int) -> list[Frame]:
    """Read up to `most` frames of an error's `data`, the one that crashed first. Never raises."""
    found: list[Frame] = []
    for raw in raw_frames(data):
        if len(found) >= most:
            break
        paths = tuple(dict.fromkeys(path for name in ("filename", "abs_path") if (path := _text(raw.get(name)))))
        text = _text(raw.get("context_line"))
        own = raw.get("in_app") is True
        found.append(Frame(_text(raw.get("module")), _text(raw.get("function")), paths, text, own))
    return found


def raw_frames(data: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the frames that count, the one that crashed first. What is no frame is left out."""
    return counted(trace_of(data))


def trace_of(data: Mapping[str, Any]) -> Any:
    """Return the frames of an error as they stand in its `data`, whatever that holds; None where there are none."""
    trace = raised(data).get("stacktrace") or data.get("stacktrace")
    return trace.get("frames") if isinstance(trace, dict) else None


def counted(frames: Any) -> Sequence[Mapping[str, Any]]:
    """Return of frames those that count, as `raw_frames` does."""
    if not isinstance(frames, list):
        return ()
    inward = frames[::-1]
    own = [frame for frame in inward if isinstance(frame, dict) and frame.get("in_app")]
    return own or [frame for frame in inward if isinstance(frame, dict)]


def raised(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the exception that was raised, empty where there is none."""
    exception = data.get("exception")
    values = exception.get("values") if isinstance(exception, dict) else None
    last = values[-1] if isinstance(values, list) and values else None
    return last if isinstance(last, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@lru_cache(_RECENT)
def place_of(module: str | None, filename: str | None, function: str | None) -> str:
    """Name the place of a call so that it is the same after every build; empty when it says nothing.

    The module, else the file's own name without its folders; and the function. Never the line.
    """
    where = module if module and module not in _NOWHERE else _base(filename or "")
    what = _WRAPPED.sub("", _MADE.sub("", function or ""), count=1)
    where, what = _MADE.sub("", where), "" if what in _NOWHERE else what
    return f"{where}:{what}" if where or what else ""


def _base(path: str) -> str:
    if path in _NOWHERE:
        return ""
    name = path.replace("\\", "/").partition("?")[0].rstrip("/").rpartition("/")[2]
    return "" if name in _NOWHERE else name
