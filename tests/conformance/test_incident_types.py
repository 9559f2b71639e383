"""The types that keep incidents, held to the contract of destinations and to their providers' fields and bounds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator
from typing_extensions import override

from alertd.destinations.base import HttpAnswer
from alertd.destinations.opsgenie import OpsgenieType
from alertd.destinations.pagerduty import PagerdutyType
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import HTTP_FAILURES, DestinationSuite

if TYPE_CHECKING:
    from alertd.destinations.base import HttpRequest

KEY: Final = "0123456789abcdef0123456789abcdef"
_TIME: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"}
_LINK: Final = {
    "type": "object",
    "properties": {"href": {"type": "string", "pattern": "^https?://"}, "text": {"type": "string"}},
    "required": ["href"],
    "additionalProperties": False,
}
_SUMMARY: Final = {"type": "string", "minLength": 1, "maxLength": 1024}

ALERT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "payload": {
            "type": "object",
            "properties": {
                "summary": _SUMMARY,
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": _TIME,
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "required": ["summary", "source", "severity"],
            "additionalProperties": False,
        },
        "links": {"type": "array", "items": _LINK},
        "client": {"type": "string"},
        "client_url": {"type": "string", "pattern": "^https?://"},
    },
    "required": ["routing_key", "event_action", "dedup_key"],
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "additionalProperties": False,
}
"""The table of fields of an alert event."""

CHANGE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "routing_key": ALERT_SCHEMA["properties"]["routing_key"],
        "payload": {
            "type": "object",
            "properties": {
                "summary": _SUMMARY,
                "timestamp": _TIME,
                "source": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "required": ["summary"],
            "additionalProperties": False,
        },
        "links": {"type": "array", "items": _LINK},
    },
    "required": ["routing_key", "payload"],
    "additionalProperties": False,
}
"""The table of fields of a change event."""


class TestPagerduty(DestinationSuite):
    """The type `pagerduty`, alerts."""

    kind = PagerdutyType()
    settings = {"routing_key": KEY}  # noqa: RUF012 - read only
    secrets = (KEY,)
    answers = (
        *HTTP_FAILURES,
        (HttpAnswer(202, {}, b'{"status":"success","message":"Event processed"}'), OutcomeKind.DELIVERED),
    )
    schema = Draft202012Validator(ALERT_SCHEMA)
    path = "/v2/enqueue"

    @override
    def check_request(self, request: HttpRequest) -> None:
        """The body fits the schema, and the whole is within the bound."""
        assert request.url == f"https://events.pagerduty.com{self.path}"
        assert len(request.body) <= 512_000
        self.schema.validate(json.loads(request.body))


class TestPagerdutyChanges(TestPagerduty):
    """The type `pagerduty`, change events."""

    settings = {"routing_key": KEY, "events": "changes"}  # noqa: RUF012 - read only
    schema = Draft202012Validator(CHANGE_SCHEMA)
    path = "/v2/change/enqueue"


class TestOpsgenie(DestinationSuite):
    """The type `opsgenie`."""

    kind = OpsgenieType()
    settings = {  # noqa: RUF012 - read only
        "api_key": "genie-key-123456",
        "tags": ["alertd"],
        "responders": [{"type": "team", "name": "platform"}, {"type": "user", "name": "ann@example.com"}],
    }
    secrets = ("genie-key-123456",)
    answers = (
        *HTTP_FAILURES,
        (HttpAnswer(202, {}, b'{"result":"Request will be processed"}'), OutcomeKind.DELIVERED),
        (HttpAnswer(401, {}, b'{"message":"no"}'), OutcomeKind.GONE),
    )

    @override
    def check_request(self, request: HttpRequest) -> None:
        """Each field is within its bound; an alias stands whole in the path."""
        assert request.headers["authorization"] == "GenieKey genie-key-123456"
        body = json.loads(request.body)
        parts = urlsplit(request.url)
        if parts.path != "/v2/alerts":
            found = re.fullmatch(r"/v2/alerts/([^/]+)/(close|acknowledge)", parts.path)
            assert found
            assert 0 < len(unquote(found[1])) <= 512
            assert parts.query == "identifierType=alias"
            assert len(body["note"]) <= 25_000
            return
        assert 0 < len(body["message"]) <= 130
        assert 0 < len(body["alias"]) <= 512
        assert len(body["description"]) <= 15_000
        assert sum(len(name) + len(value) for name, value in body["details"].items()) <= 8000
        assert all(isinstance(value, str) for value in body["details"].values())
        assert len(body.get("entity", "")) <= 512
        assert body["priority"] in {"P1", "P2", "P3", "P4", "P5"}
        assert body["responders"] == [
            {"type": "team", "name": "platform"},
            {"type": "user", "username": "ann@example.com"},
        ]
