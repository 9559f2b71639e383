"""An event: one immutable fact, as the pipeline and the engine carry it.

`payload` is the event's whole normalised JSON object (interface.md §1), the bytes that are stored and delivered;
`body` is the same as Python values, for matchers. Decoders in `alertd.sources` make events; nothing else does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.model.severity import BY_WORD

if TYPE_CHECKING:
    from alertd.model.error_facts import Facts
    from alertd.model.severity import Severity

NAME_MAX: Final = 256
"""Greatest length of an event's type and of its id, in characters."""
KEY_MAX: Final = 256
"""Greatest length of an event's key, in characters."""
LABELS_MAX: Final = 64
"""Greatest number of labels of one event."""
LABEL_NAME_MAX: Final = 128
"""Greatest length of a label's name, in characters."""
LABEL_VALUE_MAX: Final = 1024
"""Greatest length of a label's value, in characters."""

SIMULATION: Final = "alertd/simulation"
"""The source of events that are simulated, and of what alertd makes because of them."""
_SIMULATED: Final = b'"source":"alertd/simulation"'
_TIME: Final = b'"time":"'
ID_HEAD_BYTES: Final = 520
"""How much of the beginning of a payload holds its id: that is its first member, and all of it may be escaped."""
_ID: Final = re.compile(rb'\{"id":("(?:[^"\\]|\\.)*")')


@dataclass(slots=True)
class Event:
    """One event. Not frozen only because freezing costs a microsecond an event; nobody changes one.

    Shapes: `id` is the idempotency key inside `workspace`, empty while it is still to be made; `time` is RFC 3339 text;
    `payload` ends in `}` and, while `id` is empty, carries no `"id"` member; `made` says that the id was made by us; `group`
    is the key of the issue that it belongs to, for which cooldowns and ladders are kept (empty: it belongs to none); `upstream`
    says that Sentry's own webhook told it, not a producer who writes what Sentry would; `facts` are what it says to its issue,
    where its decoder has read them (None: the engine does, if there are any).
    """

    type: str
    id: str
    workspace: str
    project: str
    environment: str
    severity: Severity
    time: str
    key: str
    body: dict[str, Any]
    payload: bytes
    trigger: str | None = None
    made: bool = False
    group: str = ""
    upstream: bool = field(default=False, compare=False)
    facts: Facts | None = field(default=None, compare=False)

    @property
    def is_simulated(self) -> bool:
        """Whether nothing has really happened."""
        return self.facts is None and self.body.get("source") == SIMULATION


_MADE_MEMBER_BYTES: Final = len('"id":"00000000-0000-7000-8000-000000000000",')


def with_id(event: Event, made: str) -> None:
    """Give an event that brought no id the one that was made for it, in its payload too (the one exception).

    Doing it again, when the event is planned anew under another number, replaces the id.
    """
    rest = event.payload[1 + _MADE_MEMBER_BYTES if event.made else 1 :]
    event.id = made
    event.made = True
    event.body["id"] = made
    event.payload = b'{"id":"' + made.encode() + b'",' + rest


def rename(event: Event, name: str) -> None:
    """Give an event that brought an id another one, in its payload too; both of letters, digits, `-` and `_`."""
    event.payload = b'{"id":"' + name.encode() + event.payload[len(b'{"id":"') + len(event.id) :]
    event.id = event.body["id"] = name


def is_simulated(payload: bytes) -> bool:
    """Whether a payload is that of a simulated event. Before the time stand only short texts, their quotes escaped."""
    return payload.find(_SIMULATED, 0, payload.find(_TIME)) >= 0


def time_and_simulated(payload: bytes) -> tuple[str, bool]:
    """Read the time out of a payload (empty: it has none), and whether the event is simulated."""
    at = payload.find(_TIME)
    if at < 0:
        return "", False
    begin = at + len(_TIME)
    return payload[begin : payload.find(b'"', begin)].decode(), payload.find(_SIMULATED, 0, at) >= 0


def id_in(head: bytes) -> str:
    """Read the id from the first `ID_HEAD_BYTES` of a payload. Raises ValueError where it is not its first member."""
    found = _ID.match(head)
    if found is None:
        raise ValueError("a payload does not begin with its id")
    return str(orjson.loads(found[1]))


def from_payload(payload: bytes) -> Event:
    """Make a stored event anew from its payload."""
    body = orjson.loads(payload)
    return Event(
        type=body["type"],
        id=body["id"],
        workspace=body["workspace"],
        project=body.get("project", ""),
        environment=body.get("environment", ""),
        severity=BY_WORD[body["severity"]],
        time=body["time"],
        key=body["key"],
        body=body,
        payload=payload,
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large input may be. Units: bytes, counts, levels of nesting."""

    max_event_bytes: int = 256 * 1024
    max_body_bytes: int = 1024 * 1024
    max_events: int = 1000
    max_depth: int = 64
