"""A digest as it is kept: how many deliveries came together in it, and the first of their alerts.

The events of those are kept small, so that a digest is no larger than a few alerts whatever it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from alertd.model.severity import BY_WORD, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
PROJECTS_MAX: Final = 1000
"""Projects that a digest knows to be in it, in the order in which they came, for whoever writes to their people."""

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
    """A digest: `count` counts all of its alerts; `body` is JSON: those that are listed (`read`), `worst` and `projects`."""

    count: int
    body: bytes

    @property
    def missing(self) -> int:
        """How many more alerts it would list."""
        return max(0, LISTED_MAX - self.count)

    @property
    def worst(self) -> Severity:
        """How bad the worst of all its alerts is."""
        return Severity(_parts(self.body).worst)

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects of all its alerts, each once, listed or not; alerts of none are those of the project ''."""
        return tuple(_parts(self.body).projects)

    def with_more(
        self, count: int, listed: Iterable[Listed], worst: Severity, projects: Iterable[str] = ()
    ) -> KeptDigest:
        """Give the same digest with so many more alerts: the next ones of its list; the worst of all; their projects."""
        known = _parts(self.body)
        all_listed = [*_listed(known.rows), *listed][:LISTED_MAX]
        all_projects = list(dict.fromkeys((*known.projects, *projects)))[:PROJECTS_MAX]
        return KeptDigest(self.count + count, write(all_listed, max(Severity(known.worst), worst), all_projects))


class _Parts(NamedTuple):
    """What a digest's JSON says."""

    worst: int
    rows: list[Any]
    projects: list[str]


def write(listed: Iterable[Listed], worst: Severity, projects: Sequence[str] = ()) -> bytes:
    """Write the alerts that are listed, their events made small, how bad the worst of all is, and all their projects."""
    rows = [[each.delivery_id, each.event_number, each.trigger, orjson.Fragment(small(each.event))] for each in listed]
    return orjson.dumps({"worst": int(worst), "listed": rows, "projects": projects})


def read(body: bytes) -> list[Listed]:
    """Read what `write` wrote."""
    return _listed(_parts(body).rows)


EMPTY: Final = KeptDigest(0, write((), Severity.DEBUG))


def _listed(rows: list[Any]) -> list[Listed]:
    return [Listed(row[0], row[1], row[2], orjson.dumps(row[3])) for row in rows]


def _parts(body: bytes) -> _Parts:
    """Read it; the first digests were rows alone and knew no more than these, the next ones knew no projects."""
    found = orjson.loads(body)
    if isinstance(found, dict):
        return _Parts(found["worst"], found["listed"], found.get("projects", []))
    return _Parts(max((BY_WORD[row[3]["severity"]] for row in found), default=Severity.DEBUG), found, [])


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
