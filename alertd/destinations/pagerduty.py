"""The destination type `pagerduty`: Events API v2. One problem is one incident: triggered, acknowledged, resolved.

A repeat is recognised by `dedup_key`, so nothing that was sent twice alerts twice. Change events, for deploys, notify
nobody and have no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from typing_extensions import override

from alertd.destinations.answers import THROTTLED, header_wait, members_of, outcome_of, usual_kind
from alertd.destinations.composing import content_of
from alertd.destinations.http_destination import HttpType, json_request
from alertd.destinations.incident_destination import IncidentDestination
from alertd.destinations.limits import fit
from alertd.destinations.moments import normal
from alertd.destinations.settings_fields import OnAmbiguous, SecretToken, Url
from alertd.destinations.turn import Turn, details_of, ending_of, severity_of, turn_of
from alertd.model.fields import Resource
from alertd.model.severity import Severity

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message
    from alertd.destinations.content import Content
    from alertd.model.delivery import Outcome

NAME: Final = "pagerduty"
PACE: Final = 2.0
"""Events a second: 120 a minute for one integration key."""
THROTTLE_SECONDS: Final = 30.0
"""How long to wait when PagerDuty has had too many; it does not say."""

SUMMARY_MAX: Final = 1024
EVENT_BYTES_MAX: Final = 512_000
"""A whole event; what stays within the bounds below is far from it."""
TEXT_MAX: Final = 20_000
FACT_MAX: Final = 1000
FACTS_MAX: Final = 80
SOURCE_MAX: Final = 255

_ACTIONS: Final = {Turn.OPEN: "trigger", Turn.ACKNOWLEDGE: "acknowledge", Turn.CLOSE: "resolve"}
_SEVERITIES: Final = {
    Severity.DEBUG: "info",
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.ERROR: "error",
    Severity.CRITICAL: "critical",
}


class PagerdutySettings(Resource):
    """Which service, and how bad it is told to be."""

    routing_key: SecretToken = Field(
        description="the integration key of a service or of a ruleset", examples=["0123456789abcdef0123456789abcdef"]
    )
    severity: Literal["auto", "critical", "error", "warning", "info"] = Field(
        "auto", description="how bad every alert is said to be; auto: as bad as its event"
    )
    events: Literal["alerts", "changes"] = Field(
        "alerts",
        description="alerts: incidents that are triggered, acknowledged and resolved; changes: change events, for"
        " deploys, which notify nobody and need the key of a service",
    )
    api_url: Url = Field(
        "https://events.pagerduty.com", description="https://events.eu.pagerduty.com in the EU service region"
    )
    on_ambiguous: OnAmbiguous = Field(
        "retry",
        description="changes only, when nobody can tell whether one arrived; retry: send it again, it may be there twice;"
        " dead: send it no more; a repeated alert PagerDuty recognises by itself",
    )

    @field_validator("routing_key")
    @classmethod
    def _plain(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value().isalnum():
            raise ValueError("a routing key of letters and digits, usually 32")
        return key

    @field_validator("on_ambiguous")
    @classmethod
    def _of_changes(cls, choice: str, info: ValidationInfo) -> str:
        if choice == "dead" and info.data.get("events") == "alerts":
            raise ValueError("retry: an alert that is sent twice PagerDuty recognises by itself")
        return choice


class PagerdutyDestination(IncidentDestination[PagerdutySettings]):
    """Sends events with one integration key."""

    @override
    def ask(self, message: Message, content: Content, turn: Turn) -> HttpRequest:
        """Make the request."""
        base = self.settings.api_url.rstrip("/")
        key = {"routing_key": self.settings.routing_key.get_secret_value()}
        if self.settings.events == "changes":
            return json_request(f"{base}/v2/change/enqueue", key | change_of(content), message)
        payload = alert_of(content, turn, self.settings.severity)
        return json_request(f"{base}/v2/enqueue", key | payload, message)

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Send once; change events have no order."""
        if self.settings.events == "changes":
            content = content_of(message)
            return await self.tell(message, content, turn_of(message, content))
        return await super().attempt(message)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: only 400 and its like are final; there is no answer that ends the destination."""
        said = members_of(answer)
        errors = said.get("errors")
        words = [said.get("message"), *(errors[:3] if isinstance(errors, list) else ())]
        reason = ": ".join(each for each in words if isinstance(each, str))
        wait = header_wait(answer, now_seconds)
        if wait is None and answer.status == THROTTLED:
            wait = THROTTLE_SECONDS
        return outcome_of(NAME, answer, usual_kind(answer.status), reason=reason, wait=wait)


class PagerdutyType(HttpType):
    """The type `pagerduty`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "Incidents of a PagerDuty service. Add the integration *Events API V2* to the service and copy its key to"
        " `routing_key`. All alerts about one issue, or about one key of a project and an environment, are one incident;"
        " what ends in *resolved* resolves it, what ends in *acknowledged* or *muted* acknowledges it. A digest is an"
        " incident of its own, which stays open until somebody resolves it. With `events:"
        " changes` it gets change events instead: subscribe it to deploys."
    )
    settings_model: ClassVar[type[BaseModel]] = PagerdutySettings
    destination = PagerdutyDestination

    @override
    def rate_per_second(self, settings: PagerdutySettings) -> float | None:
        """Give the pace of one integration key."""
        return PACE


def alert_of(content: Content, turn: Turn, severity: str) -> dict[str, Any]:
    """Write an alert event, but for its routing key."""
    payload: dict[str, Any] = {"event_action": _ACTIONS[turn], "dedup_key": content.dedup_key}
    if turn is not Turn.OPEN:
        return payload
    told = _SEVERITIES[severity_of(content)] if severity == "auto" else severity
    optional = {
        "timestamp": normal(content.at),
        "component": fit(content.source, SOURCE_MAX),
        "group": fit(content.where, SOURCE_MAX),
        "class": fit(content.event_type, SOURCE_MAX),
    }
    payload["payload"] = _payload(content) | {"severity": told} | {k: v for k, v in optional.items() if v}
    payload["payload"]["custom_details"] |= ending_of(content)
    payload["links"] = _links(content)
    payload["client"] = "alertd"
    return payload | ({"client_url": content.url} if content.url else {})


def change_of(content: Content) -> dict[str, Any]:
    """Write a change event, but for its routing key."""
    at = normal(content.at)
    return {"payload": _payload(content) | ({"timestamp": at} if at else {}), "links": _links(content)}


def _payload(content: Content) -> dict[str, Any]:
    return {
        "summary": fit(content.subject, SUMMARY_MAX),
        "source": fit(content.where or content.source or content.workspace or "alertd", SOURCE_MAX),
        "custom_details": details_of(content, TEXT_MAX, FACT_MAX, FACTS_MAX),
    }


def _links(content: Content) -> list[dict[str, str]]:
    return [{"href": each.url, "text": each.label} for each in content.links]
