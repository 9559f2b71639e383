"""What a Sentry SDK sends, an envelope or a bare event (`store`), as events and a count of what is not kept.

| item | becomes |
|---|---|
| `event` | `sentry.error` or `sentry.message`, see `alertd.sources.sentry_error` |
| `feedback`, `user_report` | `sentry.feedback`, see `alertd.sources.sentry_feedback` |
| `check_in` | `sentry.check_in`, see `alertd.sources.sentry_check_in` |
| any other | a number in `Received.skipped`: known ones by their names, all others as `other` |

All of an envelope or nothing of it: one bad item refuses the whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from alertd.errors import NotJsonError, Problem, TooLargeError
from alertd.sources.explain import found
from alertd.sources.sentry_check_in import decode_check_in
from alertd.sources.sentry_defaults import STANDARD
from alertd.sources.sentry_error import Origin, decode_error
from alertd.sources.sentry_feedback import decode_feedback, decode_user_report
from alertd.sources.sentry_fields import derived_id, event_id_of
from alertd.sources.sentry_json import load_object
from alertd.sources.sentry_traces import load_error

if TYPE_CHECKING:
    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults
    from alertd.sources.sentry_envelope import Envelope, Item

PAYLOAD_MAX_BYTES: Final = 1024 * 1024
"""Greatest size of the payload of an item that is kept (events, feedback, check-ins)."""
SKIPPED: Final = frozenset(
    {
        "attachment",
        "client_report",
        "form_data",
        "log",
        "metric_buckets",
        "profile",
        "profile_chunk",
        "raw_security",
        "replay_event",
        "replay_recording",
        "replay_video",
        "security",
        "session",
        "sessions",
        "span",
        "statsd",
        "trace_metric",
        "transaction",
    }
)
"""The types of items that are known, answered as a success and not kept."""
OTHER: Final = "other"
"""How items of types that nobody knows are counted."""

_SDK: Final = Origin("sentry-sdk")
_ONCE: Final = frozenset({"event", "feedback", "user_report", "check_in"})


@dataclass(slots=True)
class Received:
    """What came of an envelope or a bare event.

    Shapes: `event_id` is what the SDK is answered, None when nothing named one; `passed` are the types of items that are
    not kept, in order.
    """

    event_id: str | None
    events: list[Event] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    @property
    def skipped(self) -> Counter[str]:
        """Count the items that are not kept by type."""
        return Counter(self.passed)


def decode_envelope(envelope: Envelope, context: Context, defaults: SentryDefaults = STANDARD) -> Received:
    """Decode all items. Errors: see `alertd.sources.base`; places are those of `alertd.sources.sentry_envelope`."""
    received = Received(envelope.event_id)
    kept: set[str] = set()
    for item in envelope.items():
        if item.type not in _ONCE:
            received.passed.append(item.type if item.type in SKIPPED else OTHER)
            continue
        if item.type in kept:
            raise NotJsonError([Problem(item.pointer, f"a second item of type {item.type} in one envelope")])
        kept.add(item.type)
        _decode_item(item, received, context, defaults)
    return received


def decode_store(body: bytes, context: Context, defaults: SentryDefaults = STANDARD) -> Received:
    """Decode a bare event; one without an id is given one that is made of its bytes. Errors: see `alertd.sources.base`."""
    if len(body) > PAYLOAD_MAX_BYTES:
        raise TooLargeError(f"the event has {len(body)} bytes, at most {PAYLOAD_MAX_BYTES} are accepted")
    given = load_error(body, "", context)
    event_id = _own_id(given, "") or derived_id(body)
    received = Received(event_id)
    _add_event(given, event_id, received, context, defaults)
    return received


def _decode_item(item: Item, received: Received, context: Context, defaults: SentryDefaults) -> None:
    pointer = f"{item.pointer}/payload"
    size = len(item.payload)
    if size > PAYLOAD_MAX_BYTES:
        detail = f"the {item.type} has {size} bytes, at most {PAYLOAD_MAX_BYTES} are accepted"
        raise TooLargeError([Problem(pointer, detail)])
    load = load_error if item.type == "event" else load_object
    given = load(item.payload, pointer, context)
    if item.type == "check_in":
        received.events.append(decode_check_in(given, pointer, context, defaults))
    elif item.type == "user_report":
        received.events.append(decode_user_report(given, received.event_id, pointer, context, defaults))
    else:
        event_id = received.event_id or _own_id(given, pointer)
        if event_id is None:
            raise NotJsonError([Problem("/header/event_id", f"is required beside an item of type {item.type}")])
        received.event_id = event_id
        if item.type == "feedback":
            received.events.append(decode_feedback(given, event_id, pointer, context, defaults))
        else:
            _add_event(given, event_id, received, context, defaults)


def _add_event(
    given: dict[str, Any], event_id: str, received: Received, context: Context, defaults: SentryDefaults
) -> None:
    """Add an error or message; what says of itself that it is a transaction is counted as one."""
    if given.get("type") == "transaction":
        received.passed.append("transaction")
    else:
        received.events.append(decode_error(given, event_id, _SDK, context, defaults))


def _own_id(given: dict[str, Any], pointer: str) -> str | None:
    own = given.get("event_id")
    event_id = event_id_of(own)
    if own is not None and event_id is None:
        raise NotJsonError([Problem(f"{pointer}/event_id", f"expected a UUID, found {found(own)}")])
    return event_id
