"""What the decoders of outside services' webhooks share: their requests, their manner, and an event that fits its bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import orjson

from alertd.errors import DecodeError
from alertd.sources.document import is_deeper, kind_of, load
from alertd.sources.native import build, decode_object
from alertd.sources.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults

DEPTH_MAX: Final = 64
"""In how many levels a webhook's body may be nested; what is kept of it is bounded as every event is."""
TRIMMED: Final = "trimmed"
"""The member of `data` that names what was left out of it because the event was too large."""
FEWER_FILES: Final = (50, 20, 8, 3, 1)
"""So many files of a commit are kept where all commits are too large together; the first of these that is few enough."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it came: `body` is what was sent (for signatures), `read` the same without its compression."""

    headers: Mapping[str, str]
    body: bytes
    read: bytes


class WebhookDecoder(Protocol):
    """One outside service. Pure: bytes in, events out."""

    source: ClassVar[str]

    def is_signed(self, request: WebhookRequest, secret: str, now_ms: int) -> bool:
        """Whether a request proves that it knows the secret, in constant time."""

    def decode(self, request: WebhookRequest, context: Context, defaults: SentryDefaults) -> list[Event]:
        """Make the events; none of what is to be ignored. Errors: see `alertd.sources.base`."""


def json_object(body: bytes, context: Context) -> dict[str, Any]:
    """Read a JSON object. Raises NotJsonError, DecodeError, TooLargeError."""
    value = load(body, context)
    if not isinstance(value, dict):
        raise DecodeError(f"expected an object, found {kind_of(value)}")
    if is_deeper(value, DEPTH_MAX):
        raise DecodeError(f"nested deeper than {DEPTH_MAX} levels")
    return value


def made(native: dict[str, Any], context: Context) -> Event:
    """Make the event of a native object without its empty members; what is too large loses its largest data first.

    Raises DecodeError where even the least does not fit.
    """
    native = {name: value for name, value in native.items() if value not in (None, "", {}, [])}
    event = build(native, context)
    data = native.get("data")
    gone: set[str] = set(data.get(TRIMMED, ())) if isinstance(data, dict) else set()
    while event is None and isinstance(data, dict) and len(data) > (TRIMMED in data):
        sizes = {name: len(orjson.dumps(value)) for name, value in data.items() if name != TRIMMED}
        largest = max(sizes, key=sizes.__getitem__)
        gone = {mark for mark in gone if not mark.startswith(f"{largest}.")} | {largest}
        data = {name: value for name, value in data.items() if name != largest} | {TRIMMED: sorted(gone)}
        event = build({**native, "data": data}, context)
    if event is not None:
        return event
    problems = Problems()
    refused = decode_object(native, "", context, problems)
    problems.check()
    if refused is None:
        raise AssertionError("an event that is refused without a problem")
    return refused


def fitting(
    commits: list[dict[str, Any]], most_bytes: int, fewer: Callable[[dict[str, Any], int], dict[str, Any]]
) -> list[dict[str, Any]] | None:
    """Leave out files of commits until these take so many bytes; None where they do already.

    Who changed what is worth more than all that was changed. `fewer` makes a commit with so many files at most.
    """
    if len(orjson.dumps(commits)) <= most_bytes:
        return None
    found = commits
    for most in FEWER_FILES:
        found = [fewer(commit, most) for commit in commits]
        if len(orjson.dumps(found)) <= most_bytes:
            break
    return found


def place(value: Any, *path: str | int) -> Any:
    """Walk into a JSON value; None where the way ends."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def text(value: Any, *path: str | int) -> str:
    """Read a text, or a number as one; empty where there is none."""
    found = place(value, *path)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return str(found)
