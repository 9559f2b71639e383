"""A digest as it is kept: how many deliveries came together in it, and the first of their alerts.

The events of those are kept small, so that a digest is no larger than a few alerts whatever it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.severity import BY_WORD, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGEST_TYPE: Final = "alertd.digest"
"""What a digest says in place of an event's type."""
DIGESTED: Final = "digested"
"""Why a delivery is cancelled that came together with others in a digest."""
LISTED_MAX: Final = 20
"""Alerts that a digest lists, the oldest ones; the rest is counted."""
EVENT_MAX: Final = 4096
"""Bytes of a listed event's JSON; a larger one leaves out what nobody reads in a list."""
MESSAGE_MAX: Final = 500
"""Characters of a larger event's message."""
MEMBER_MAX: Final = 200
"""Characters of a member of a larger event's data."""
MEMBERS_MAX: Final = 8
"""Members of a larger event's data that are kept: the first ones that are short."""

_KEPT: Final = ("id", "type", "workspace", "project", "environment", "source", "severity", "time", "key")
_URL_MAX: Final = 2000  # a longer address is left out: cut it would lead nowhere


@dataclass(frozen=True, slots=True)
class Listed:
    """One alert that a digest lists: its delivery, its event's number and (small) JSON, and why it alerted."""

    delivery_id: int
    event_number: int
    trigger: str | None
    event: bytes


@dataclass(frozen=True, slots=True)
class KeptDigest:
    """A digest: `count` counts all of its alerts, `body` is the JSON of those that are listed (`read`), and of `worst`."""

    count: int
    body: bytes

    @property
    def missing(self) -> int:
        """How many more alerts it would list."""
        return max(0, LISTED_MAX - self.count)

    @property
    def worst(self) -> Severity:
        """How bad the worst of all its alerts is."""
        return Severity(_parts(self.body)[0])

    def with_more(self, count: int, listed: Iterable[Listed], worst: Severity) -> KeptDigest:
        """Give the same digest with so many more alerts, the worst of which is so bad, and the next ones of its list."""
        all_listed = [*read(self.body), *listed][:LISTED_MAX]
        return KeptDigest(self.count + count, write(all_listed, max(self.worst, worst)))


def write(listed: Iterable[Listed], worst: Severity) -> bytes:
    """Write the alerts that are listed, their events made small, and how bad the worst of all is."""
    rows = [[each.delivery_id, each.event_number, each.trigger, orjson.Fragment(small(each.event))] for each in listed]
    return orjson.dumps({"worst": int(worst), "listed": rows})


def read(body: bytes) -> list[Listed]:
    """Read what `write` wrote."""
    return [Listed(row[0], row[1], row[2], orjson.dumps(row[3])) for row in _parts(body)[1]]


EMPTY: Final = KeptDigest(0, write((), Severity.DEBUG))


def _parts(body: bytes) -> tuple[int, list[Any]]:
    """Give how bad the worst is, and the rows; the first digests were rows alone, and knew no more than these."""
    found = orjson.loads(body)
    if isinstance(found, dict):
        return found["worst"], found["listed"]
    return max((BY_WORD[row[3]["severity"]] for row in found), default=Severity.DEBUG), found


def small(payload: bytes) -> bytes:
    """Give an event's JSON, without the most of its data when it is large."""
    if len(payload) <= EVENT_MAX:
        return payload
    event = orjson.loads(payload)
    kept: dict[str, Any] = {name: _short(event[name], MEMBER_MAX * 2) for name in _KEPT if name in event}
    kept["message"] = _short(event.get("message") or "", MESSAGE_MAX)
    if 0 < len(event.get("url") or "") <= _URL_MAX:
        kept["url"] = event["url"]
    kept["data"] = dict(_members(event.get("data")))
    return orjson.dumps(kept)


def _members(data: Any) -> list[tuple[str, Any]]:
    """Keep short members, and of an exception what it is called."""
    if not isinstance(data, dict):
        return []
    short = [(name, value) for name, value in data.items() if _is_short(value) and len(name) <= MEMBER_MAX]
    error = data.get("exception")
    named = {"type": _short(error.get("type") or "", MEMBER_MAX)} if isinstance(error, dict) else None
    return short[:MEMBERS_MAX] + ([("exception", named)] if named is not None else [])


def _is_short(value: Any) -> bool:
    return (
        value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= MEMBER_MAX)
    )


def _short(value: Any, most: int) -> str:
    text = str(value)
    return text if len(text) <= most else text[: most - 1] + "…"
