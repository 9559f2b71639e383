"""Which decoder reads a body or a record: by its content type and its CloudEvents headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from alertd.engine.issues.fingerprint import fingerprint_of
from alertd.errors import NotJsonError
from alertd.sources.base import NoEventError, UnsupportedMediaTypeError
from alertd.sources.cloudevents import REQUIRED, decode_batch, decode_binary, decode_structured, decode_value
from alertd.sources.document import check_size, load
from alertd.sources.github import DELIVERY as GITHUB_DELIVERY
from alertd.sources.github import EVENT as GITHUB_EVENT
from alertd.sources.github import GithubDecoder
from alertd.sources.headers import (
    decode_http_value,
    http_attributes,
    kafka_attributes,
    kafka_content_type,
    kafka_header,
)
from alertd.sources.incident import IncidentDecoder, is_report
from alertd.sources.media_type import MediaType, media_type
from alertd.sources.native import build, decode_json, decode_ndjson, decode_record
from alertd.sources.outside import WebhookDecoder, WebhookRequest
from alertd.sources.sentry_defaults import SentryDefaults
from alertd.sources.sentry_webhook import HEADER as SENTRY_HEADER
from alertd.sources.sentry_webhook import SENT_AT as SENTRY_SENT_AT
from alertd.sources.sentry_webhook import decode_value as decode_webhook_value
from alertd.sources.sentry_webhook import decode_webhook, is_webhook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.model.event import Event
    from alertd.sources.base import Context

Format = Literal["native", "cloudevents", "sentry", "github", "incidents", "auto"]
"""What the records of a topic are (`intake.kafka.topics[].format`)."""

ACCEPTED: Final = (
    "application/json, application/x-ndjson, application/cloudevents+json, application/cloudevents-batch+json"
)
"""What an answer of 415 may say in `Accept-Post`."""

_OUTSIDE: Final[dict[str, WebhookDecoder]] = {"github": GithubDecoder(), "incidents": IncidentDecoder()}
_DEFAULTS: Final = SentryDefaults(issue_key=lambda _project, data, labels: fingerprint_of(data, labels))
"""A topic is no endpoint, which might say otherwise; its errors are grouped as those of every endpoint."""
_JSON: Final = frozenset({"", "application/json", "text/json"})
_NDJSON: Final = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
    }
)
_CLOUDEVENTS: Final = "application/cloudevents"
_STRUCTURED: Final = frozenset({_CLOUDEVENTS, f"{_CLOUDEVENTS}+json"})
_BATCH: Final = frozenset({f"{_CLOUDEVENTS}-batch", f"{_CLOUDEVENTS}-batch+json"})


def decode_http(content_type: str | None, headers: Mapping[str, str], body: bytes, context: Context) -> list[Event]:
    """Decode a request's body, already decompressed; no content type means JSON.

    A `ce-id`, `ce-source`, `ce-specversion` or `ce-type` header makes it a binary CloudEvent, whatever the type of its
    data, unless the content type is that of a structured one. Errors: see `alertd.sources.base`.
    """
    media = media_type(content_type)
    if media.name.startswith(_CLOUDEVENTS):
        return _decode_cloudevents(media, body, context)
    attributes = http_attributes(headers) if headers else ()
    if attributes and not REQUIRED.isdisjoint(name for name, _ in attributes):
        check_size(body, context)
        if media.is_json:
            _check_charset(media)
        decoded = [(name, decode_http_value(text)) for name, text in attributes]
        return [decode_binary(decoded, content_type or None, body, context)]
    if media.name in _JSON:
        _check_charset(media)
        return decode_json(body, context)
    if media.name in _NDJSON:
        _check_charset(media)
        return decode_ndjson(body, context)
    raise UnsupportedMediaTypeError(f"content type {media.name[:64]!r} is not read, send one of {ACCEPTED}")


def decode_kafka(
    form: Format, headers: Sequence[tuple[str, bytes | None]], value: bytes | None, context: Context
) -> Event:
    """Decode one record as its topic's format says.

    `native` never looks at the headers. `cloudevents` is structured unless the headers say binary. `auto` goes by the
    headers; without a sign there it is native, or a structured CloudEvent when it has the member `specversion`, or, where it
    has no `type`, a webhook of Sentry or a report of an incident, told by their members.
    `sentry` is a webhook of Sentry, told by its header, else by its members; `github` one of GitHub, with its header
    `X-GitHub-Event`; `incidents` a report. Errors: see `alertd.sources.base`; NoEventError for what makes none.
    """
    if form == "native":
        return decode_record(value, context)
    if form == "sentry":
        return _decode_sentry(headers, value, context)
    if form in _OUTSIDE:
        return _decode_outside(_OUTSIDE[form], headers, value, context)
    event = _decode_by_headers(form, headers, value, context) if headers else None
    if event is not None:
        return event
    if form == "cloudevents":
        return decode_structured(_present(value), context)
    return _decode_either(_present(value), context)


def _decode_by_headers(
    form: Format, headers: Sequence[tuple[str, bytes | None]], value: bytes | None, context: Context
) -> Event | None:
    """Decode a record whose headers say what it is; None when they do not."""
    resource = kafka_header(headers, SENTRY_HEADER) if form == "auto" else None
    if resource is not None:
        return _decode_sentry(headers, value, context)
    if form == "auto" and kafka_header(headers, GITHUB_EVENT) is not None:
        return _decode_outside(_OUTSIDE["github"], headers, value, context)
    content_type = kafka_content_type(headers)
    media = media_type(content_type)
    if media.name.startswith(_CLOUDEVENTS):
        if media.name not in _STRUCTURED:
            raise UnsupportedMediaTypeError(f"content type {media.name[:64]!r} is not read in Kafka records")
        return decode_structured(_present(value), context)
    attributes = kafka_attributes(headers)
    if attributes and not REQUIRED.isdisjoint(name for name, _ in attributes):
        check_size(value or b"", context)
        return decode_binary(attributes, content_type, value, context)
    return None


def _decode_outside(
    decoder: WebhookDecoder, headers: Sequence[tuple[str, bytes | None]], value: bytes | None, context: Context
) -> Event:
    """Decode a webhook that somebody put into a topic, its headers with it."""
    body = _present(value)
    texts = {name: kafka_header(headers, name) or "" for name in (GITHUB_EVENT, GITHUB_DELIVERY)}
    events = decoder.decode(WebhookRequest(texts, body, body), context, _DEFAULTS)
    if not events:
        raise NoEventError(f"a webhook of {decoder.source} that becomes no event")
    return events[0]


def _decode_cloudevents(media: MediaType, body: bytes, context: Context) -> list[Event]:
    if media.name not in _STRUCTURED | _BATCH:
        raise UnsupportedMediaTypeError(f"content type {media.name[:64]!r} is not read: of CloudEvents only JSON is")
    _check_charset(media)
    if media.name in _BATCH:
        return decode_batch(body, context)
    return [decode_structured(body, context)]


def _decode_either(value: bytes, context: Context) -> Event:
    given = load(value, context)
    event = build(given, context)
    if event is not None:
        return event
    if isinstance(given, dict) and "specversion" in given:
        return decode_value(given, context)
    if is_webhook(given):
        return _decode_sentry((), value, context)
    if is_report(given):
        return _decode_outside(_OUTSIDE["incidents"], (), value, context)
    return decode_record(value, context)


def _decode_sentry(headers: Sequence[tuple[str, bytes | None]], value: bytes | None, context: Context) -> Event:
    body, resource = _present(value), kafka_header(headers, SENTRY_HEADER)
    if resource:
        events = decode_webhook(body, resource, context, _DEFAULTS, kafka_header(headers, SENTRY_SENT_AT))
    else:
        events = decode_webhook_value(body, context, _DEFAULTS)
    if not events:
        raise NoEventError("a webhook of Sentry that becomes no event")
    return events[0]


def _present(value: bytes | None) -> bytes:
    if value is None:
        raise NotJsonError("the record has no value")
    return value


def _check_charset(media: MediaType) -> None:
    if not media.is_utf8:
        raise UnsupportedMediaTypeError("JSON is read in UTF-8 only")
