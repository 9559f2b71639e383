"""The destination type `opsgenie`: alerts that are created, acknowledged and closed by their alias.

A repeat is recognised by the alias. Opsgenie answers before it has done anything: 202 says that a request was read, and
what became of it is asked for under the number that it gave the request (`alertd.destinations.opsgenie_result`).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote

from pydantic import Field, StringConstraints
from typing_extensions import override

from alertd.destinations.answers import THROTTLED, header_wait, members_of, one_line, outcome_of, usual_kind
from alertd.destinations.base import HttpRequest
from alertd.destinations.http_destination import DELIVERY_HEADER, HttpType, json_request
from alertd.destinations.incident_destination import IncidentDestination
from alertd.destinations.limits import fit, pack
from alertd.destinations.opsgenie_result import Fate, fate_of, request_of
from alertd.destinations.settings_fields import SecretToken, Url
from alertd.destinations.turn import OWN, Turn, details_of, ending_of, severity_of
from alertd.model.delivery import ANSWER_MAX, Outcome, OutcomeKind
from alertd.model.fields import Resource
from alertd.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, Message
    from alertd.destinations.content import Content

NAME: Final = "opsgenie"
PERIOD_HEADER: Final = "X-RateLimit-Period-In-Sec"
THROTTLE_SECONDS: Final = 60.0
"""How long to wait when it does not say."""

MESSAGE_MAX: Final = 130
DESCRIPTION_MAX: Final = 15_000
DETAILS_MAX: Final = 8000
"""Characters of all names and values together."""
ENTITY_MAX: Final = 512
TAG_MAX: Final = 50
TAGS_MAX: Final = 20
RESPONDERS_MAX: Final = 50
SOURCE: Final = "alertd"

FACTS_MAX: Final = 40
PAUSES: Final = (0.25, 0.5, 1.0)
"""Seconds between two looks at what became of a request; the last one repeats."""
CONFIRM_SECONDS_MAX: Final = 60.0
_DETAIL_MAX: Final = 500
_DESCRIBED: Final = frozenset({"Details", "Alerts", "More alerts"})
"""What stands in the description."""
_MORE: Final = {"…": "and more"}
"""What is said when there was no room for all details."""
_LINKS_ROOM: Final = 10_000
_LINE: Final = 200
_LISTED: Final = 4200
"""Characters of a digest's list: all lines, and how many more there are."""
_GONE: Final = frozenset({401, 403})
_NOT_IMPLEMENTED: Final = 501
_PRIORITIES: Final = {
    Severity.DEBUG: "P5",
    Severity.INFO: "P5",
    Severity.WARNING: "P3",
    Severity.ERROR: "P2",
    Severity.CRITICAL: "P1",
}
_PATHS: Final = {Turn.ACKNOWLEDGE: "acknowledge", Turn.CLOSE: "close"}

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Responder(Resource):
    """Somebody who is told: a team, a schedule or an escalation by its name, a user by the address."""

    type: Literal["team", "user", "escalation", "schedule"] = Field("team", description="what it is")
    name: Name = Field(description="its name; a user's e-mail address", examples=["platform"])


class OpsgenieSettings(Resource):
    """Whose alerts these are, and how urgent."""

    api_key: SecretToken = Field(
        description="the key of an API integration", examples=["00000000-0000-0000-0000-000000000000"]
    )
    responders: Annotated[tuple[Responder, ...], Field(max_length=RESPONDERS_MAX)] = Field(
        (), description="who is told; none: as the integration is set up"
    )
    priority: Literal["auto", "P1", "P2", "P3", "P4", "P5"] = Field(
        "auto",
        description="auto: critical is P1, error P2, warning P3, all else P5",
    )
    tags: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=TAG_MAX)], ...], Field(max_length=TAGS_MAX)
    ] = Field((), description="tags on every alert")
    confirm_seconds: Annotated[float, Field(ge=0, le=CONFIRM_SECONDS_MAX)] = Field(
        5,
        description="how long Opsgenie is asked what became of an alert that it has accepted, in seconds; what it has not"
        " done by then counts as delivered; 0: it is not asked",
    )
    api_url: Url = Field("https://api.opsgenie.com", description="https://api.eu.opsgenie.com for accounts in the EU")


class OpsgenieDestination(IncidentDestination[OpsgenieSettings]):
    """Sends alerts through one integration."""

    @override
    def ask(self, message: Message, content: Content, turn: Turn) -> HttpRequest:
        """Make the request."""
        base = f"{self.settings.api_url.rstrip('/')}/v2/alerts"
        key = f"GenieKey {self.settings.api_key.get_secret_value()}"
        if turn is Turn.OPEN:
            return json_request(base, alert_of(content, self.settings), message, authorization=key)
        alias = quote(content.dedup_key, safe="")
        url = f"{base}/{alias}/{_PATHS[turn]}?identifierType=alias"
        payload = {"source": SOURCE, "user": SOURCE, "note": fit(content.subject, DESCRIPTION_MAX)}
        return json_request(url, payload, message, authorization=key)

    @override
    async def tell(self, message: Message, content: Content, turn: Turn) -> Outcome:
        """Send once, and ask what became of it."""
        outcome = await super().tell(message, content, turn)
        request_id = request_of(outcome)
        if not request_id or not self.settings.confirm_seconds:
            return outcome
        return await self._confirmed(outcome, self._lookup(message, request_id), closing=turn is not Turn.OPEN)

    async def _confirmed(self, accepted: Outcome, lookup: HttpRequest, *, closing: bool) -> Outcome:
        """Ask until it is known, or for as long as is configured; what is not known then counts as delivered.

        Who asked too often asks again after the period of the limit, if that is still in time.
        """
        pauses, waited = iter(PAUSES), 0.0
        while True:
            answer = await self.exchange(lookup, repeatable=True)
            if isinstance(answer, Outcome):
                return accepted
            fate, said = fate_of(answer)
            if fate is Fate.DONE:
                return replace(accepted, answer=self._redactor.data(answer.body[:ANSWER_MAX]))
            if fate is Fate.FAILED:
                return self._failed(accepted, answer, said, closing=closing)
            pause = next(pauses, PAUSES[-1])
            if answer.status == THROTTLED:
                pause = max(pause, _period(answer))
            waited += pause
            if fate is Fate.UNKNOWN or waited > self.settings.confirm_seconds:
                return accepted
            await asyncio.sleep(pause)

    def _failed(self, accepted: Outcome, answer: HttpAnswer, said: str, *, closing: bool) -> Outcome:
        """Say that it was not done: there is nothing to close or to acknowledge, or no alert was made."""
        body = self._redactor.data(answer.body[:ANSWER_MAX])
        if closing:
            return replace(accepted, answer=body)
        detail = f"{NAME}: accepted, but not done: {one_line(said) or 'no reason given'}"
        return Outcome(OutcomeKind.REJECTED, accepted.status, self._redactor.text(detail), body)

    def _lookup(self, message: Message, request_id: str) -> HttpRequest:
        key = f"GenieKey {self.settings.api_key.get_secret_value()}"
        url = f"{self.settings.api_url.rstrip('/')}/v2/alerts/requests/{quote(request_id, safe='')}"
        return HttpRequest(url, b"", {"authorization": key, DELIVERY_HEADER: message.delivery_id}, "GET")

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: a key that is not taken ends the destination."""
        said = members_of(answer).get("message")
        kind = OutcomeKind.GONE if answer.status in _GONE else usual_kind(answer.status)
        if answer.status == _NOT_IMPLEMENTED:
            kind = OutcomeKind.REJECTED
        wait = header_wait(answer, now_seconds)
        if wait is None and answer.status == THROTTLED:
            wait = _period(answer)
        return outcome_of(NAME, answer, kind, reason=said if isinstance(said, str) else "", wait=wait)


class OpsgenieType(HttpType):
    """The type `opsgenie`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "Alerts of Opsgenie, which its maker ends in April 2027. Add an *API* integration and copy its key to `api_key`."
        " All alerts about one issue, or about one key of a project and an environment, are one alert there; what ends in"
        " *resolved* closes it, what ends in *acknowledged* or *muted* acknowledges it. A digest is an alert of its own,"
        " which stays open until somebody closes it. Opsgenie accepts a request before"
        " it looks at it, so it is asked for a few seconds (`confirm_seconds`) what became of it."
    )
    settings_model: ClassVar[type[BaseModel]] = OpsgenieSettings
    destination = OpsgenieDestination


def alert_of(content: Content, settings: OpsgenieSettings) -> dict[str, Any]:
    """Write an alert that is to be created."""
    auto = settings.priority == "auto"
    payload: dict[str, Any] = {
        "message": fit(content.subject, MESSAGE_MAX),
        "alias": content.dedup_key,
        "description": _description(content),
        "priority": _PRIORITIES[severity_of(content)] if auto else settings.priority,
        "source": SOURCE,
        "details": _details(content),
    }
    if content.where:
        payload["entity"] = fit(content.where, ENTITY_MAX)
    if settings.tags:
        payload["tags"] = list(settings.tags)
    if settings.responders:
        payload["responders"] = [_responder(each) for each in settings.responders]
    return payload


def _description(content: Content) -> str:
    links = [f"{each.label}: {each.url}" for each in content.links]
    listed = _listed(content)
    words = "\n\n".join(filter(None, (content.title, content.summary)))
    room = DESCRIPTION_MAX - _LINKS_ROOM - (len(f"\n\n{listed}") if listed else 0)
    text = "\n\n".join(filter(None, (fit(words, room), listed)))
    return text + ("\n\n" + "\n".join(links) if links else "")


def _listed(content: Content) -> str:
    rows = [fit(f"{each.sign} {each.headline}: {each.title}", _LINE) for each in content.lines]
    return pack(rows, _LISTED, hidden=content.rest, more="… and {:,} more")


def _details(content: Content) -> dict[str, str]:
    """Write details as texts: what is ours, and as many facts as there is room for; that there are more is said."""
    known = ending_of(content) | details_of(content, _DETAIL_MAX, _DETAIL_MAX, FACTS_MAX)
    texts = {name: _text(value) for name, value in known.items() if name not in _DESCRIBED}
    room = DETAILS_MAX - _size(_MORE) - _size({name: text for name, text in texts.items() if name in OWN})
    found: dict[str, str] = {}
    for name, text in texts.items():
        room -= 0 if name in OWN else len(name) + len(text)
        if room >= 0 or name in OWN:
            found[name] = text
    return found | (_MORE if room < 0 else {})


def _text(value: Any) -> str:
    return fit("\n".join(value) if isinstance(value, list) else str(value), _DETAIL_MAX)


def _size(texts: Mapping[str, str]) -> int:
    return sum(len(name) + len(text) for name, text in texts.items())


def _responder(responder: Responder) -> dict[str, str]:
    return {"type": responder.type, "username" if responder.type == "user" else "name": responder.name}


def _period(answer: HttpAnswer) -> float:
    """Read how long a period of the limit lasts, in seconds."""
    text = answer.headers.get(PERIOD_HEADER, "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else THROTTLE_SECONDS  # noqa: PLR2004 - a day has 86,400
