"""A selection: which events, alerts or deliveries are meant. One value for the lists, the live stream and replay."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.clock import DAY_MS
from alertd.model.delivery import DeliveryState

if TYPE_CHECKING:
    from typing import Self

TEXT_SPAN_MS: Final = DAY_MS
"""How far back a text is looked for when nothing says how far: only a scan finds it."""
IN_FLIGHT: Final = "in_flight"
"""The state that no store knows: such a delivery is being attempted."""
STATES: Final = (DeliveryState.PENDING.word, IN_FLIGHT, *(state.word for state in DeliveryState if state))
"""Every state that a delivery may be chosen by."""
EVENT_FIELDS: Final = {"project": "", "environment": "", "severity": "info"}
"""What in an event's JSON it may be chosen by, and what one says that does not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What must hold; None: anything will do.

    Names are compared as they are, and so is the type; `severity` and `state` are words. `since_ms` (in) and `until_ms`
    (out) bound the time, in milliseconds since 1970. `text` is looked for in an event's JSON (`in_json`), for deliveries
    in their error too; letters of ASCII in any case. Of events, `subscription` and `channel` choose those that such a
    subscription was sent, `destination` and `state` those with such a delivery; `acknowledged` is theirs alone. Of
    deliveries, `digest` chooses those that came together in a digest, by its number.
    """

    type: str | None = None
    project: str | None = None
    environment: str | None = None
    severity: str | None = None
    channel: str | None = None
    subscription: str | None = None
    destination: str | None = None
    state: str | None = None
    alert_number: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    text: str | None = None
    acknowledged: bool | None = None
    digest: int | None = None

    def chosen(self) -> dict[str, Any]:
        """What was chosen, by the names of the fields; empty: everything is meant."""
        every = {field.name: getattr(self, field.name) for field in fields(Selection)}
        return {name: value for name, value in every.items() if value is not None}

    def dated(self, now_ms: int) -> Self:
        """Bound the search for a text to `TEXT_SPAN_MS` unless it says itself how far back it goes."""
        if self.text is None or self.since_ms is not None or self.alert_number is not None:
            return self
        until_ms = now_ms if self.until_ms is None else min(now_ms, self.until_ms)
        return replace(self, since_ms=max(0, until_ms - TEXT_SPAN_MS))

    def fits(self, payload: bytes) -> bool:
        """Whether an event's JSON has the project, the environment and the severity."""
        wanted = {name: value for name in EVENT_FIELDS if (value := getattr(self, name)) is not None}
        if not wanted:
            return True
        event = orjson.loads(payload)
        return all((event.get(name) or EVENT_FIELDS[name]) == value for name, value in wanted.items())

    def is_said(self, payload: bytes, error: str = "") -> bool:
        """Whether an event's JSON, or the error, holds the text; only letters of ASCII have two cases."""
        if self.text is None:
            return True
        said = payload.lower()
        if any(form.encode().lower() in said for form in in_json(self.text)):
            return True
        return self.text.encode().lower() in error.encode().lower()


def in_json(text: str) -> tuple[str, ...]:
    """Say how a text may stand in JSON: as part of a value, quotes and backslashes escaped, or else as it is.

    One form where both are the same.
    """
    return tuple(dict.fromkeys((orjson.dumps(text)[1:-1].decode(), text)))
