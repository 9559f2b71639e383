"""What a user says about an error, as an event of type `sentry.feedback`.

An SDK sends it as a `feedback` item, which is an event with `contexts.feedback`, or as the older `user_report`.

| event | feedback | user_report |
|---|---|---|
| `id` | its event id | `user_report:` and the id of the error |
| `message` | `message` | `comments` |
| `key` | the error it is about, else its own id | the error |
| `url` | `url`, the page it was written on | |
| `data.feedback` | message [4096], name, email [256], url [512], source [128], associated_event_id, replay_id | the same |

Of a feedback item `data` also has platform, release, environment, user and SDK, as in `alertd.sources.sentry_event`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alertd.errors import DecodeError, Problem
from alertd.sources.explain import found
from alertd.sources.sentry_event import describe
from alertd.sources.sentry_fields import event_id_of, labels_of, link_of, picked, present, tags_of, time_of
from alertd.sources.sentry_fit import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.model.event import Event
    from alertd.sources.base import Context
    from alertd.sources.sentry_defaults import SentryDefaults

TYPE: Final = "sentry.feedback"
MESSAGE_MAX: Final = 4096
"""Greatest length of what a user says, in characters."""

_SAID: Final = {"message": MESSAGE_MAX, "name": 256, "url": 512, "source": 128}
_REPORTED: Final = {"name": 256, "email": 256}
_KEPT: Final = ("platform", "release", "environment", "user", "sdk")


def decode_feedback(
    given: Mapping[str, Any], event_id: str, pointer: str, context: Context, defaults: SentryDefaults
) -> Event:
    """Make the event of a `feedback` item's payload. Raises `DecodeError` when it says nothing; errors are below `pointer`."""
    contexts = given.get("contexts")
    said = contexts.get("feedback") if isinstance(contexts, dict) else None
    trimmed: set[str] = set()
    feedback = picked(said, _SAID, "feedback.", trimmed)
    if "message" not in feedback or not isinstance(said, dict):
        raise _silent(f"{pointer}/contexts/feedback/message", said.get("message") if isinstance(said, dict) else None)
    feedback |= picked({"email": said.get("contact_email")}, {"email": 256}, "feedback.", trimmed)
    for name in ("associated_event_id", "replay_id"):
        other = event_id_of(said.get(name))
        if other is not None:
            feedback[name] = other
    tags = tags_of(given.get("tags"))
    described = describe(given, event_id, tags, set())
    data: dict[str, Any] = {"feedback": feedback}
    data |= {name: described[name] for name in _KEPT if name in described}
    native = _native(event_id, feedback, data, defaults)
    native["key"] = feedback.get("associated_event_id", event_id)
    native |= present(
        url=link_of(said.get("url")),
        environment=data.get("environment") or defaults.environment,
        time=time_of(given.get("timestamp")),
        labels=labels_of(tags, trimmed),
    )
    return fit(native, trimmed, context)


def decode_user_report(
    given: Mapping[str, Any], header_id: str | None, pointer: str, context: Context, defaults: SentryDefaults
) -> Event:
    """Make the event of a `user_report` item's payload; the id in the envelope's header, if any, is that of the error.

    Raises `DecodeError` when it is about nothing or says nothing; errors are below `pointer`.
    """
    about = header_id or event_id_of(given.get("event_id"))
    if about is None:
        raise DecodeError([Problem(f"{pointer}/event_id", f"expected a UUID, found {found(given.get('event_id'))}")])
    trimmed: set[str] = set()
    feedback = picked({"message": given.get("comments")}, {"message": MESSAGE_MAX}, "feedback.", trimmed)
    if not feedback:
        raise _silent(f"{pointer}/comments", given.get("comments"))
    feedback |= picked(given, _REPORTED, "feedback.", trimmed)
    feedback["associated_event_id"] = about
    native = _native(f"user_report:{about}", feedback, {"feedback": feedback}, defaults)
    native |= present(key=about, environment=defaults.environment)
    return fit(native, trimmed, context)


def _native(
    event_id: str, feedback: Mapping[str, str], data: dict[str, Any], defaults: SentryDefaults
) -> dict[str, Any]:
    native: dict[str, Any] = {
        "id": event_id,
        "type": defaults.type_of(TYPE),
        "source": "sentry-sdk",
        "severity": defaults.severity_of("info"),
        "message": feedback["message"],
        "data": data,
    }
    return native | present(project=defaults.project)


def _silent(pointer: str, given: Any) -> DecodeError:
    detail = "is required: a text that is not empty"
    return DecodeError([Problem(pointer, detail if given is None else f"{detail}, found {found(given)}")])
