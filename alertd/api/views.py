"""How stored rows look outside: numbers become prefixed ids and names, milliseconds become RFC 3339."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

from alertd.api.summary import summarise
from alertd.clock import rfc3339
from alertd.model import ids
from alertd.model.delivery import DeliveryState, OutcomeKind
from alertd.model.verdict import Verdict, VerdictCode, decode, decode_violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from alertd.api.grounds import Grounds
    from alertd.model.ids import NameKey
    from alertd.store.base import Acknowledgement, Page, Reached

Row = dict[str, Any]


class Names:
    """Gives every number of a named resource its name back."""

    def __init__(self, known: Mapping[int, NameKey]) -> None:
        self._known = known

    def name(self, number: int | None) -> str | None:
        """Return the name, or None for a number that was never given."""
        key = self._known.get(number) if number is not None else None
        return key[2] if key else None

    def workspace(self, number: int) -> str | None:
        """Return the workspace that a number belongs to."""
        key = self._known.get(number)
        return key[1] if key else None


def event_view(row: Row) -> Row:
    """An event as `events` lists it: its own fields, what became of it, where its data violates the schema of its type."""
    return {
        **orjson.loads(row["payload"]),
        "received_at": rfc3339(ids.milliseconds(row["number"])),
        "matched": bool(row["matched"]),
        "alert_id": ids.format_id(ids.ALERT, row["number"]) if row["matched"] else None,
        "violations": [{"pointer": v.pointer, "detail": v.detail} for v in decode_violations(row["verdicts"])],
    }


def relative_view(row: Row) -> Row:
    """An event that another one came of, or that came of it, to be looked up by its id."""
    event = orjson.loads(row["payload"])
    return {
        **{name: event.get(name, "") for name in ("id", "type", "severity", "message")},
        "received_at": rfc3339(ids.milliseconds(row["number"])),
    }


def alert_view(
    row: Row, deliveries: Sequence[tuple[Reached, bool]], names: Names, noted: Acknowledgement | None, shown: int
) -> Row:
    """An alert: the event that matched, its verdicts, what became of its deliveries (some are `shown`), who took note.

    With each delivery stands whether it is in flight.
    """
    verdicts = decode(row["verdicts"])
    states = [(names.name(each.destination_id), _state(each.state, in_flight=flies)) for each, flies in deliveries]
    return {
        "id": ids.format_id(ids.ALERT, row["number"]),
        "workspace": names.workspace(row["workspace_id"]),
        "type": row["type"],
        "received_at": rfc3339(ids.milliseconds(row["number"])),
        "event": orjson.loads(row["payload"]),
        "verdicts": verdict_views(verdicts, names),
        "deliveries": [
            {
                "id": ids.format_id(ids.DELIVERY, each.delivery_id),
                "destination": destination,
                "subscription": names.name(each.subscription_id),
                "state": state,
            }
            for (each, _), (destination, state) in zip(deliveries[:shown], states, strict=False)
        ],
        "summary": summarise(states, verdicts),
        "acknowledged_at": None if noted is None else rfc3339(noted.at_ms),
        "acknowledged_by": None if noted is None else noted.actor,
    }


def verdict_views(verdicts: Iterable[Verdict], names: Names, grounds: Grounds | None = None) -> list[Row]:
    """Verdicts for people and programs; with `grounds` they say the values that decided."""
    return [_verdict_view(verdict, names, grounds) for verdict in verdicts]


def _verdict_view(verdict: Verdict, names: Names, grounds: Grounds | None) -> Row:
    """One verdict: the word, the field that decided (None when sent), a sentence, and the same as data."""
    word = verdict.code.word
    return {
        "subscription": names.name(verdict.subscription_id),
        "channel": names.name(verdict.channel_id),
        "verdict": word,
        "reason": None if verdict.code is VerdictCode.SENT else word,
        "detail": (grounds and grounds.sentence(verdict)) or _sentence(verdict),
        "data": _data(verdict) | (grounds.data(verdict) if grounds else {}),
        "destinations": [{"destination": names.name(d), "verdict": code.word} for d, code in verdict.destinations],
    }


def _data(verdict: Verdict) -> Row:
    """What decided in numbers: the seconds that remained, the matcher's position from 0, where it stands on its ladder."""
    first, *rest = verdict.detail if isinstance(verdict.detail, tuple) else (verdict.detail or 0,)
    if verdict.code is VerdictCode.MATCHER:
        return {"matcher": first}
    if verdict.code is VerdictCode.COOLDOWN:
        return {"remaining_seconds": first / 1000, **(_step(*rest) if rest else {})}
    return _step(first, *rest) if rest else {}


def _step(count: int, following: int) -> Row:
    return {"occurrence": count, "next_occurrence": following or None}


def _sentence(verdict: Verdict) -> str:
    first, *rest = verdict.detail if isinstance(verdict.detail, tuple) else (verdict.detail or 0,)
    if verdict.code is VerdictCode.COOLDOWN:
        counted = f" ({_position(*rest)})" if rest else ""
        return f"cooldown: an alert with this key was sent before; {first / 1000:g} s remained{counted}"
    if verdict.code is VerdictCode.MATCHER:
        return f"matcher {first + 1} of the subscription does not hold"
    if verdict.code is VerdictCode.OCCURRENCES:
        return f"occurrences: this is {_position(first, *rest)}"
    if verdict.code is VerdictCode.SENT and rest:
        return f"sent: this is {_position(first, *rest)}"
    return _SENTENCES[verdict.code]


def _position(count: int, following: int) -> str:
    """Say where an event stands on a ladder."""
    after = f"number {following} is sent next" if following else "none is sent any more until a quiet period"
    return f"occurrence number {count}; {after}"


_SENTENCES = {
    VerdictCode.SENT: "sent",
    VerdictCode.DISABLED: "the subscription is disabled",
    VerdictCode.PROJECT: "the event's project is not among those of the subscription",
    VerdictCode.ENVIRONMENT: "the event's environment is not among those of the subscription or its channel",
    VerdictCode.SEVERITY: "the event's severity is below min_severity",
    VerdictCode.TRIGGER: "the event caused none of the transitions in triggers",
    VerdictCode.DESTINATION_DISABLED: "every destination of the subscription is disabled",
    VerdictCode.NOT_CONFIGURED: "e-mail reaches nobody: no mail server is set (mail.host), or the project has no such people",
    VerdictCode.ABOUT_ITSELF: "the event is about the destination itself, and is never sent through it",
    VerdictCode.FORMAT_NEEDS_ISSUE: "the destination's format needs an issue, and the event belongs to none",
    VerdictCode.METRIC_ALERT: "the metric alert that made the event names whom it tells, and not this subscription",
}


def delivery_view(row: Row, names: Names, *, in_flight: bool, attempts: Iterable[Row] = ()) -> Row:
    """One delivery with its attempts."""
    return {
        "id": ids.format_id(ids.DELIVERY, row["id"]),
        "alert_id": ids.format_id(ids.ALERT, row["event_number"]),
        "event_id": row["event_id"],
        "type": row["event_type"],
        "workspace": names.workspace(row["workspace_id"]),
        "destination": names.name(row["destination_id"]),
        "subscription": names.name(row["subscription_id"]),
        "other_subscriptions": [names.name(number) for number in row["also"]],
        "channel": names.name(row["channel_id"]),
        "state": _state(row["state"], in_flight=in_flight),
        "created_at": rfc3339(ids.milliseconds(row["id"])),
        "next_at": rfc3339(row["next_at_ms"]) if row["next_at_ms"] and row["state"] < DeliveryState.DELIVERED else None,
        "error": row["detail"] or None,
        "attempt_count": row["attempts"],
        "attempts": [attempt_view(attempt) for attempt in attempts],
        "replay_of": ids.format_id(ids.DELIVERY, row["replay_of"]) if row["replay_of"] else None,
        "replayed_by": row["replayed_by"],
        "replay_id": ids.format_id(ids.REPLAY, row["replay_id"]) if row["replay_id"] else None,
        "digest_id": ids.format_id(ids.DELIVERY, row["digest_id"]) if row["digest_id"] else None,
        "digest_count": row["digest_count"],
    }


def _state(state: DeliveryState, *, in_flight: bool) -> str:
    return "in_flight" if in_flight else state.word


def attempt_view(row: Row) -> Row:
    """One attempt."""
    return {
        "number": row["number"],
        "started_at": rfc3339(row["started_at_ms"]),
        "duration_seconds": row["duration_us"] / 1_000_000,
        "outcome": OutcomeKind(row["outcome"]).word,
        "status": row["status"],
        "error": row["detail"] or None,
        "answer": (row["answer"] or b"").decode("utf-8", "replace"),
    }


def rejected_view(row: Row, names: Names) -> Row:
    """One rejected record; `bytes` as text, with what is not UTF-8 replaced."""
    return {
        "id": ids.format_id(ids.REJECTED, row["id"]),
        "workspace": names.workspace(row["workspace_id"]),
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["offset"],
        "reason": row["reason"],
        "bytes": row["bytes"].decode("utf-8", "replace"),
        "size_bytes": row["size"],
        "rejected_at": rfc3339(ids.milliseconds(row["id"])),
    }


def whole_record_view(row: Row, names: Names) -> Row:
    """One rejected record with its bytes and headers as they were, in base64."""
    headers = orjson.loads(row["headers"]) if row["headers"] else []
    return {
        **rejected_view(row, names),
        "bytes_base64": base64.b64encode(row["bytes"]).decode(),
        "complete": len(row["bytes"]) == row["size"],
        "headers": [{"name": name, "value_base64": value} for name, value in headers],
    }


def page_view(items: list[Row], page: Page, write: Callable[[int], str]) -> Row:
    """A page of the history; `searched_to` is there when the look stopped at its bound."""
    below = page.next_below
    view = {"items": items, "next_cursor": None if below is None else write(below)}
    return view if page.complete or below is None else {**view, "searched_to": rfc3339(ids.milliseconds(below))}
