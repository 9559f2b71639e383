"""The destination type `rocketchat`: an incoming webhook; one line of text and a coloured attachment below it.

Rocket.Chat's markup has no dependable escape, so text is made inert (no mention, no link of its own) and what has several
lines stands in a code block.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field
from typing_extensions import override

from alertd.destinations.answers import THROTTLED, failed_kind, header_wait, members_of, outcome_of, seconds_in
from alertd.destinations.attachment import Style, body_of, fields_of
from alertd.destinations.composing import content_of
from alertd.destinations.facts import origin
from alertd.destinations.http_destination import HttpDestination, HttpType, json_request
from alertd.destinations.markdown import inert, quiet
from alertd.destinations.settings_fields import RepeatingSettings, SecretUrl
from alertd.destinations.tls_settings import ABOUT, OwnTls, TlsSettings
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message
    from alertd.destinations.content import Content

NAME: Final = "rocketchat"
BODY_MAX: Final = 5000
"""Characters of a message (the server's default `Message_MaxAllowedSize`); kept for the attachment as well."""
PACE: Final = 10 / 60
"""Messages a second: the server's default limit for each webhook is 10 a minute."""

STYLE: Final = Style(
    escape=inert,
    code=quiet,
    bold="*",
    title=150,
    summary=1500,
    facts=10,
    fact_name=30,
    fact_value=80,
    suspects=600,
    links=700,
    digest=3300,
    line_title=70,
)
_KICKER: Final = 100
_ORIGIN: Final = 100
_OK: Final = 200
_UNAVAILABLE: Final = 503
_MISSING: Final = 404
_GONE: Final = "invalid integration id or token"
_WAIT: Final = re.compile(r"wait (\d{1,9}) seconds")


class RocketchatSettings(RepeatingSettings):
    """Where to post, and under which name."""

    url: SecretUrl = Field(
        description="the incoming webhook's address; a secret",
        examples=["https://chat.example.com/hooks/0123456789abcdef01234567/made-up-for-this-example"],
    )
    channel: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="post to this #channel or @user instead, where the integration allows it",
    )
    username: str | None = Field(None, min_length=1, max_length=64, description="the name shown")
    tls: OwnTls = Field(TlsSettings(), description=ABOUT)


class RocketchatDestination(HttpDestination[RocketchatSettings]):
    """Posts to one incoming webhook."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request."""
        own = {"channel": self.settings.channel, "username": self.settings.username}
        chosen = {name: value for name, value in own.items() if value is not None}
        return json_request(self.settings.url.get_secret_value(), payload_of(content_of(message)) | chosen, message)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: only `"success": true` is one; 429 says in two ways how long to wait."""
        said = members_of(answer)
        error = said.get("error")
        words = error if isinstance(error, str) else ""
        kind = _kind_of(answer.status, words, success=said.get("success") is True)
        if answer.status == _UNAVAILABLE and not words:
            words = "unavailable; the integration may be switched off"
        wait = _wait_of(answer, words, now_seconds) if answer.status == THROTTLED else None
        return outcome_of(NAME, answer, kind, reason=words, wait=wait)


class RocketchatType(HttpType):
    """The type `rocketchat`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A Rocket.Chat channel. In Rocket.Chat: *Workspace*, *Integrations*, *New*, *Incoming*; switch it on, choose the"
        " channel and copy the webhook's address to `url`. The server takes 10 messages a minute unless its rate limiter"
        " is set otherwise: then set `queue.rate_per_second` here."
    )
    settings_model: ClassVar[type[BaseModel]] = RocketchatSettings
    destination = RocketchatDestination

    @override
    def rate_per_second(self, settings: RocketchatSettings) -> float | None:
        """Give the pace of the server's default limit."""
        return PACE


def _kind_of(status: int, words: str, *, success: bool) -> OutcomeKind:
    if status == _MISSING or _GONE in words.lower():
        return OutcomeKind.GONE
    if status == _OK:
        return OutcomeKind.DELIVERED if success else OutcomeKind.REJECTED
    return failed_kind(status)


def _wait_of(answer: HttpAnswer, words: str, now_seconds: int) -> float | None:
    """Read when the limit ends: a point in time in milliseconds, or words."""
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if reset.isascii() and reset.isdigit():
        wait = seconds_in(int(reset[:15]) / 1000 - now_seconds)
        if wait is not None:
            return wait
    found = _WAIT.search(words)
    return float(found.group(1)) if found else header_wait(answer, now_seconds)


def payload_of(content: Content) -> dict[str, Any]:
    """Write the message."""
    source = f"_{STYLE.line(origin(content), _ORIGIN)}_"
    attachment: dict[str, Any] = {
        "title": STYLE.line(content.title, STYLE.title),
        "color": f"#{content.colour:06x}",
        "text": "\n\n".join(filter(None, (body_of(content, STYLE), source))),
        "fields": [{"title": name, "value": value, "short": True} for name, value in fields_of(content, STYLE)],
    }
    if content.url and len(content.url) <= STYLE.links // 2:
        attachment["title_link"] = content.url
    return {"text": f"*{STYLE.line(content.kicker, _KICKER)}*", "attachments": [attachment], "parseUrls": False}
