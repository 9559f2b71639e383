"""CloudEvents 1.0, from JSON (structured, batch) or from headers and a body (binary), mapped to events.

| CloudEvents | event |
|---|---|
| `type`, `time`, `source` | the same |
| `source` and `id` | `id`: `source#id`, see `idempotency_key` |
| `subject` | `key`; one longer than a key is shortened as an id is, and kept whole as the label `subject` |
| extensions | labels of the same name; booleans and integers as text |
| extensions `severity`, `project`, `environment`, `workspace` | besides, the field of that name |
| `dataschema` | label of that name |
| `datacontenttype` | label of that name, unless it is JSON |
| data | `data`: an object as it is, other JSON and text as `{"value": …}`, bytes as `{"base64": …}` |

An extension `severity` that is none of our words stays a label only; an empty `project`, `environment` or `workspace` too.
An attribute that is null is absent, data that is null is not. Names are small letters and digits; integers may have
64 bits; whether a source is a valid URI reference is not looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from alertd.errors import DecodeError
from alertd.model.event import KEY_MAX, NAME_MAX, Event
from alertd.model.severity import BY_WORD
from alertd.sources.document import check_count, kind_of, load
from alertd.sources.explain import found
from alertd.sources.fields import is_name
from alertd.sources.media_type import MediaType, media_type
from alertd.sources.native import build, decode_object, sent_bytes
from alertd.sources.problems import Problems, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from alertd.sources.base import Context

VERSION: Final = "1.0"
REQUIRED: Final = frozenset({"id", "source", "specversion", "type"})
"""The attributes that every CloudEvent has."""

_ATTRIBUTES: Final = REQUIRED | {"datacontenttype", "dataschema", "subject", "time", "data", "data_base64"}
_FIELDS: Final = ("project", "environment", "workspace")
_DIGEST_HEX: Final = 32
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")

_is_extension = re.compile(r"[a-z0-9]+").fullmatch
_unsayable = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


def decode_structured(body: bytes, context: Context) -> Event:
    """Decode one CloudEvent in JSON (pointers such as `/type`). Errors: see `alertd.sources.base`."""
    return decode_value(load(body, context), context)


def decode_value(value: Any, context: Context) -> Event:
    """Decode one CloudEvent whose JSON is already parsed. Errors: `DecodeError`, also its kinds for a workspace or size."""
    problems = Problems()
    event = _decode(value, "", context, problems)
    if event is None:
        raise problems.error()
    return event


def decode_batch(body: bytes, context: Context) -> list[Event]:
    """Decode a JSON array of CloudEvents, which may be empty (pointers such as `/3/type`); one bad item refuses all."""
    value = load(body, context)
    if not isinstance(value, list):
        raise DecodeError(f"expected an array of CloudEvents, found {kind_of(value)}")
    check_count(len(value), context)
    problems = Problems()
    decoded = [_decode(item, f"/{index}", context, problems) for index, item in enumerate(value)]
    problems.check()
    return [event for event in decoded if event is not None]


def decode_binary(
    attributes: Iterable[tuple[str, str | None]], content_type: str | None, body: bytes | None, context: Context
) -> Event:
    """Decode one CloudEvent whose attributes were headers and whose data is the body (pointers as if it were JSON).

    Shapes: `attributes` without their prefix and already decoded, None for a value that is not UTF-8; `content_type` is
    that of the data; a body that is None or empty is no data. Errors: see `alertd.sources.base`.
    """
    problems = Problems()
    given: dict[str, Any] = {}
    for name, text in attributes:
        if name in {"data", "data_base64", "datacontenttype"}:
            problems.add(step("", name), "is not a header: the body is the data, Content-Type its type")
        elif text is None:
            problems.add(step("", name), "the header's value is not valid UTF-8")
        elif name in given:
            problems.add(step("", name), "the header is there more than once")
        else:
            given[name] = text
    if content_type:
        given["datacontenttype"] = content_type
    if body:
        _add_body(given, media_type(content_type), body, context, problems)
    event = _decode(given, "", context, problems)
    if event is None or problems:
        raise problems.error()
    return event


def idempotency_key(source: str, event_id: str) -> str:
    """Join a source and an id to the event's id, so that two different pairs never meet.

    It is `source#id` where that is a valid event id and `#` is not in the id; else it is percent-encoded, cut where it
    is too long, and ends in `#` and 32 hexadecimal digits of the pair's SHA-256.
    """
    joined = f"{source}#{event_id}"
    if "#" not in event_id and is_name(joined):
        return joined
    return _shorten(joined, NAME_MAX, f"{len(source)}#{joined}")


def _shorten(text: str, most: int, identity: str) -> str:
    digest = sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_HEX]
    encoded = quote(text[:most], safe=_PRINTABLE, errors="replace")
    return f"{encoded[: most - _DIGEST_HEX - 1]}#{digest}"


def _add_body(given: dict[str, Any], media: MediaType, body: bytes, context: Context, problems: Problems) -> None:
    if media.is_json:
        try:
            given["data"] = load(body, context)
        except DecodeError as error:
            for problem in error.problems:
                problems.add("/data", problem.detail, type(error))
        return
    if not media.name:
        try:
            given["data"] = load(body, context)
        except DecodeError:
            media = MediaType("text/plain", is_utf8=True)
        else:
            return
    try:
        text = body.decode() if media.is_text else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        given["data_base64"] = base64.b64encode(body).decode()
    else:
        given["data"] = text


def _decode(value: Any, pointer: str, context: Context, problems: Problems) -> Event | None:
    """Decode one parsed CloudEvent; None after adding to `problems` every place that is wrong."""
    if not isinstance(value, dict):
        problems.add(pointer, f"expected a CloudEvent, which is an object, found {kind_of(value)}")
        return None
    before = len(problems)
    given = {name: item for name, item in value.items() if item is not None}
    native = _native(given, pointer, problems)
    if "data" in value or "data_base64" in given:
        native["data"] = _data(value, pointer, problems)
    if len(problems) == before:
        event = build(native, context)
        if event is not None:
            return event
    found_here = Problems()
    event = decode_object(native, "", context, found_here, partial(sent_bytes, value))
    problems.adopt(found_here, lambda place: pointer + _attribute(place))
    return event if len(problems) == before else None


def _native(given: Mapping[str, Any], pointer: str, problems: Problems) -> dict[str, Any]:
    """Map the attributes to a native event without data."""
    version = given.get("specversion")
    if version != VERSION:
        detail = "is required: " if version is None else f"found {found(version)}, expected "
        problems.add(f"{pointer}/specversion", f'{detail}"{VERSION}"')
    source, event_id, subject, schema, content_type = (
        _text(given, name, pointer, problems) for name in ("source", "id", "subject", "dataschema", "datacontenttype")
    )
    labels = _labels(given, pointer, problems)
    native = {name: given[name] for name in ("type", "time") if name in given}
    if source:
        native["source"] = source
    if source and event_id:
        native["id"] = idempotency_key(source, event_id)
    native |= {name: labels[name] for name in _FIELDS if labels.get(name)}
    severity = labels.get("severity", "").lower()
    if severity in BY_WORD:
        native["severity"] = severity
    if subject and len(subject) > KEY_MAX:
        native["key"] = _shorten(subject, KEY_MAX, subject)
        labels["subject"] = subject
    elif subject:
        native["key"] = subject
    if schema:
        labels["dataschema"] = schema
    if content_type and not media_type(content_type).is_json:
        labels["datacontenttype"] = content_type
    if labels:
        native["labels"] = labels
    return native


def _text(given: Mapping[str, Any], name: str, pointer: str, problems: Problems) -> str | None:
    """Return an attribute that is a string and not empty, else None and a problem unless it may be absent."""
    text = given.get(name)
    if isinstance(text, str) and text and not _unsayable(text):
        return text
    if text is not None:
        detail = f"expected a string that is not empty, without control characters, found {found(text)}"
        problems.add(f"{pointer}/{name}", detail)
    elif name in REQUIRED:
        problems.add(f"{pointer}/{name}", "is required: a string that is not empty")
    return None


def _labels(given: Mapping[str, Any], pointer: str, problems: Problems) -> dict[str, str]:
    """Turn extensions into labels."""
    labels: dict[str, str] = {}
    for name, value in given.items():
        if name in _ATTRIBUTES:
            continue
        text = _extension(value)
        if not _is_extension(name):
            problems.add(step(pointer, name), "expected a name of small letters and digits")
        elif text is None:
            detail = f"expected a boolean, an integer or a string without control characters, found {found(value)}"
            problems.add(step(pointer, name), detail)
        else:
            labels[name] = text
    return labels


def _extension(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) and not _unsayable(value) else None


def _data(value: Mapping[str, Any], pointer: str, problems: Problems) -> dict[str, Any]:
    encoded = value.get("data_base64")
    if encoded is None:
        data = value["data"]
        return data if isinstance(data, dict) else {"value": data}
    if "data" in value:
        problems.add(f"{pointer}/data_base64", "expected either data or data_base64, found both")
    elif not _is_base64(encoded):
        problems.add(f"{pointer}/data_base64", f"expected base64, found {found(encoded)}")
    return {"base64": encoded}


def _is_base64(encoded: Any) -> bool:
    try:
        base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return False
    return True


def _attribute(pointer: str) -> str:
    """Translate a pointer into the native event to one into the CloudEvent."""
    if pointer == "/key":
        return "/subject"
    return pointer.removeprefix("/labels")
