"""What the live stream tells: verdicts and what became of deliveries, each with the place where it stands."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import orjson
from typing_extensions import override

from alertd.clock import rfc3339, rfc3339_or_none
from alertd.model import ids
from alertd.model.event import id_in
from alertd.model.verdict import VerdictCode, decode

if TYPE_CHECKING:
    from alertd.api.views import Names
    from alertd.model.selection import Selection
    from alertd.store.following import Happened, Position

_CURSOR: Final = re.compile(r"([0-7][0-9a-f]{15})-([0-9a-f]{1,8})-([0-7][0-9a-f]{15})", re.ASCII)
VERDICT: Final = "verdict"


@dataclass(frozen=True, slots=True)
class Cursor:
    """What somebody was told last: an event's verdict (from 1; 0: all of that event's), and the place of an outcome."""

    event: int = 0
    verdict: int = 0
    outcome: int = 0

    @override
    def __str__(self) -> str:
        """Write it as an event id of the stream."""
        return f"{self.event:016x}-{self.verdict:x}-{self.outcome:016x}"


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor back; None for what is none."""
    found = _CURSOR.fullmatch(text)
    return Cursor(*(int(part, 16) for part in found.groups())) if found else None


def cursor_at(position: Position) -> Cursor:
    """Write a position as a cursor."""
    return Cursor(position.event, 0, position.outcome)


@dataclass(slots=True)
class Entry:
    """One entry of the stream: `item` is what is told, the rest is what it is chosen by; names of None are not known."""

    kind: str
    item: dict[str, Any]
    after: Cursor
    workspace: str | None
    alert: int
    type: str
    channel: str | None
    subscription: str | None
    payload: bytes
    destination: str | None = None
    state: str | None = None
    digest: int | None = None
    others: tuple[str | None, ...] = ()
    _written: bytes = field(default=b"", repr=False)

    def written(self) -> bytes:
        """Write it as a server-sent event."""
        if not self._written:
            head = f"event: {self.kind}\nid: {self.after}\ndata: ".encode()
            self._written = head + orjson.dumps(self.item) + b"\n\n"
        return self._written

    def before(self, end: Position) -> bool:
        """Whether it had happened when everything up to a position had."""
        return self.alert <= end.event if self.kind == VERDICT else self.after.outcome <= end.outcome

    def fits(self, which: Selection) -> bool:
        """Whether it was asked for; a verdict has neither a destination, nor a state, nor a digest."""
        return (
            all(
                wanted in (None, own)
                for wanted, own in (
                    (which.type, self.type),
                    (which.channel, self.channel),
                    (which.destination, self.destination),
                    (which.state, self.state),
                    (which.alert_number, self.alert),
                    (which.digest, self.digest),
                )
            )
            and which.subscription in (None, self.subscription, *self.others)
            and which.fits(self.payload)
            and which.is_said(self.payload, str(self.item.get("detail", "")))
        )


@dataclass(frozen=True)
class Told:
    """A page of what happened, as entries in their order; they are made once for everybody who reads it."""

    happened: Happened
    after: Position
    names: Names

    @cached_property
    def entries(self) -> list[Entry]:
        """In the order of their times, but no outcome before its event's verdicts."""
        made: list[Entry] = []
        cursor, events = cursor_at(self.after), deque(self.happened.events)
        for row in self.happened.outcomes:
            while events and (events[0]["number"] <= row["event_number"] or _began(events[0]) <= _ended(row)):
                cursor = self._decided(made, events.popleft(), cursor)
            cursor = replace(cursor, outcome=row["place"])
            made.append(self._attempted(row, cursor))
        for row in events:
            cursor = self._decided(made, row, cursor)
        return made

    def _decided(self, made: list[Entry], row: dict[str, Any], cursor: Cursor) -> Cursor:
        """Add an event's verdicts; return where one stands behind them."""
        names, number, workspace = self.names, row["number"], self.names.workspace(row["workspace_id"])
        verdicts = decode(row["verdicts"])
        event_id = id_in(row["payload"]) if verdicts else ""
        for turn, verdict in enumerate(verdicts, 1):
            subscription, word = names.name(verdict.subscription_id), verdict.code.word
            item = {
                "workspace": workspace,
                "event_id": event_id,
                "alert_id": ids.format_id(ids.ALERT, number),
                "type": row["type"],
                "subscription": subscription,
                "verdict": word,
                "reason": None if verdict.code is VerdictCode.SENT else word,
                "at": rfc3339(ids.milliseconds(number)),
            }
            after = Cursor(number, 0 if turn == len(verdicts) else turn, cursor.outcome)
            own = (workspace, number, row["type"], names.name(verdict.channel_id), subscription, row["payload"])
            made.append(Entry(VERDICT, item, after, *own))
        return Cursor(number, 0, cursor.outcome)

    def _attempted(self, row: dict[str, Any], after: Cursor) -> Entry:
        workspace = self.names.workspace(row["workspace_id"])
        item = self._outcome(row, workspace)
        own = (workspace, row["event_number"], row["event_type"], item["channel"], item["subscription"])
        others = tuple(self.names.name(number) for number in row["also"])
        reached = (item["destination"], item["state"], row["digest_id"], others)
        return Entry("delivery", item, after, *own, row["payload"], *reached)

    def _outcome(self, row: dict[str, Any], workspace: str | None) -> dict[str, Any]:
        names, attempted = self.names, row["outcome"] is not None
        return {
            "delivery": ids.format_id(ids.DELIVERY, row["id"]),
            "workspace": workspace,
            "destination": names.name(row["destination_id"]),
            "attempt": row["number"],
            "outcome": row["outcome"].word if attempted else None,
            "state": row["state"].word,
            "status": row["status"],
            "duration_ms": round(row["duration_us"] / 1000, 3) if attempted else None,
            "detail": row["detail"],
            "next_at": rfc3339_or_none(row["next_at_ms"]),
            "alert": ids.format_id(ids.ALERT, row["event_number"]),
            "event_id": row["event_id"],
            "type": row["event_type"],
            "subscription": names.name(row["subscription_id"]),
            "channel": names.name(row["channel_id"]),
            "replay_of": ids.format_id(ids.DELIVERY, row["replay_of"]) if row["replay_of"] else None,
            "at": rfc3339(row["started_at_ms"]) if attempted else None,
        }


def _began(row: dict[str, Any]) -> int:
    """When an event came, in milliseconds."""
    return ids.milliseconds(row["number"])


def _ended(row: dict[str, Any]) -> int:
    """When an attempt ended, in milliseconds; for an end without one nothing says so, and it comes as it stands."""
    return 0 if row["outcome"] is None else int(row["started_at_ms"] + row["duration_us"] // 1000)
