"""The Telegram type: its settings, its text, groups that move, markup that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from alertd.destinations.base import HttpAnswer, World
from alertd.destinations.composing import content_of
from alertd.destinations.passing_memory import PassingMemory
from alertd.destinations.telegram import GROUP_PACE, PACE, TRIES, TelegramSettings, TelegramType
from alertd.destinations.telegram_text import plain_of
from alertd.model.delivery import OutcomeKind
from tests.conformance.chat_limits import check_telegram, units
from tests.conformance.destination_suite import FixedClock, ScriptedSender
from tests.conformance.messages import HOSTILE, make_digest, make_event, make_issue, make_message

TOKEN = "123456:QQQ-DEF1234"  # noqa: S105 - a test's own
SENT = HttpAnswer(200, {}, b'{"ok":true,"result":{"message_id":1}}')
MOVED = b'{"ok":false,"error_code":400,"description":"moved","parameters":{"migrate_to_chat_id":-100777}}'
UNREADABLE = b'{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities: at 3"}'


def settings(**changes: Any) -> TelegramSettings:
    """Make valid settings."""
    return TelegramSettings.model_validate({"token": TOKEN, "chat_id": "-42"} | changes)


def payloads(sender: ScriptedSender) -> list[dict[str, Any]]:
    """Read what was sent."""
    return [json.loads(request.body) for request in sender.requests]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"token": "QQQ"}, ("token",)),
        ({"token": "123456:QQQ/../x1234"}, ("token",)),
        ({"chat_id": "ops"}, ("chat_id",)),
        ({"chat_id": "@a b"}, ("chat_id",)),
        ({"topic_id": 0}, ("topic_id",)),
        ({"api_url": "ftp://x"}, ("api_url",)),
    ],
)
def test_bad_settings_are_explained(changes: dict[str, Any], place: tuple[str, ...]) -> None:
    """Each mistake is one complaint at its setting, which does not show the token."""
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    (error,) = caught.value.errors(include_input=False)
    assert error["loc"] == place
    assert "QQQ" not in str(error)


@pytest.mark.parametrize(
    ("chat", "sent", "pace"),
    [(-1001234567890, -1001234567890, GROUP_PACE), ("17", 17, PACE), ("@alerts", "@alerts", GROUP_PACE)],
)
async def test_chat(chat: Any, sent: Any, pace: float) -> None:
    """A chat is a number or a name; groups and channels take less."""
    valid = settings(chat_id=chat)
    sender = ScriptedSender([SENT])
    await TelegramType().open(valid, 10, World(FixedClock(), sender, print)).attempt(make_message())
    assert payloads(sender)[0]["chat_id"] == sent
    assert TelegramType().rate_per_second(valid) == pace


async def test_a_message_is_designed() -> None:
    """Sign, why, title with its link, where it crashed, facts, suspects, links."""
    message = make_message(event=make_event(), event_type="sentry.error", issue=make_issue(), trigger="new")
    sender = ScriptedSender([SENT])
    opened = TelegramType().open(settings(topic_id=3, silent=True), 10, World(FixedClock(), sender, print))
    assert (await opened.attempt(message)).kind is OutcomeKind.DELIVERED
    check_telegram(sender.requests[0])
    (payload,) = payloads(sender)
    text = payload["text"]
    assert text.startswith(
        '🟠 <b>New issue SHOP-42</b>\n<a href="https://alerts.example.com/issues/SHOP-42"><b>KeyError'
    )
    assert "<pre>KeyError: 'sku'\n  in checkout" in text
    assert "Environment: <b>prod</b>" in text
    assert '<a href="https://git.example.com/shop/commit/4f2a91c7d0"><code>4f2a91c7d0</code></a> Read the SKU' in text
    assert (payload["message_thread_id"], payload["disable_notification"]) == (3, True)
    assert sender.requests[0].url == f"https://api.telegram.org/bot{TOKEN}/sendMessage"


async def test_a_group_that_moved_is_followed() -> None:
    """The message goes to the new chat at once, and so do all later ones, also after a restart."""
    memory = PassingMemory()
    sender = ScriptedSender([HttpAnswer(400, {}, MOVED), SENT])
    for _ in range(2):
        opened = TelegramType().open(settings(), 10, World(FixedClock(), sender, print, memory))
        assert (await opened.attempt(make_message())).kind is OutcomeKind.DELIVERED
    assert [payload["chat_id"] for payload in payloads(sender)] == [-42, -100777, -100777]


async def test_another_chat_in_the_settings_is_not_the_moved_one() -> None:
    """Where a chat has moved is remembered for that chat."""
    memory = PassingMemory()
    await memory.set("moved/-42", "-100777")
    sender = ScriptedSender([SENT])
    await (
        TelegramType()
        .open(settings(chat_id="-43"), 10, World(FixedClock(), sender, print, memory))
        .attempt(make_message())
    )
    assert payloads(sender)[0]["chat_id"] == -43


async def test_markup_that_cannot_be_read_is_left_out() -> None:
    """The message comes as plain text rather than not at all."""
    sender = ScriptedSender([HttpAnswer(400, {}, UNREADABLE), SENT])
    opened = TelegramType().open(settings(), 10, World(FixedClock(), sender, print))
    assert (await opened.attempt(make_message())).kind is OutcomeKind.DELIVERED
    first, second = payloads(sender)
    assert first["parse_mode"] == "HTML"
    assert "parse_mode" not in second
    assert "<b>" not in second["text"]


async def test_tries_are_bounded() -> None:
    """A Telegram that moves the chat for ever is asked no more than three times."""
    answers = [HttpAnswer(400, {}, MOVED.replace(b"777", b"%d" % number)) for number in range(700, 710)]
    sender = ScriptedSender(answers)
    opened = TelegramType().open(settings(), 10, World(FixedClock(), sender, print))
    assert (await opened.attempt(make_message())).kind is OutcomeKind.REJECTED
    assert len(sender.requests) == TRIES


@pytest.mark.parametrize("message", [*HOSTILE.values(), make_message(digest=make_digest())])
def test_plain_text_is_within_the_limit_and_mentions_nobody(message: Any) -> None:
    """The text without markup is bounded as well, and an `@` in it calls nobody."""
    text = plain_of(content_of(message))
    assert 0 < units(text) <= 4096
    assert "@" not in text.replace("@\u200b", "")
