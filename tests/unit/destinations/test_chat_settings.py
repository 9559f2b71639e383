"""Settings and small print of the chat types that have no file of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from yarl import URL

from alertd.destinations.base import HttpAnswer, World
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.severity import Severity
from tests.conformance.destination_suite import FixedClock, ScriptedSender
from tests.conformance.messages import make_digest, make_event, make_issue, make_message

if TYPE_CHECKING:
    from alertd.destinations.base import HttpRequest, Message

HOOK = "https://chat.example.com/hooks/x"


async def sent(type_name: str, message: Message, **settings: Any) -> HttpRequest:
    """Attempt once and return the request."""
    sender = ScriptedSender([HttpAnswer(200, {}, b"ok")])
    opened = REGISTRY[type_name].open(parse_settings(type_name, settings), 10, World(FixedClock(), sender, print))
    await opened.attempt(message)
    return sender.requests[0]


def issue_message(**changes: Any) -> Message:
    """Make a message about an issue."""
    usual = {"event": make_event(), "event_type": "sentry.error", "issue": make_issue(), "trigger": "new"}
    return make_message(**(usual | changes))


@pytest.mark.parametrize(
    ("type_name", "settings", "place", "complaint"),
    [
        ("mattermost", {}, ("url",), "Field required"),
        ("mattermost", {"url": "http://u:p@x/"}, ("url",), "the URL has a user name or password in it"),
        ("mattermost", {"url": HOOK, "channel": ""}, ("channel",), "at least 1 character"),
        ("rocketchat", {"url": HOOK, "username": "x" * 65}, ("username",), "at most 64 characters"),
        (
            "discord",
            {"url": HOOK, "username": "my DISCORD bot"},
            ("username",),
            "a name without 'discord' in it",
        ),
        ("discord", {"url": HOOK, "username": "Clyde"}, ("username",), "'clyde'"),
        ("discord", {"url": HOOK, "username": "x" * 81}, ("username",), "at most 80 characters"),
        ("discord", {"url": HOOK, "thread_id": "1&wait=false"}, ("thread_id",), "match pattern"),
        ("msteams", {"url": "teams"}, ("url",), "must begin with http"),
        ("ntfy", {"topic": ""}, ("topic",), "1 to 64 letters"),
        ("ntfy", {"topic": "a/b"}, ("topic",), "1 to 64 letters"),
        ("ntfy", {"topic": "ü"}, ("topic",), "1 to 64 letters"),
        ("ntfy", {"topic": "x" * 65}, ("topic",), "1 to 64 letters"),
        ("ntfy", {"topic": "t", "username": "ann"}, ("password",), "both username and password, or neither"),
        ("ntfy", {"topic": "t", "password": "p"}, ("password",), "both username and password, or neither"),
        ("ntfy", {"topic": "t", "token": "k", "username": "a", "password": "p"}, ("password",), "either token, or"),
        ("ntfy", {"topic": "t", "username": "a:b", "password": "p"}, ("username",), "without a colon"),
        ("ntfy", {"topic": "t", "token": "a b"}, ("token",), "a secret of printable ASCII"),
        ("ntfy", {"topic": "t", "token": ""}, ("token",), "a secret that is not empty"),
        ("ntfy", {"topic": "t", "token": "x" * 4097}, ("token",), "at most 4096 characters"),
        ("ntfy", {"topic": "t", "on_ambiguous": "drop"}, ("on_ambiguous",), "'retry' or 'dead'"),
    ],
)
def test_bad_settings_are_explained(
    type_name: str, settings: dict[str, Any], place: tuple[str, ...], complaint: str
) -> None:
    """Each mistake is one complaint at its setting."""
    with pytest.raises(ValidationError) as caught:
        parse_settings(type_name, settings)
    (error,) = caught.value.errors(include_input=False)
    assert error["loc"] == place
    assert complaint in error["msg"]


@pytest.mark.parametrize("topic", ["a", "-_-", "A-1_b", "x" * 64])
def test_topics_that_ntfy_takes(topic: str) -> None:
    """A topic has letters, digits, dashes and underscores."""
    parse_settings("ntfy", {"topic": topic})


@pytest.mark.parametrize(
    ("type_name", "settings", "pace"),
    [
        ("mattermost", {"url": HOOK}, None),
        ("rocketchat", {"url": HOOK}, 10 / 60),
        ("discord", {"url": HOOK}, 2.5),
        ("msteams", {"url": HOOK}, 2),
        ("ntfy", {"topic": "t"}, 0.2),
    ],
)
def test_pace(type_name: str, settings: dict[str, Any], pace: float | None) -> None:
    """The pace is what the provider documents."""
    assert REGISTRY[type_name].rate_per_second(parse_settings(type_name, settings)) == pace


@pytest.mark.parametrize("type_name", ["mattermost", "rocketchat"])
async def test_a_channel_and_a_name_are_sent_when_set(type_name: str) -> None:
    """What is not set is not in the message."""
    with_both = json.loads((await sent(type_name, issue_message(), url=HOOK, channel="ops", username="Al")).body)
    assert (with_both["channel"], with_both["username"]) == ("ops", "Al")
    without = json.loads((await sent(type_name, issue_message(), url=HOOK)).body)
    assert not {"channel", "username"} & without.keys()


async def test_an_attachment_is_designed() -> None:
    """Mattermost: why, title with its link, colour, where it crashed, suspects, links, facts."""
    payload = json.loads((await sent("mattermost", issue_message(), url=HOOK)).body)
    (attachment,) = payload["attachments"]
    assert payload["text"] == "**New issue SHOP-42**"
    assert (attachment["title"], attachment["title_link"]) == (
        "KeyError: 'sku'",
        "https://alerts.example.com/issues/SHOP-42",
    )
    assert attachment["color"] == "#d92d20"
    assert (
        "**Suspect commits**\n• [4f2a91c7d0](https://git.example.com/shop/commit/4f2a91c7d0) Read the SKU"
        in attachment["text"]
    )
    assert attachment["text"].endswith(
        "[Issue](https://alerts.example.com/issues/SHOP-42) · [Alert](http://127.0.0.1:8080/alerts/alt_0001)"
        " · [Source](https://shop.example.com/runs/17)"
    )
    assert {"title": "Environment", "value": "prod", "short": True} in attachment["fields"]


@pytest.mark.parametrize("type_name", ["mattermost", "rocketchat", "discord"])
async def test_a_digest_lists_twenty_and_counts_the_rest(type_name: str) -> None:
    """Twenty alerts, and how many more there are."""
    body = (await sent(type_name, make_message(digest=make_digest(500)), url=HOOK)).body.decode()
    assert body.count("Run ") == 20
    assert "… and 480 more" in body


async def test_discord_waits_and_finds_the_thread() -> None:
    """The query is added to what the address has."""
    url = f"{HOOK}/webhooks/1/tok%2Fen?a=b"
    request = await sent("discord", issue_message(), url=url, thread_id="17", username="Al")
    assert dict(URL(request.url).query) == {"a": "b", "wait": "true", "thread_id": "17"}
    assert request.url.startswith(f"{HOOK}/webhooks/1/tok%2Fen?")
    payload = json.loads(request.body)
    assert payload["username"] == "Al"
    fields = {field["name"]: field["value"] for field in payload["embeds"][0]["fields"]}
    assert fields["First seen"] == "<t:1777622400:f>"


async def test_a_card_is_designed() -> None:
    """Teams: a coloured head with why and what, facts, suspects that open, buttons."""
    payload = json.loads((await sent("msteams", issue_message(), url=HOOK)).body)
    card = payload["attachments"][0]["content"]
    head = card["body"][0]
    assert head["style"] == "attention"
    assert [block["inlines"][0]["text"] for block in head["items"]] == ["New issue SHOP-42", "KeyError: 'sku'"]
    assert [action["title"] for action in card["actions"]] == ["Issue", "Alert", "Source"]
    (facts,) = [element for element in card["body"] if element["type"] == "FactSet"]
    assert {"title": "Events", "value": "1,240"} in facts["facts"]
    resolved = json.loads((await sent("msteams", issue_message(issue=make_issue(state="resolved")), url=HOOK)).body)
    assert resolved["attachments"][0]["content"]["body"][0]["style"] == "good"


@pytest.mark.parametrize(
    ("severity", "priority", "tag"),
    [
        ("debug", 1, "mag"),
        ("info", 2, "information_source"),
        ("warning", 3, "warning"),
        ("error", 4, "rotating_light"),
        ("critical", 5, "fire"),
    ],
)
async def test_ntfy_shows_the_severity(severity: str, priority: int, tag: str) -> None:
    """Priority and tag follow the severity; what is resolved is quiet."""
    assert severity in [each.word for each in Severity]
    payload = json.loads((await sent("ntfy", make_message(event=make_event(severity=severity)), topic="t")).body)
    assert (payload["priority"], payload["tags"]) == (priority, [tag])
    event = make_event(severity=severity, type="x.resolved")
    resolved = json.loads((await sent("ntfy", make_message(event=event, event_type="x.resolved"), topic="t")).body)
    assert (resolved["priority"], resolved["tags"]) == (3, ["white_check_mark"])


async def test_ntfy_has_room_for_three_buttons() -> None:
    """Acknowledge is always among them; a tap opens the first link."""
    message = issue_message(acknowledge_url="https://alerts.example.com/ack/1")
    request = await sent("ntfy", message, topic="t", url="https://ntfy.example.com/")
    payload = json.loads(request.body)
    assert request.url == "https://ntfy.example.com/"
    assert [action["label"] for action in payload["actions"]] == ["Issue", "Alert", "Acknowledge"]
    assert payload["click"] == "https://alerts.example.com/issues/SHOP-42"


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({}, None),
        ({"token": "tk_1"}, "Bearer tk_1"),
        ({"username": "ann", "password": "pä"}, "Basic YW5uOnDDpA=="),
    ],
)
async def test_ntfy_authorises(settings: dict[str, Any], header: str | None) -> None:
    """A token, a user's password, or nothing."""
    request = await sent("ntfy", issue_message(), topic="t", **settings)
    assert request.headers.get("authorization") == header
