"""The webhook type: its settings, its body and what it makes of answers."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from pydantic import ValidationError

from alertd.destinations.base import HttpAnswer, SendError, World
from alertd.destinations.standard_body import body_of
from alertd.destinations.webhook import WebhookType, classify
from alertd.destinations.webhook_settings import WebhookSettings
from alertd.model.delivery import DELIVERED, Outcome, OutcomeKind
from tests.conformance.destination_suite import NOW, FixedClock, ScriptedSender, make_message

URL = "https://hooks.example.com/x"
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def complaint(**settings: Any) -> str:
    """Validate and return the one complaint."""
    with pytest.raises(ValidationError) as caught:
        WebhookSettings.model_validate(settings)
    (error,) = caught.value.errors(include_input=False)
    return f"{'.'.join(map(str, error['loc']))}: {error['msg'].removeprefix('Value error, ')}"


def test_smallest_settings() -> None:
    """A URL is enough."""
    settings = WebhookSettings.model_validate({"url": URL})
    assert (settings.url, settings.secret, settings.headers, settings.format) == (URL, None, {}, "standard")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "url: Field required"),
        ({"url": "ftp://x"}, "url: an address such as https://hooks.example.com/x: the URL must begin with http:// or https://"),
        ({"url": "http://u:p@x/"}, "url: an address such as https://hooks.example.com/x: the URL has a user name or password in it; use a header instead"),
        ({"url": URL, "secret": "whsec_!"}, "secret: base64 after whsec_"),
        ({"url": URL, "secret": ""}, "secret: a secret that is not empty"),
        ({"url": URL, "format": "other"}, "format: Input should be 'standard', 'rustrak', 'nora', 'alertmanager', 'cloudevents' or 'template'"),
        ({"url": URL, "header": {}}, "header: Extra inputs are not permitted"),
        ({"url": URL, "headers": {"X-A": "b\r\nX-C: d"}}, "headers: a value of X-A of printable ASCII, on one line"),
        ({"url": URL, "headers": {"X-A": "ü"}}, "headers: a value of X-A of printable ASCII, on one line"),
        ({"url": URL, "headers": {"X-A": "x" * 5000}}, "headers: a value of X-A of at most 4096 bytes"),
        ({"url": URL, "headers": {"X A": "b"}}, "headers: a header name of letters, digits and signs such as - in place of 'X A'"),
        ({"url": URL, "headers": {"": "b"}}, "headers: a header name of letters, digits and signs such as - in place of ''"),
        ({"url": URL, "headers": {"X-A": "b", "x-a": "c"}}, "headers: headers that are each named once (their case does not count)"),
        ({"url": URL, "headers": {f"X-{n}": "b" for n in range(65)}}, "headers: at most 64 headers"),
    ],
)  # fmt: skip
def test_bad_settings_are_explained(settings: dict[str, Any], expected: str) -> None:
    """Each mistake is one complaint at its setting that says what is wrong."""
    assert complaint(**settings) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content-Type", "CONTENT-ENCODING", "transfer-encoding", "Connection", "Expect"),
        *("webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE", "webhook-anything", "Upgrade", "Trailer", "TE"),
    ],
)
def test_headers_of_ours_cannot_be_set(name: str) -> None:
    """Headers that frame, describe or sign the request are alertd's own."""
    assert complaint(url=URL, headers={name: "x"}) == f"headers: no header {name}: alertd sets it"


@given(name=st.text(max_size=20), value=st.text(max_size=20))
def test_header_that_is_accepted_is_harmless(name: str, value: str) -> None:
    """A header that passes is a token and printable ASCII."""
    try:
        WebhookSettings.model_validate({"url": URL, "headers": {name: value}})
    except ValidationError:
        return
    assert name.isascii()
    assert not set(name) & set(' \t\r\n:,;()<>@"/[]?={}\\')
    assert all(" " <= character <= "~" or character == "\t" for character in value)


def test_body_has_the_documented_form() -> None:
    """The body has the documented keys in the documented order."""
    message = make_message(trigger="regression", time="2026-05-07T00:00:01Z", event=b'{"type":"run:failed"}')
    assert body_of(message) == (
        b'{"type":"run:failed","timestamp":"2026-05-07T00:00:01Z","data":{"delivery_id":"dlv_0001",'
        b'"alert_id":"alt_0001","workspace":"default","subscription":"production-runs","channel":"runs",'
        b'"trigger":"regression","event":{"type":"run:failed"},"issue":null,'
        b'"url":"http://127.0.0.1:8080/alerts/alt_0001","test":false}}'
    )


def test_event_is_spliced_in_unchanged() -> None:
    """The event's bytes are in the body as they are: order, spaces, escapes and large numbers."""
    event = b'{ "z": 1, "a": 12345678901234567890123, "f": 1.0e5, "s": "\\u00fc\\/" , "type": "x"}'
    assert event in body_of(make_message(event=event))


@pytest.mark.parametrize(
    ("event", "time"),
    [
        (b'{"time": "2026-01-01T00:00:00Z"}', "2026-01-01T00:00:00Z"),
        (b"{}", ""),
        (b'{"time": 5}', ""),
        (b"[]", ""),
        (b"no json", ""),
    ],
)
def test_timestamp_is_read_from_the_event_when_not_given(event: bytes, time: str) -> None:
    """The timestamp is the event's time, also when the lane did not bring it along."""
    assert f'"timestamp":"{time}"'.encode() in body_of(make_message(event=event))


@given(type_=names, channel=names, subscription=names, workspace=names, trigger=st.none() | names)
def test_names_are_escaped(type_: str, channel: str, subscription: str, workspace: str, trigger: str | None) -> None:
    """Any name comes out of the body as it went in."""
    message = make_message(
        event_type=type_, channel=channel, subscription=subscription, workspace=workspace, trigger=trigger
    )
    body = json.loads(body_of(message))
    data = body["data"]
    assert body["type"] == type_
    assert [data[name] for name in ("channel", "subscription", "workspace", "trigger")] == [
        channel,
        subscription,
        workspace,
        trigger,
    ]


def test_lone_surrogate_is_rejected() -> None:
    """A name that is not valid Unicode cannot be written; the renderer says so and the attempt is dead, not stuck."""
    with pytest.raises(orjson.JSONEncodeError):
        body_of(make_message(channel="\udc80"))


@given(status=st.integers(100, 999))
def test_every_status_has_one_meaning(status: int) -> None:
    """2xx is delivered; 408, 425, 429 and 5xx are retried; 410 is gone; all else is rejected."""
    kind = classify(HttpAnswer(status, {}, b""), NOW).kind
    if 200 <= status < 300:
        assert kind is OutcomeKind.DELIVERED
    elif status in {408, 425, 429} or status >= 500:
        assert kind is OutcomeKind.RETRY_LATER
    else:
        assert kind is (OutcomeKind.GONE if status == 410 else OutcomeKind.REJECTED)


def test_failure_is_worded_as_documented() -> None:
    """The detail of a refused delivery is `webhook: returned 404`."""
    assert classify(HttpAnswer(404, {}, b"no"), NOW) == Outcome(
        OutcomeKind.REJECTED, 404, "webhook: returned 404", b"no"
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_retry_after_is_honoured_where_it_is_retried(status: int) -> None:
    """Retry-After counts for each status that is retried, whatever the case of its name."""
    headers = CIMultiDict({"RETRY-after": "7"})
    assert classify(HttpAnswer(status, headers, b""), NOW).retry_after_seconds == 7


@pytest.mark.parametrize("status", [200, 302, 404, 410])
def test_retry_after_is_ignored_elsewhere(status: int) -> None:
    """Retry-After of a final answer means nothing."""
    assert classify(HttpAnswer(status, {"Retry-After": "7"}, b""), NOW).retry_after_seconds is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SendError("connection refused"), OutcomeKind.RETRY_LATER),
        (SendError("timed out after 10 s", ambiguous=True), OutcomeKind.AMBIGUOUS),
        (SendError("egress refused: x", refused=True), OutcomeKind.REJECTED),
        (SendError("egress refused: x", refused=True, ambiguous=True), OutcomeKind.REJECTED),
    ],
)
async def test_error_has_its_outcome(error: SendError, kind: OutcomeKind) -> None:
    """Without an answer the outcome says why, in the sender's words."""
    opened = WebhookType().open(WebhookSettings(url=URL), 10, World(FixedClock(), ScriptedSender([error]), print))
    assert await opened.attempt(make_message()) == Outcome(kind, detail=f"webhook: {error}")


def test_delivered_without_a_body_costs_no_new_value() -> None:
    """The usual outcome is one shared value."""
    assert classify(HttpAnswer(204, {}, b""), NOW) is classify(HttpAnswer(204, {}, b""), NOW)
    assert classify(HttpAnswer(204, {}, b""), NOW).kind is DELIVERED.kind


async def test_headers_of_one_request_do_not_reach_the_next() -> None:
    """Each request has headers of its own."""
    sender = ScriptedSender([HttpAnswer(204, {}, b"")])
    opened = WebhookType().open(WebhookSettings(url=URL, secret="s"), 10, World(FixedClock(), sender, print))  # noqa: S106 - a test's own
    await opened.attempt(make_message())
    await opened.attempt(make_message(delivery_id="dlv_0002"))
    first, second = (request.headers for request in sender.requests)
    assert first["webhook-id"] == "dlv_0001"
    assert second["webhook-id"] == "dlv_0002"
    assert first["webhook-signature"] != second["webhook-signature"]


def test_a_token_is_hidden_without_its_scheme() -> None:
    """A provider that repeats the token of an Authorization header, and not the whole header, does not show it to anybody."""
    settings = WebhookSettings.model_validate({"url": URL, "headers": {"Authorization": "Bearer hunter2-hunter2"}})
    opened = WebhookType().open(settings, 10.0, World(FixedClock(), ScriptedSender(), print))
    answer = HttpAnswer(403, CIMultiDict(), b'{"error": "no such token: hunter2-hunter2"}')
    outcome = opened.judge(answer, NOW)
    assert (outcome.kind, outcome.answer) == (OutcomeKind.REJECTED, b'{"error": "no such token: [redacted]"}')
