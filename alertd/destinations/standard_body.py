"""The body of a webhook with `format: standard`: what Standard Webhooks recommends. Pure, and quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orjson import Fragment, dumps

from alertd.destinations.about_issue import issue_of
from alertd.destinations.loose import object_in, text_in

if TYPE_CHECKING:
    from alertd.destinations.base import Digest, Message


def body_of(message: Message) -> bytes:
    """Write the body: the event's bytes are spliced in as they are. Raises orjson.JSONEncodeError on lone surrogates."""
    return dumps(
        {
            "type": message.event_type,
            "timestamp": message.time or time_in(message.event),
            "data": data_of(message),
        }
    )


def data_of(message: Message) -> dict[str, Any]:
    """Give the member `data`."""
    data: dict[str, Any] = {
        "delivery_id": message.delivery_id,
        "alert_id": message.alert_id,
        "workspace": message.workspace,
        "subscription": message.subscription,
        "channel": message.channel,
        "trigger": message.trigger,
        "event": Fragment(message.event),
        "issue": issue_of(message) or None,
        "url": message.url,
        "test": message.test,
    }
    if message.digest is not None:
        data["digest"] = _digest(message.digest)
    return data


def time_in(event: bytes) -> str:
    """Read an event's time; empty when there is none."""
    return text_in(object_in(event).get("time"))


def _digest(digest: Digest) -> dict[str, Any]:
    entries = [{"event": Fragment(each.event), "url": each.url, "trigger": each.trigger} for each in digest.entries]
    return {"count": digest.count, "reason": digest.reason, "alerts": entries}
