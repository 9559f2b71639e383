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
    kept = {name: value for name, value in data.items() if name != "stacktrace"}
    left = {"stacktrace"} if "stacktrace" in data else set[str]()
    exception = data.get("exception")
    if isinstance(exception, dict) and "values" in exception:
        kept["exception"] = {name: value for name, value in exception.items() if name != "values"}
        left.add("exception.values")
    if not left:
        return event.payload
    said = data.get("trimmed")
    kept["trimmed"] = sorted(left.union(name for name in said if type(name) is str) if isinstance(said, list) else left)
    return compact(orjson.dumps({"id": event.id, **event.body, "data": kept}))
