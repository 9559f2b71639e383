"""The destination types of chat services, held to their contract and to their providers' limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from alertd.destinations.base import HttpAnswer
from alertd.destinations.discord import DiscordType
from alertd.destinations.mattermost import MattermostType
from alertd.destinations.msteams import MsteamsType
from alertd.destinations.ntfy import NtfyType
from alertd.destinations.rocketchat import RocketchatType
from alertd.destinations.slack import SlackType
from alertd.destinations.telegram import TelegramType
from alertd.model.delivery import OutcomeKind
from tests.conformance.chat_limits import (
    check_discord,
    check_mattermost,
    check_msteams,
    check_ntfy,
    check_rocketchat,
    check_slack,
    check_telegram,
)
from tests.conformance.destination_suite import HTTP_FAILURES, DestinationSuite

if TYPE_CHECKING:
    from alertd.destinations.base import HttpRequest

DELIVERED = OutcomeKind.DELIVERED
POSTED = HttpAnswer(
    200, {}, b'{"ok":true,"channel":"C0123","ts":"1778112000.000100","message":{"text":"long' + b"x" * 900
)


class TestSlackWebhook(DestinationSuite):
    """The type `slack` through an incoming webhook."""

    kind = SlackType()
    settings = {"url": "https://hooks.slack.com/services/T0/B0/xyzzy-token", "channel": "#ops"}  # noqa: RUF012 - read only
    secrets = ("xyzzy-token",)
    answers = (
        *HTTP_FAILURES,
        (HttpAnswer(200, {}, b"ok"), DELIVERED),
        (HttpAnswer(410, {}, b"channel_is_archived"), OutcomeKind.GONE),
    )

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_slack(request)


class TestSlackBot(DestinationSuite):
    """The type `slack` through a bot's token."""

    kind = SlackType()
    settings = {"token": "xoxb-1-xyzzy", "channel": "#ops"}  # noqa: RUF012 - read only
    secrets = ("xoxb-1-xyzzy",)
    answers = (*HTTP_FAILURES, (POSTED, DELIVERED))

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_slack(request)


class TestMattermost(DestinationSuite):
    """The type `mattermost`."""

    kind = MattermostType()
    settings = {"url": "https://chat.example.com/hooks/xyzzy-token", "channel": "town-square", "username": "alertd"}  # noqa: RUF012 - read only
    secrets = ("xyzzy-token",)
    answers = (*HTTP_FAILURES, (HttpAnswer(200, {}, b"ok"), DELIVERED))

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_mattermost(request)


class TestRocketchat(DestinationSuite):
    """The type `rocketchat`."""

    kind = RocketchatType()
    settings = {"url": "https://chat.example.com/hooks/abc/xyzzy-token", "channel": "#ops", "username": "alertd"}  # noqa: RUF012 - read only
    secrets = ("xyzzy-token",)
    answers = (*HTTP_FAILURES, (HttpAnswer(200, {}, b'{"success":true}'), DELIVERED))

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_rocketchat(request)


class TestDiscord(DestinationSuite):
    """The type `discord`."""

    kind = DiscordType()
    settings = {"url": "https://discord.com/api/webhooks/1/xyzzy-token", "username": "alertd", "thread_id": "17"}  # noqa: RUF012 - read only
    secrets = ("xyzzy-token",)
    answers = (
        *HTTP_FAILURES,
        (HttpAnswer(200, {}, b'{"id":"1","content":"long' + b"x" * 1000), DELIVERED),
        (HttpAnswer(204, {}, b""), DELIVERED),
    )

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_discord(request)


class TestMsteams(DestinationSuite):
    """The type `msteams`."""

    kind = MsteamsType()
    settings = {  # noqa: RUF012 - read only
        "url": "https://prod-1.logic.azure.com:443/workflows/abcdefgh01/triggers/manual/paths/invoke?sp=%2Frun&sig=xyzzy-sig"
    }
    secrets = ("xyzzy-sig", "abcdefgh01")
    answers = (*HTTP_FAILURES, (HttpAnswer(202, {}, b""), DELIVERED))

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_msteams(request)


class TestTelegram(DestinationSuite):
    """The type `telegram`."""

    kind = TelegramType()
    settings = {"token": "123456:xyzzy-token-xyzzy", "chat_id": -1001234567890, "topic_id": 3, "silent": True}  # noqa: RUF012 - read only
    secrets = ("xyzzy-token-xyzzy",)
    answers = (*HTTP_FAILURES, (HttpAnswer(200, {}, b'{"ok":true,"result":{"message_id":7,"text":"cut'), DELIVERED))

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_telegram(request)


class TestNtfy(DestinationSuite):
    """The type `ntfy`."""

    kind = NtfyType()
    settings = {"topic": "xyzzy-topic", "token": "tk_xyzzy-token"}  # noqa: RUF012 - read only
    secrets = ("xyzzy-topic", "tk_xyzzy-token")
    answers = (*HTTP_FAILURES, (HttpAnswer(200, {}, b'{"id":"xE73Iyuabi","time":1673542291'), DELIVERED))

    @override
    def check_request(self, request: HttpRequest) -> None:
        check_ntfy(request)


class TestNtfyWithPassword(TestNtfy):
    """The type `ntfy` with a user's password."""

    settings = {"topic": "xyzzy-topic", "username": "ann", "password": "hunter2-hunter2"}  # noqa: RUF012 - read only
    secrets = ("xyzzy-topic", "hunter2-hunter2")
