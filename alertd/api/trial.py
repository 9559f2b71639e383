"""Trials: test messages through the real path of a destination, and how it is told what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.clock import rfc3339
from alertd.destinations.base import Message, Previewing
from alertd.errors import ConflictError, InvalidError, Problem
from alertd.model import ids
from alertd.resources.kinds import DESTINATION
from alertd.sources.base import Context as Decoding
from alertd.sources.native import decode_object
from alertd.sources.problems import Problems

if TYPE_CHECKING:
    from alertd.api.context import Context
    from alertd.destinations.base import OpenDestination

TEST_TYPE: Final = "alertd.test"
"""The type of the event in a test message, unless another is asked for."""

EVENT_FIELDS: Final = (
    "type", "project", "environment", "source", "severity", "time", "key", "message", "url", "labels", "data",
)  # fmt: skip
"""The fields of an event that a preview may be given."""


async def try_destination(
    context: Context, workspace: str, name: str, subscription: str = "test", channel: str = "test", **event: Any
) -> dict[str, Any]:
    """Send a test message to one destination, enabled or not; return what came of it, and the request without secrets.

    `event` overrides its fields.

    Raises NotFoundError.
    """
    message = _message(context, workspace, name, subscription, channel, event)
    number = context.number(DESTINATION.word, workspace, name)
    request = _shown(context.dispatcher.opened(number), message)
    outcome, seconds = await context.dispatcher.test(number, message)
    return {
        "destination": name,
        "outcome": outcome.kind.word,
        "status": outcome.status,
        "error": outcome.detail or None,
        "answer": outcome.answer.decode("utf-8", "replace"),
        "duration_seconds": round(seconds, 6),
        "request": request,
    }


def check_event(given: dict[str, Any], workspace: str) -> dict[str, Any]:
    """Return the fields that were given, each as the intake would take it. Raises InvalidError with all that is wrong."""
    problems = [
        Problem(f"/{name}", f"is not known here; known are {', '.join(sorted(EVENT_FIELDS))}")
        for name in given
        if name not in EVENT_FIELDS
    ]
    known = {name: value for name, value in given.items() if name in EVENT_FIELDS and value is not None}
    found = Problems()
    decode_object({"type": TEST_TYPE, **known}, "", Decoding(workspace, 0), found)
    if len(found):
        problems += found.error().problems
    if problems:
        raise InvalidError(problems)
    return known


def preview_destination(context: Context, workspace: str, name: str, **event: Any) -> dict[str, Any]:
    """Render a test message for one destination without sending it; `event` overrides its fields.

    Raises NotFoundError, ConflictError where the type has nothing to show.
    """
    opened = context.dispatcher.opened(context.number(DESTINATION.word, workspace, name))
    shown = _shown(opened, _message(context, workspace, name, "preview", "preview", event))
    if shown is None:
        raise ConflictError(f"the destination {name!r} is of a type that has no preview")
    return {"destination": name, **shown}


def _shown(opened: OpenDestination, message: Message) -> dict[str, Any] | None:
    """Render a message, secrets left out; None: a type that has nothing to show."""
    if not isinstance(opened, Previewing):
        return None
    shown = opened.preview(message)
    return {"target": shown.target, "headers": dict(shown.headers), "body": shown.body}


def _message(
    context: Context, workspace: str, name: str, subscription: str, channel: str, given: dict[str, Any]
) -> Message:
    """Make it; its key is its own, so that services that keep incidents neither join it to another nor others to it."""
    number = context.ids.take(2)
    now = rfc3339(context.clock.now_ms())
    event = {
        "type": TEST_TYPE,
        "id": f"test-{number}",
        "workspace": workspace,
        "severity": "info",
        "time": now,
        "key": f"test-{number}",
        "message": f"A test of the destination {name}",
        **given,
    }
    return Message(
        delivery_id=ids.format_id(ids.DELIVERY, number + 1),
        alert_id=ids.format_id(ids.ALERT, number),
        attempt=1,
        workspace=workspace,
        subscription=subscription,
        channel=channel,
        trigger=None,
        event_type=event["type"],
        event=orjson.dumps(event),
        url="",
        test=True,
        time=now,
    )
