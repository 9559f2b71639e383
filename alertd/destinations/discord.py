"""The destination type `discord`: a webhook; one embed, no text beside it, and nobody is ever mentioned."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, StringConstraints
from typing_extensions import override
from yarl import URL

from alertd.destinations.answers import THROTTLED, header_wait, members_of, outcome_of, seconds_in, usual_kind
from alertd.destinations.attachment import Style, body_of, fields_of
from alertd.destinations.composing import content_of
from alertd.destinations.facts import origin
from alertd.destinations.http_destination import HttpDestination, HttpType, json_request
from alertd.destinations.limits import fit, unescaped, utf16_units
from alertd.destinations.markdown import escape
from alertd.destinations.moments import unix_seconds
from alertd.destinations.settings_fields import RepeatingSettings, SecretUrl
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message
    from alertd.destinations.content import Content

NAME: Final = "discord"
REMAINING_HEADER: Final = "X-RateLimit-Remaining"
RESET_HEADER: Final = "X-RateLimit-Reset-After"
PACE: Final = 2.5
"""Messages a second for one webhook: what its bucket usually allows; what it really allows, the answers say."""

TITLE_MAX: Final = 256
DESCRIPTION_MAX: Final = 4096
FIELDS_MAX: Final = 25
FIELD_NAME_MAX: Final = 256
FIELD_VALUE_MAX: Final = 1024
FOOTER_MAX: Final = 2048
AUTHOR_MAX: Final = 256
EMBEDS_MAX: Final = 6000
"""Characters of all texts in all embeds of a message."""

STYLE: Final = Style(
    escape=escape,
    code=unescaped,
    bold="**",
    title=200,
    summary=1800,
    facts=12,
    fact_name=40,
    fact_value=100,
    suspects=900,
    links=700,
    digest=2900,
    line_title=120,
)
_ORIGIN: Final = 200
_UNAUTHORISED: Final = 401
_MISSING: Final = 404
_INVALID_TOKEN: Final = 50027
_UNKNOWN_WEBHOOK: Final = 10015
_RESERVED: Final = re.compile(r"clyde|discord", re.IGNORECASE)


def _check_username(name: str) -> str:
    if found := _RESERVED.search(name):
        raise ValueError(f"a name without {found.group().lower()!r} in it: Discord refuses such names")
    return name


class DiscordSettings(RepeatingSettings):
    """Where to post, and under which name."""

    url: SecretUrl = Field(
        description="the webhook's address; a secret",
        examples=["https://discord.com/api/webhooks/123456789012345678/made-up-for-this-example"],
    )
    username: Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(_check_username)] | None = (
        Field(None, description="the name shown; null: the webhook's own")
    )
    thread_id: str | None = Field(
        None,
        pattern=r"^[0-9]{1,20}$",
        description="post in this thread of the webhook's channel; forum channels need it",
    )


class DiscordDestination(HttpDestination[DiscordSettings]):
    """Posts to one webhook."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request; with `wait` Discord says whether the message is really there."""
        query = {"wait": "true"} | ({"thread_id": self.settings.thread_id} if self.settings.thread_id else {})
        payload = payload_of(content_of(message))
        name = {"username": self.settings.username} if self.settings.username else {}
        url = URL(self.settings.url.get_secret_value(), encoded=True)
        return json_request(str(url.update_query(query)), payload | name, message)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: a deleted webhook is gone; a 429 has the wait in its body, as a fraction."""
        said = members_of(answer)
        kind = usual_kind(answer.status)
        if (answer.status, said.get("code")) in {(_MISSING, _UNKNOWN_WEBHOOK), (_UNAUTHORISED, _INVALID_TOKEN)}:
            kind = OutcomeKind.GONE
        wait = seconds_in(said.get("retry_after")) if answer.status == THROTTLED else None
        reason = said.get("message")
        outcome = outcome_of(
            NAME,
            answer,
            kind,
            reason=reason if isinstance(reason, str) else "",
            wait=header_wait(answer, now_seconds) if wait is None else wait,
        )
        used_up = _used_up(answer) if kind is OutcomeKind.DELIVERED else None
        return outcome if used_up is None else replace(outcome, retry_after_seconds=used_up)


def _used_up(answer: HttpAnswer) -> float | None:
    """Read how many seconds nothing more is taken, from the answer to the last request that was; None: some still are."""
    if answer.headers.get(REMAINING_HEADER) != "0":
        return None
    try:
        return seconds_in(float(answer.headers.get(RESET_HEADER, "")))
    except ValueError:
        return None


class DiscordType(HttpType):
    """The type `discord`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A Discord channel. In the channel's settings: *Integrations*, *Webhooks*, *New Webhook*, *Copy Webhook URL*; that"
        " is `url`."
    )
    settings_model: ClassVar[type[BaseModel]] = DiscordSettings
    destination = DiscordDestination

    @override
    def rate_per_second(self, settings: DiscordSettings) -> float | None:
        """Give the usual pace of a webhook."""
        return PACE


def payload_of(content: Content) -> dict[str, Any]:
    """Write the message: one embed."""
    embed: dict[str, Any] = {
        "author": {"name": fit(content.kicker, STYLE.title, measure=utf16_units)},
        "title": STYLE.line(content.title, STYLE.title),
        "description": body_of(content, STYLE),
        "color": content.colour,
        "fields": [
            {"name": name, "value": value, "inline": True} for name, value in fields_of(content, STYLE, time=_time)
        ],
        "footer": {"text": fit(origin(content), _ORIGIN, measure=utf16_units)},
    }
    if content.url:
        embed["url"] = content.url
    if unix_seconds(content.at) is not None:
        embed["timestamp"] = content.at
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _time(time: str) -> str:
    """Let Discord show a time in the reader's own zone."""
    return f"<t:{unix_seconds(time)}:f>"
