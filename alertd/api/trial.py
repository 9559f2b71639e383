"""Trials: test messages through the real path of a destination, and how it is told what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.clock import rfc3339
from alertd.destinations.base import Message
from alertd.model import ids
from alertd.resources.kinds import DESTINATION

if TYPE_CHECKING:
    from alertd.api.context import Context

TEST_TYPE: Final = "alertd.test"
"""The type of the event in a test message, unless another is asked for."""


async def try_destination(
    context: Context, workspace: str, name: str, subscription: str = "test", channel: str = "test", **event: Any
) -> dict[str, Any]:
    """Send a test message to one destination, enabled or not, and return what came of it; `event` overrides its fields.

    Raises NotFoundError.
    """
    message = _message(context, workspace, name, subscription, channel, event)
    number = context.number(DESTINATION.word, workspace, name)
    outcome, seconds = await context.dispatcher.test(number, message)
    return {
        "destination": name,
        "outcome": outcome.kind.word,
        "status": outcome.status,
        "error": outcome.detail or None,
        "answer": outcome.answer.decode("utf-8", "replace"),
        "duration_seconds": round(seconds, 6),
    }


def _message(
    context: Context, workspace: str, name: str, subscription: str, channel: str, given: dict[str, Any]
) -> Message:
    number = context.ids.take(2)
    now = rfc3339(context.clock.now_ms())
    event = {
        "type": TEST_TYPE,
        "id": f"test-{number}",
        "workspace": workspace,
        "severity": "info",
        "time": now,
        "key": TEST_TYPE,
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
