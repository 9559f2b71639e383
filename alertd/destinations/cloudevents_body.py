"""A webhook with `format: cloudevents`: CloudEvents 1.0 over HTTP, structured or binary. Pure.

The data is that of `format: standard`. `id` is the delivery's, so that a receiver recognises a repeat by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from alertd.destinations.clean import line
from alertd.destinations.loose import object_in, text_in
from alertd.destinations.moments import normal
from alertd.destinations.standard_body import data_of

if TYPE_CHECKING:
    from alertd.destinations.base import Message

STRUCTURED: Final = "application/cloudevents+json; charset=UTF-8"
ATTRIBUTE_MAX: Final = 256
"""Characters of an attribute."""

_HEADER_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def structured(message: Message) -> tuple[bytes, dict[str, str]]:
    """Give body and headers with everything in the body. Raises orjson.JSONEncodeError on lone surrogates in names."""
    body = {**attributes(message), "datacontenttype": "application/json", "data": _data(message)}
    return orjson.dumps(body), {"content-type": STRUCTURED}


def binary(message: Message) -> tuple[bytes, dict[str, str]]:
    """Give body and headers with the attributes in headers. Raises as `structured`."""
    headers = {f"ce-{name}": quote(value, safe=_HEADER_SAFE) for name, value in attributes(message).items()}
    return orjson.dumps(_data(message)), headers


def _data(message: Message) -> dict[str, Any]:
    data = data_of(message)
    return data if object_in(message.event) else data | {"event": {}}


def attributes(message: Message) -> dict[str, str]:
    """Give the context: what the standard demands, what the event has of the optional, and where it belongs."""
    event = object_in(message.event)
    found = {
        "specversion": "1.0",
        "id": message.delivery_id,
        "source": f"/alertd/workspaces/{quote(line(message.workspace, ATTRIBUTE_MAX) or 'default', safe='')}",
        "type": line(message.event_type or event.get("type"), ATTRIBUTE_MAX) or "alertd.event",
        "time": normal(message.time) or normal(text_in(event.get("time"))),
        "subject": line(event.get("key"), ATTRIBUTE_MAX),
        "severity": line(event.get("severity"), ATTRIBUTE_MAX),
        "workspace": line(message.workspace, ATTRIBUTE_MAX),
        "project": line(event.get("project"), ATTRIBUTE_MAX),
        "environment": line(event.get("environment"), ATTRIBUTE_MAX),
        "trigger": line(message.trigger, ATTRIBUTE_MAX),
    }
    return {name: value for name, value in found.items() if value}
