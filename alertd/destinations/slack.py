"""The destination type `slack`: an incoming webhook, or a bot that keeps one message for each issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from alertd.destinations.composing import content_of
from alertd.destinations.http_destination import HttpDestination, HttpType, json_request
from alertd.destinations.slack_blocks import payload_of
from alertd.destinations.slack_bot import SlackBot
from alertd.destinations.slack_settings import SlackSettings
from alertd.destinations.slack_words import NAME, classify_hook

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message, World
    from alertd.model.delivery import Outcome

PACE: Final = 1.0
"""Messages a second that Slack takes for one webhook or channel."""


class SlackWebhook(HttpDestination[SlackSettings]):
    """Posts to one incoming webhook."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request."""
        if self.settings.url is None:
            raise TypeError("a webhook needs an address")
        channel = {"channel": self.settings.channel} if self.settings.channel else {}
        return json_request(self.settings.url.get_secret_value(), payload_of(content_of(message)) | channel, message)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means."""
        return classify_hook(answer, now_seconds)


class SlackType(HttpType):
    """The type `slack`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A Slack channel. The quick way: make an app, switch on *Incoming Webhooks*, add one to the channel and copy its"
        " address to `url`. The better way: give the app the bot scope `chat:write`, install it, invite it to the channel,"
        " and set `token` and `channel`: each issue then has one message, edited as it goes on, with its history in the"
        " thread."
    )
    settings_model: ClassVar[type[BaseModel]] = SlackSettings

    @override
    def open(self, settings: SlackSettings, timeout_seconds: float, world: World) -> HttpDestination[Any]:
        """Open one."""
        kind = SlackWebhook if settings.token is None else SlackBot
        return kind(self.name, settings, timeout_seconds, world)

    @override
    def rate_per_second(self, settings: SlackSettings) -> float | None:
        """Give Slack's pace for one channel."""
        return PACE
