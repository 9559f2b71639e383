"""The destination type `mattermost`: an incoming webhook; one line of text and a coloured attachment below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field
from typing_extensions import override

from alertd.destinations.answers import header_wait, members_of, outcome_of, text_of, usual_kind
from alertd.destinations.attachment import Style, body_of, fields_of
from alertd.destinations.composing import content_of
from alertd.destinations.facts import origin
from alertd.destinations.http_destination import HttpDestination, HttpType, json_request
from alertd.destinations.limits import fit, json_bytes
from alertd.destinations.markdown import escape, inert, quiet
from alertd.destinations.settings_fields import RepeatingSettings, SecretUrl
from alertd.destinations.tls_settings import ABOUT, OwnTls, TlsSettings
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message
    from alertd.destinations.content import Content

NAME: Final = "mattermost"
ATTACHMENTS_MAX: Final = 8000
"""Characters of all attachments as JSON: what the server keeps of a post's properties, in its older versions."""

STYLE: Final = Style(
    escape=escape,
    code=quiet,
    bold="**",
    title=200,
    summary=2000,
    facts=10,
    fact_name=60,
    fact_value=120,
    suspects=900,
    links=1500,
    digest=5500,
    line_title=120,
)
_KICKER: Final = 120
_ORIGIN: Final = 150
_GONE: Final = "invalid webhook"
_GONE_ID: Final = "incoming_webhook.invalid"


class MattermostSettings(RepeatingSettings):
    """Where to post, and under which name."""

    url: SecretUrl = Field(
        description="the incoming webhook's address; a secret",
        examples=["https://chat.example.com/hooks/made-up-for-this-example"],
    )
    channel: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="post to this channel (its name in the address) or @user instead, where the webhook is not locked to one",
    )
    username: str | None = Field(
        None, min_length=1, max_length=64, description="the name shown, where the server lets integrations choose it"
    )
    tls: OwnTls = Field(TlsSettings(), description=ABOUT)


class MattermostDestination(HttpDestination[MattermostSettings]):
    """Posts to one incoming webhook."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request."""
        own = {"channel": self.settings.channel, "username": self.settings.username}
        chosen = {name: value for name, value in own.items() if value is not None}
        return json_request(self.settings.url.get_secret_value(), payload_of(content_of(message)) | chosen, message)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: a webhook that is not known any more is gone."""
        said = members_of(answer)
        reason = said.get("message")
        words = reason if isinstance(reason, str) else text_of(answer)
        kind = usual_kind(answer.status)
        if kind is OutcomeKind.REJECTED and (_GONE_ID in str(said.get("id")) or _GONE in words.lower()):
            kind = OutcomeKind.GONE
        return outcome_of(NAME, answer, kind, reason=words, wait=header_wait(answer, now_seconds))


class MattermostType(HttpType):
    """The type `mattermost`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A Mattermost channel. In Mattermost: *Integrations*, *Incoming Webhooks*, *Add*; choose the channel and copy the"
        " address to `url`."
    )
    settings_model: ClassVar[type[BaseModel]] = MattermostSettings
    destination = MattermostDestination


def payload_of(content: Content) -> dict[str, Any]:
    """Write the message."""
    title = fit(content.title, STYLE.title, escape=inert, measure=json_bytes)
    attachment: dict[str, Any] = {
        "fallback": fit(content.subject, STYLE.title, escape=inert, measure=json_bytes),
        "color": f"#{content.colour:06x}",
        "title": title,
        "text": body_of(content, STYLE),
        "fields": [{"title": name, "value": value, "short": True} for name, value in fields_of(content, STYLE)],
        "footer": fit(origin(content), _ORIGIN, escape=inert),
    }
    if content.url and len(content.url) <= STYLE.links // 2:
        attachment["title_link"] = content.url
    return {"text": f"**{fit(content.kicker, _KICKER, escape=escape)}**", "attachments": [attachment]}
