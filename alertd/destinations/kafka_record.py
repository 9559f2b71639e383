"""A delivery as a Kafka record: key, value and headers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.destinations.cloudevents_body import STRUCTURED, attributes, binary, structured
from alertd.destinations.composing import content_of
from alertd.destinations.http_destination import DELIVERY_HEADER
from alertd.destinations.standard_body import body_of
from alertd.destinations.template_body import ERROR_HEADER
from alertd.destinations.templated import values_of
from alertd.destinations.templates import render

if TYPE_CHECKING:
    from alertd.destinations.base import Message
    from alertd.destinations.kafka_settings import KafkaSettings

KEY_BYTES_MAX: Final = 1024
"""Bytes of a key; a longer one is cut off."""
TYPE_HEADER: Final = "x-alertd-type"
"""Carries the event's type, for those who choose by it without reading the value."""

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Record:
    """What is produced. `key` None: none, so that any partition will do; `problem`: why the key's template failed (empty: it did not)."""

    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    problem: str = ""

    @property
    def size_bytes(self) -> int:
        """About how much of a request it takes."""
        return len(self.key or b"") + len(self.value) + sum(len(name) + len(text) for name, text in self.headers) + 64


def record_of(message: Message, settings: KafkaSettings) -> Record:
    """Write it; the delivery's id in the headers is the same on every attempt.

    Raises orjson.JSONEncodeError for names with lone surrogates, which the configuration lets nobody give.
    """
    key, problem = _key(message, settings.key)
    value, own = _value(message, settings)
    headers = {DELIVERY_HEADER: message.delivery_id, TYPE_HEADER: message.event_type, **own}
    if problem:
        headers[ERROR_HEADER] = problem
    written = tuple((name, text.encode("utf-8", "replace")) for name, text in headers.items())
    return Record(key, value, written, problem)


def _key(message: Message, template: str | None) -> tuple[bytes | None, str]:
    """Give the key, and why the template did not make it (empty: it did, or there is none)."""
    if template == "":
        return None, ""
    made = None if template is None else render(template, values_of(message))
    if made is None or made.problem:
        return content_of(message).dedup_key.encode("ascii", "replace"), made.problem if made else ""
    return made.text.encode("utf-8", "replace")[:KEY_BYTES_MAX] or None, ""


def _value(message: Message, settings: KafkaSettings) -> tuple[bytes, dict[str, str]]:
    """Give the value with the headers of its form."""
    if settings.format == "standard":
        return body_of(message), {"content-type": _JSON}
    if settings.mode == "structured":
        return structured(message)[0], {"content-type": STRUCTURED}
    own = {f"ce_{name}": text for name, text in attributes(message).items()}
    return binary(message)[0], {"content-type": _JSON, **own}
