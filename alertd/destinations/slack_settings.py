"""The settings of a Slack destination: an incoming webhook, or a bot's token with a channel."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from alertd.destinations.settings_fields import RepeatingSettings, SecretToken, SecretUrl, Url
from alertd.model.fields import needed


class SlackSettings(RepeatingSettings):
    """Either `url`, or `token` and `channel`."""

    url: SecretUrl | None = Field(
        None,
        description="the incoming webhook's address; a secret; this or token",
        examples=["https://hooks.slack.com/services/T012345AB/B012345AB/made-up-for-this-example"],
    )
    token: SecretToken | None = Field(
        None,
        validate_default=True,
        description="a bot's token (xoxb-…) with the scope chat:write; then an issue has one message, which is kept up to date",
    )
    channel: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        validate_default=True,
        description="where to post: an id (C0123456789) or #name; required with token; the webhooks of apps ignore it and"
        " post where they were installed",
    )
    follow: Literal["thread", "edit", "none"] = Field(
        "thread",
        description="later alerts of one issue, with token; thread: edit its message and tell it in the thread; edit:"
        " edit its message; none: a message for each",
    )
    api_url: Url = Field("https://slack.com/api", description="the Web API's address, with token")

    @field_validator("token")
    @classmethod
    def _one_way(cls, token: SecretToken | None, info: ValidationInfo) -> SecretToken | None:
        url = info.data.get("url", token)  # where it is broken in itself, that is said of it
        if token is None and url is None and "url" in info.data:
            raise needed("url, or token: one of them says where to post")
        if token is not None and url is not None and "url" in info.data:
            raise ValueError("either url or token, not both")
        return token

    @field_validator("channel")
    @classmethod
    def _needed(cls, channel: str | None, info: ValidationInfo) -> str | None:
        if channel is None and info.data.get("token") is not None:
            raise needed("a channel: token needs it")
        return channel
