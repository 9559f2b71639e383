r"""Reading the JSON of an error: what came lately is known by its bytes, and neither parsed nor read again.

An application fails in few places, often. Most of an error's JSON are its stack traces, and where an SDK does not send
the values of variables (which are never kept) that of the same failure comes again letter for letter. So the text of each
is looked for first, up to one that is not known; what is known is cut out, a mark in its place, and the rest is parsed. What
comes out is what parsing the whole would give, but for the frames, which are `alertd.model.frames.Frames` then: read, and
shared. An error that came again word for word has the same exceptions around them: what stood before the frames of the first
of them, and behind, is kept with these, and where it is found again all exceptions are one `alertd.model.frames.Crash`.

In JSON, `"frames":[{` is always the end of a name and the beginning of its value: no quote is in a string but behind a
backslash, and none begins one behind a letter. What follows up to `}]}` is cut out only when it is a whole array by
itself; the rest is parsed with a mark that nobody else knows, and each mark must be where a stack trace is looked for.
In any other case the whole is parsed, as if nothing had been looked for.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.frames import Crash, Frames
from alertd.sources.sentry_exception import exception_of
from alertd.sources.sentry_json import load_object
from alertd.sources.sentry_stack import read_frames

if TYPE_CHECKING:
    from alertd.sources.base import Context

RECENT_BYTES: Final = 16 * 1024 * 1024
"""So much of what came lately is kept, each counted as it came and as it is written: up to five times as much
memory, where no two have a frame in common."""
TRACE_BYTES: Final = 64 * 1024
"""A longer stack trace is not kept, nor are longer exceptions."""
CRASHES_MAX: Final = 4
"""So many crashes are kept of which the first stack trace is the same. After as many tries, only one in `SHARE` is made."""
ENTRY_BYTES: Final = 1024
"""What each stack trace, and each crash, counts beside its texts, for the objects that it is made of."""
TRACES_MAX: Final = 16
"""So many of one event are looked for."""
MET_MAX: Final = 8192
"""So many that came once are remembered, by a number."""
PATIENCE: Final = 256
"""After so many errors in a row of which nothing was known ..."""
SHARE: Final = 16
"""... only one of so many is looked at."""

_EXCEPTION: Final = b'"exception":{'
_EXCEPTION_BYTES: Final = len(b'"exception":')
_BEGIN: Final = b'"frames":[{'
_NAME_BYTES: Final = len(b'"frames":')
_END: Final = b"}]}"
_LIST_END_BYTES: Final = len(b"}]")
_BRACKETS_MAX: Final = 1000
"""With more brackets, a text might be nested deeper than the parser goes when the rest is around it."""
_DECODER: Final = json.JSONDecoder()
_MARKS: Final = tuple((mark, orjson.dumps(mark)) for mark in (token_hex(16) for _ in range(TRACES_MAX)))


class Traces:
    """Stack traces by their text, with the crashes that hang on them; what was not asked for longest is forgotten first.

    A text is read when it comes again: most of those that hold values of variables never do. Where nothing has come again
    for `PATIENCE` errors, only one in `SHARE` is looked at, until something does.
    """

    def __init__(self, most_bytes: int = RECENT_BYTES) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0
        """How much is kept."""
        self._vain = 0
        self._met: set[int] = set()
        self._kept: OrderedDict[bytes, Frames] = OrderedDict()

    def looks(self) -> bool:
        """Tell whether to look at one more error."""
        self._vain += 1
        return self._vain <= PATIENCE or not self._vain % SHARE

    def find(self, text: bytes) -> Frames | None:
        """Return the frames of a stack trace, given as the text of their list; None for one that is to be read in its place."""
        known = self._kept.get(text)
        if known is None:
            known = _read(text) if self.comes_again(text) else None
            if known is None:
                return None
            self._kept[text] = known
            self._grow(_size(text, known))
        else:
            self._kept.move_to_end(text)
        self._vain = 0
        return known

    def comes_again(self, text: bytes) -> bool:
        """Tell whether a text came before, and take note of it otherwise."""
        met = hash(text)
        if met in self._met:
            return True
        if len(self._met) >= MET_MAX:
            self._met.clear()
        self._met.add(met)
        return False

    def learn(self, text: bytes, crash: Crash) -> None:
        """Keep a crash with the frames of its first stack trace, if they are still kept under their text."""
        frames = self._kept.get(text)
        if frames is not None:
            before = _size(text, frames)
            frames.crashes = (crash, *frames.crashes[: CRASHES_MAX - 1])
            self._grow(_size(text, frames) - before)

    def _grow(self, more_bytes: int) -> None:
        self.held_bytes += more_bytes
        while self.held_bytes > self._most_bytes and self._kept:
            self.held_bytes -= _size(*self._kept.popitem(last=False))


def _size(text: bytes, frames: Frames) -> int:
    crashes = sum([ENTRY_BYTES + crash.held_bytes for crash in frames.crashes])
    return ENTRY_BYTES + len(text) + len(frames.written) + crashes


_RECENT: Final = Traces()


def load_error(body: bytes | memoryview, pointer: str, context: Context, recent: Traces = _RECENT) -> dict[str, Any]:
    """Read the object of an error or message; errors are at `pointer`. Errors: as `alertd.sources.sentry_json.load`."""
    found = _load(bytes(body), recent) if recent.looks() else None
    return load_object(body, pointer, context) if found is None else found


def _load(text: bytes, recent: Traces) -> dict[str, Any] | None:
    """Read an object of which stack traces are known; None when it must be read whole."""
    find = text.find
    pieces: list[bytes] = []
    known: dict[str, Frames | Crash] = {}
    rest = 0
    value = find(_EXCEPTION) + _EXCEPTION_BYTES
    first: tuple[int, int, Frames] | None = None
    for mark, written in _MARKS:
        begin = find(_BEGIN, rest)
        if begin < 0:
            break
        start = begin + _NAME_BYTES
        end = find(_END, start) + _LIST_END_BYTES
        frames = recent.find(text[start:end]) if end > start else None
        if frames is None:
            break
        known[mark] = frames
        if first is None and _EXCEPTION_BYTES <= value < begin:
            first = start, end, frames
            crash = _crash(text, value, first) if frames.crashes else None
            if crash is not None:
                known[mark] = crash
                start, end = value, end + len(crash.tail)
        pieces += (text[rest:start], written)
        rest = end
    if not known:
        return None
    pieces.append(text[rest:])
    try:
        given = orjson.loads(b"".join(pieces))
    except orjson.JSONDecodeError:
        return None
    if type(given) is not dict or not _are_placed(given, known):
        return None
    if first is not None and type(given.get("exception")) is dict and recent.comes_again(text[value:rest]):
        _learn(text, value, first, given["exception"], recent)
    return given


def _crash(text: bytes, value: int, first: tuple[int, int, Frames]) -> Crash | None:
    """Find the crash whose text begins at `value`: before its first frames its head, its tail behind them."""
    start, end, frames = first
    for crash in frames.crashes:
        if start - value == len(crash.head) and text.startswith(crash.head, value) and text.startswith(crash.tail, end):
            return crash
    return None


def _learn(text: bytes, value: int, first: tuple[int, int, Frames], given: Any, recent: Traces) -> None:
    """Keep the exceptions whose text begins at `value` with the first frames that are known in it."""
    start, end, frames = first
    frames.tries += 1
    if frames.tries > CRASHES_MAX and frames.tries % SHARE:
        return
    within = text[value : value + TRACE_BYTES].decode(errors="ignore")  # it may end inside a character
    try:
        _, length = _DECODER.raw_decode(within)
    except (ValueError, RecursionError):  # too long, or nested too deeply
        return
    stop = value + len(within[:length].encode())
    trimmed = set[str]()
    exception = exception_of(given, trimmed) if stop > end else None  # else the frames are not those of the exceptions
    if exception is not None:
        recent.learn(text[start:end], Crash(exception, trimmed, text[value:start], text[end:stop]))


def _are_placed(given: dict[str, Any], traces: dict[str, Frames | Crash]) -> bool:
    """Put what is known where its marks are; tell whether that is where it is looked for, for all of it."""
    exception = given.get("exception")
    if type(exception) is str and type(traces.get(exception)) is Crash:
        given["exception"] = traces.pop(exception)
    else:
        _place(exception, traces)
    if traces:
        _place(given.get("threads"), traces)
        _place([given], traces)
    return not traces


def _place(values: Any, traces: dict[str, Frames | Crash]) -> None:
    """Put traces into those of an event's exceptions, or threads, that have their marks."""
    if type(values) is dict:
        values = values.get("values")
    for value in values if type(values) is list else ():
        if type(value) is dict and type(trace := value.get("stacktrace")) is dict:
            mark = trace.get("frames")
            if type(mark) is str and type(traces.get(mark)) is Frames:
                trace["frames"] = traces.pop(mark)


def _read(text: bytes) -> Frames | None:
    """Read the list of a stack trace; None for what is none, and for what is too large to be kept."""
    if len(text) > TRACE_BYTES or text.count(b"[") + text.count(b"{") > _BRACKETS_MAX:
        return None
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    kept, omitted, is_cut = read_frames(given)
    return Frames(kept, omitted, is_cut=is_cut)
