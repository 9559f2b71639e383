"""The ways to use the type `webhook`, held to the contract of destinations and to the forms of others."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from alertd.destinations.base import HttpAnswer
from alertd.destinations.moments import unix_seconds
from alertd.destinations.webhook import WebhookType
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import HTTP_FAILURES, DestinationSuite, ScriptedSender, make_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alertd.destinations.base import HttpRequest

LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
ATTRIBUTE = re.compile(r"ce-[a-z0-9]{1,20}")


class FormSuite(DestinationSuite):
    """What all forms share."""

    kind = WebhookType()
    form: ClassVar[Mapping[str, Any]]
    secrets = ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hunter2", "tok-5f3", "query-secret")
    answers = (
        *HTTP_FAILURES,
        (HttpAnswer(200, {}, b"ok"), OutcomeKind.DELIVERED),
        (HttpAnswer(410, {}, b""), OutcomeKind.GONE),
    )

    def __init_subclass__(cls) -> None:
        """Add what is particular to a form to the usual settings."""
        super().__init_subclass__()
        cls.settings = {
            "url": "https://hooks.example.com/tok-5f3?x=1",
            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "headers": {"Authorization": "Bearer hunter2"},
            "query": {"key": "query-secret"},
            **cls.form,
        }

    @override
    def check_request(self, request: HttpRequest) -> None:
        """Look at the address, and at the body's form."""
        assert request.url == "https://hooks.example.com/tok-5f3?x=1&key=query-secret"
        self.check_body(request, json.loads(request.body))

    def check_body(self, request: HttpRequest, body: Any) -> None:
        """Assert what a form demands of its body."""


class TestRustrak(FormSuite):
    """Rustrak's form."""

    form: ClassVar[Mapping[str, Any]] = {"format": "rustrak"}

    @override
    def check_body(self, request: HttpRequest, body: Any) -> None:
        """The members, their kinds, and the id in the header."""
        assert list(body) == [
            *("alert_id", "alert_type", "triggered_at", "project", "issue", "issue_url", "actor"),
        ]
        assert body["alert_type"] in {"new_issue", "regression", "unmute"}
        assert request.headers["X-Rustrak-Request-ID"] == body["alert_id"]
        assert re.fullmatch(r"\d+-[!-~]*-\d+", body["alert_id"])
        assert list(body["project"]) == ["id", "name", "slug"]
        assert isinstance(body["project"]["id"], int)
        issue = body["issue"]
        assert list(issue) == ["id", "short_id", "title", "level", "first_seen", "last_seen", "event_count"]
        assert issue["level"] is None or isinstance(issue["level"], str)
        times = (body["triggered_at"], issue["first_seen"], issue["last_seen"])
        assert all(unix_seconds(each) is not None for each in times)
        assert "webhook-id" not in request.headers


class TestNora(FormSuite):
    """Nora's form."""

    form: ClassVar[Mapping[str, Any]] = {"format": "nora"}

    @override
    def check_body(self, request: HttpRequest, body: Any) -> None:
        """The members, and the bound of the metadata."""
        assert list(body) == [
            *("eventType", "message", "metadata", "firedAt", "ruleId", "ruleName", "deliveryId"),
        ]
        assert all(isinstance(value, str) for name, value in body.items() if name != "metadata")
        assert isinstance(body["metadata"]["workspace"]["id"], str)
        assert len(json.dumps(body["metadata"], separators=(",", ":"), ensure_ascii=False).encode()) <= 8192


class TestAlertmanagerForm(FormSuite):
    """The form of Alertmanager's webhooks."""

    form: ClassVar[Mapping[str, Any]] = {"format": "alertmanager"}

    @override
    def check_body(self, request: HttpRequest, body: Any) -> None:
        """What a reader of version 4 relies on."""
        assert body["version"] == "4"
        assert body["status"] in {"firing", "resolved"}
        assert body["alerts"]
        for alert in body["alerts"]:
            for pairs in (alert["labels"], alert["annotations"]):
                assert all(LABEL.fullmatch(name) and isinstance(value, str) for name, value in pairs.items())
            assert alert["labels"]["alertname"]
            assert unix_seconds(alert["startsAt"]) is not None
            assert (alert["endsAt"] == "0001-01-01T00:00:00Z") == (alert["status"] == "firing")
            assert re.fullmatch(r"[0-9a-f]{16}", alert["fingerprint"])


class TestCloudEvents(FormSuite):
    """Structured CloudEvents."""

    form: ClassVar[Mapping[str, Any]] = {"format": "cloudevents"}

    @override
    def check_body(self, request: HttpRequest, body: Any) -> None:
        """The demanded attributes are there, and none is empty or has a control character."""
        assert request.headers["content-type"].startswith("application/cloudevents+json")
        assert body["specversion"] == "1.0"
        assert body["id"] == "dlv_0001"
        attributes = {name: value for name, value in body.items() if name != "data"}
        assert {"source", "type"} <= attributes.keys()
        assert all(value and not CONTROL.search(value) for value in map(str, attributes.values()))


class TestCloudEventsBinary(FormSuite):
    """Binary CloudEvents."""

    form: ClassVar[Mapping[str, Any]] = {"format": "cloudevents", "mode": "binary"}

    @override
    def check_body(self, request: HttpRequest, body: Any) -> None:
        """The attributes are in headers, percent-encoded."""
        own = {name: value for name, value in request.headers.items() if name.startswith("ce-")}
        assert {"ce-specversion", "ce-id", "ce-source", "ce-type"} <= own.keys()
        assert all(ATTRIBUTE.fullmatch(name) for name in own)
        assert not set('" ') & set("".join(own.values()))
        assert request.headers["content-type"] == "application/json"
        assert body["delivery_id"] == "dlv_0001"


class TestCompressed(FormSuite):
    """Compressed bodies, signed in a header of one's own."""

    form: ClassVar[Mapping[str, Any]] = {
        "gzip_above_bytes": 0,
        "signature": "custom",
        "signature_header": "X-Signed",
        "method": "PUT",
    }

    @override
    async def check(self, message: Any) -> None:
        """Bodies are no text here; what they hold is."""

    async def test_body_is_gzip(self) -> None:
        """What leaves is gzip of the usual body."""
        request = await self.only_request()
        assert request.method == "PUT"
        assert request.headers["content-encoding"] == "gzip"
        assert json.loads(gzip.decompress(request.body))["data"]["delivery_id"] == "dlv_0001"

    async def only_request(self) -> HttpRequest:
        """Attempt once."""
        sender = ScriptedSender([HttpAnswer(204, {}, b"")])
        await self.attempt(sender, make_message())
        return sender.requests[0]
