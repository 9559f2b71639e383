"""Making an event of Sentry fit the bound of an event: what matters least goes first, and `data.trimmed` says what went.

Only an event that is too large, or nested too deeply for the bound on depth, is touched, and no further than needed.
What a grouping or a person needs most, an exception's type, fingerprint, release, transaction and title, stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.model.frames import Crash, write
from alertd.sources.document import depth_of
from alertd.sources.native import assemble, build, decode_object, of_body, seal
from alertd.sources.problems import Problems
from alertd.sources.sentry_fields import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alertd.model.event import Event
    from alertd.sources.base import Context

FEW_FRAMES: Final = 20
"""So many frames stay when an event is too large, those nearest to the crash."""
LEAST_FRAMES: Final = 5
"""So many frames stay when it still is."""
SHORT: Final = 512
"""What long texts are cut to, in characters."""
ALL: Final = "data"
"""What `trimmed` says of an event of which nothing but the least is left."""
DEPTH_MAX: Final = 9
"""In how many levels the deepest event of Sentry is nested: event, data, exception, values, value, stacktrace, frames,
frame, lines."""

_ASIDE: Final = ("contexts", "request", "sdk")
_VALUES: Final = "exception.values"
_FRAMES: Final = f"{_VALUES}.stacktrace.frames"
_KEPT: Final = ("event_id", "title", "level", "release", "transaction", "fingerprint", "user", "sentry")


def fit(native: dict[str, Any], trimmed: set[str], context: Context, *, is_normal: bool = False) -> Event:
    """Make the event of a native object, none of whose fields is null; `trimmed` is what was cut of it already.

    `is_normal` says that it is as an event's body is, each field that it may have read and in its order (`FIELDS`, behind the
    id): then nothing but its size is looked at.
    Raises `DecodeError` where even the least does not fit, `TooLargeError` where only the size is to blame.
    """
    if trimmed:
        native["data"]["trimmed"] = sorted(trimmed)
    if depth_of(context) < DEPTH_MAX:
        _unshare(native["data"])  # what is shared was never held against such a bound
    event = _built(native, context, is_normal=is_normal)
    if event is not None:
        return event
    _unshare(native["data"])
    for shrink in _STEPS:
        places = shrink(native)
        if not places:
            continue
        trimmed |= places
        native["data"]["trimmed"] = [ALL] if ALL in places else sorted(trimmed)
        event = _built(native, context, is_normal=is_normal)
        if event is not None:
            return event
    problems = Problems()
    event = decode_object(native, "", context, problems)
    if event is None:
        raise problems.error()
    return event


def _unshare(data: dict[str, Any]) -> None:
    """Copy what other events have too, but for their frames."""
    exception = data.get("exception")
    if type(exception) is Crash:
        values = [
            {**value, "stacktrace": {**value["stacktrace"]}} if "stacktrace" in value else {**value}
            for value in exception["values"]
        ]
        data["exception"] = {**exception, "values": values}


def _built(native: dict[str, Any], context: Context, *, is_normal: bool) -> Event | None:
    """Make the event, None where it does not fit. Its `data` is ours and of a known depth, so it is not walked for that."""
    if depth_of(context) < DEPTH_MAX:
        return build(native, context)
    if is_normal:
        return of_body(native, context, write)
    data = native.pop("data")
    event = assemble(native, context)
    native["data"] = data
    if event is None:
        return None
    event.body["data"] = data
    return seal(event, context, write)


def _context(native: dict[str, Any]) -> set[str]:
    found = _without(native, ("pre_context", "post_context"))
    return {_FRAMES} if found else set()


def _aside(native: dict[str, Any]) -> set[str]:
    return {name for name in _ASIDE if native["data"].pop(name, None) is not None}


def _causes(native: dict[str, Any]) -> set[str]:
    values = native["data"].get("exception", {}).get("values", ())
    found = [value.pop("stacktrace", None) for value in values[:-1]]
    return {_FRAMES} if any(found) else set()


def _lines(native: dict[str, Any]) -> set[str]:
    found = _without(native, ("context_line", "abs_path"))
    return {_FRAMES} if found else set()


def _labels(native: dict[str, Any]) -> set[str]:
    return {"labels"} if native.pop("labels", None) else set()


def _few_frames(native: dict[str, Any]) -> set[str]:
    return _keep_frames(native, FEW_FRAMES)


def _least_frames(native: dict[str, Any]) -> set[str]:
    return _keep_frames(native, LEAST_FRAMES)


def _texts(native: dict[str, Any]) -> set[str]:
    """Cut the long texts, and leave out the template and its parameters."""
    found = set()
    data = native["data"]
    exception, logentry = data.get("exception", {}), data.get("logentry", {})
    for place, texts, name in (
        ("message", native, "message"),
        ("exception.value", exception, "value"),
        ("logentry.formatted", logentry, "formatted"),
        *((f"{_VALUES}.value", value, "value") for value in exception.get("values", ())),
    ):
        if len(texts.get(name, "")) > SHORT:
            texts[name] = cut(texts[name], SHORT)
            found.add(place)
    return found | {f"logentry.{name}" for name in ("message", "params") if logentry.pop(name, None) is not None}


def _no_frames(native: dict[str, Any]) -> set[str]:
    """Leave out every stack trace, and all exceptions but what is said of the raised one."""
    data = native["data"]
    found = {"stacktrace"} if data.pop("stacktrace", None) else set()
    if data.get("exception", {}).pop("values", None):
        found.add(_VALUES)
    return found


def _least(native: dict[str, Any]) -> set[str]:
    """Leave out all but what names the event, on short lines."""
    data = native["data"]
    native["data"] = kept = {name: data[name] for name in _KEPT if name in data}
    exception = data.get("exception")
    if exception:
        kept["exception"] = {name: cut(exception[name], SHORT // 4) for name in ("type", "value") if name in exception}
    native.pop("message", None)
    return {ALL}


_STEPS: Final[tuple[Callable[[dict[str, Any]], set[str]], ...]] = (
    _context,
    _aside,
    _causes,
    _lines,
    _few_frames,
    _labels,
    _texts,
    _least_frames,
    _no_frames,
    _least,
)
"""What is tried, one after the other; each says what it took away, nothing where there was nothing."""


def _stacktraces(native: dict[str, Any]) -> Iterator[dict[str, Any]]:
    data = native["data"]
    for holder in (data, *data.get("exception", {}).get("values", ())):
        if "stacktrace" in holder:
            yield holder["stacktrace"]


def _without(native: dict[str, Any], names: tuple[str, ...]) -> bool:
    """Take members out of every frame; tell whether there were any. Frames are shared with other events: they are copied."""
    found = False
    for stacktrace in _stacktraces(native):
        frames = stacktrace["frames"]
        if any(name in frame for frame in frames for name in names):
            found = True
            stacktrace["frames"] = [{n: value for n, value in frame.items() if n not in names} for frame in frames]
    return found


def _keep_frames(native: dict[str, Any], most: int) -> set[str]:
    found = set()
    for stacktrace in _stacktraces(native):
        more = len(stacktrace["frames"]) - most
        if more > 0:
            stacktrace["frames"] = stacktrace["frames"][-most:]
            stacktrace["omitted"] = stacktrace.get("omitted", 0) + more
            found.add(_FRAMES)
    return found
