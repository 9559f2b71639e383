"""The body of a webhook with `format: nora`: `eventType`, `message`, `metadata` and the rule that fired. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.destinations.loose import object_in, text_in
from alertd.model.ids import format_id
from alertd.model.text import sayable

if TYPE_CHECKING:
    from alertd.destinations.base import Message
    from alertd.destinations.directory import Directory

METADATA_BYTES_MAX: Final = 8192
"""Bytes of the metadata as JSON; more are replaced by a note of what they were about."""
AGENT_BYTES_MAX: Final = 1024
"""Bytes of `agent` that such a note may repeat."""
RULE: Final = "sub"
"""What the outside id of a rule, which is a subscription, begins with."""


def nora_body(message: Message, directory: Directory) -> bytes:
    """Write the body."""
    event = object_in(message.event)
    number = directory.subscription_number(message.workspace, message.subscription)
    body = {
        "eventType": sayable(message.event_type),
        "message": text_in(event.get("message"), sayable(message.event_type)),
        "metadata": _metadata(event.get("data"), sayable(message.workspace)),
        "firedAt": sayable(message.time) or text_in(event.get("time")),
        "ruleId": format_id(RULE, number),
        "ruleName": sayable(directory.subscription_title(message.workspace, message.subscription)),
        "deliveryId": message.delivery_id,
    }
    return orjson.dumps(body)


def _metadata(data: Any, workspace: str) -> dict[str, Any]:
    place = {"workspace": {"id": workspace}}
    metadata = (data if isinstance(data, dict) else {}) | place
    size = len(orjson.dumps(metadata))
    if size <= METADATA_BYTES_MAX:
        return metadata
    agent = metadata.get("agent")
    small = len(orjson.dumps(agent)) <= AGENT_BYTES_MAX
    return {"truncated": True, "originalBytes": size, **place, "agent": agent if small else None}
