"""Headers that carry a CloudEvent's attributes: `ce-type` of HTTP and `ce_type` of Kafka, prefix cut, value decoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PREFIX_LENGTH = 3
_HTTP_PREFIXES = frozenset({"ce-", "Ce-", "cE-", "CE-"})
_KAFKA_PREFIX = "ce_"

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def http_attributes(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the attributes among a request's headers, names in small letters, values as they were sent."""
    return [(name[_PREFIX_LENGTH:].lower(), text) for name, text in headers.items() if name[:3] in _HTTP_PREFIXES]


def decode_http_value(text: str) -> str | None:
    """Take away double quotes, then percent-decode once; None when that is not UTF-8 (over-long forms are not)."""
    if '"' in text:
        text = _QUOTED.sub(lambda quoted: _ESCAPED.sub(r"\1", quoted[1]), text)
    try:
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        return None


def kafka_attributes(headers: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, str | None]]:
    """Return the attributes among a record's headers, decoded (None: not UTF-8); a header without a value is absent."""
    return [
        (name[_PREFIX_LENGTH:], decode_kafka_value(value))
        for name, value in headers
        if value is not None and name.startswith(_KAFKA_PREFIX)
    ]


def kafka_content_type(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return a record's `content-type`; None when it has none."""
    return kafka_header(headers, "content-type")


def kafka_header(headers: Iterable[tuple[str, bytes | None]], wanted: str) -> str | None:
    """Return the value of a record's header, whatever the case of its name; None when it has none."""
    wanted = wanted.lower()
    for name, value in headers:
        if value is not None and name.lower() == wanted:
            return value.decode("utf-8", "replace")
    return None


def decode_kafka_value(value: bytes) -> str | None:
    """Read a header's value as UTF-8, which is all there is to it; None when it is not."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
