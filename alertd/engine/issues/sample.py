"""A sample of an issue's events: which of them are worth keeping whole.

The first hundred are, then of every ten one, of every hundred one and so on: some ninety for each power of ten, and
always the event that changed what the issue is. Of the others only what is small is stored, unless somebody is told of
them: their stack traces are those of the sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.compact import compact

if TYPE_CHECKING:
    from alertd.model.event import Event

ALL: Final = 100
"""So many of the first events are kept."""


def is_kept(count: int) -> bool:
    """Tell whether the event that made an issue's count so high is kept, in case it changed nothing."""
    if count <= ALL:
        return True
    if count % 10:
        return False
    step = 10
    while step * ALL <= count:
        step *= 10
    return count % step == 0


def thinned(event: Event) -> bytes:
    """Write an error without its stack traces; `data.trimmed` names what is left out, as sources do that cut it."""
    data: dict[str, Any] = event.body["data"]
    left = set[str]()
    kept = {name: value for name, value in data.items() if name != "stacktrace"}
    if len(kept) < len(data):
        left.add("stacktrace")
    exception = data.get("exception")
    if isinstance(exception, dict) and isinstance(values := exception.get("values"), list):
        bare = [_bare(value) for value in values]
        if any(one is not other for one, other in zip(bare, values, strict=True)):
            kept["exception"] = {**exception, "values": bare}
            left.add("exception.values.stacktrace")
    said = data.get("trimmed", [])
    if not left or not isinstance(said, list) or not all(isinstance(each, str) for each in said):
        return event.payload  # a producer's own word stays
    kept["trimmed"] = sorted(left.union(said))
    return compact(orjson.dumps({"id": event.id, **event.body, "data": kept}))


def _bare(value: Any) -> Any:
    if isinstance(value, dict) and "stacktrace" in value:
        return {name: value[name] for name in value if name != "stacktrace"}
    return value
