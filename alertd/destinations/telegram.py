"""The destination type `telegram`: a bot that writes to one chat, in Telegram's HTML.

Telegram finds mentions by itself in any text outside code: a zero-width space behind each `@` keeps it from that. Links are
in the text, not on buttons, because Telegram refuses a whole message for a button whose address it does not like.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, SecretStr
from typing_extensions import override

from alertd.destinations.answers import THROTTLED, failed_kind, header_wait, members_of, outcome_of, seconds_in
from alertd.destinations.composing import content_of
from alertd.destinations.http_destination import HttpDestination, HttpType, json_request
from alertd.destinations.settings_fields import RepeatingSettings, Url
from alertd.destinations.telegram_text import html_of, plain_of
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, HttpRequest, Message
    from alertd.destinations.content import Content

NAME: Final = "telegram"
PACE: Final = 1.0
"""Messages a second to one person."""
GROUP_PACE: Final = 20 / 60
"""Messages a second to a group or a channel."""

TRIES: Final = 3
"""Requests of one attempt: as it is, to where the chat has moved, and without markup."""

_TOKEN: Final = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{10,100}", re.ASCII)
_CHAT: Final = re.compile(r"-?[0-9]{1,19}|@[A-Za-z][A-Za-z0-9_]{3,63}", re.ASCII)
_OK: Final = 200
_BAD: Final = 400
_GONE: Final = frozenset({401, 403, 404})
_MARKUP: Final = "can't parse entities"


def _check_token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("a bot's token, of the form 123456:ABC-DEF…")
    return token


def _check_chat(chat: str) -> str:
    if not _CHAT.fullmatch(chat):
        raise ValueError("a chat: a number (-1001234567890) or @name")
    return chat


class TelegramSettings(RepeatingSettings):
    """Which bot writes to which chat."""

    token: Annotated[SecretStr, AfterValidator(_check_token)] = Field(
        description="the bot's token, from @BotFather", examples=["123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"]
    )
    chat_id: Annotated[str, AfterValidator(_check_chat)] = Field(
        description="the chat's number, negative for groups, or @name of a public channel",
        examples=["-1001234567890"],
        coerce_numbers_to_str=True,
    )
    topic_id: int | None = Field(None, gt=0, description="the number of a topic in a group that has topics")
    silent: bool = Field(False, description="true: messages make no sound")
    api_url: Url = Field("https://api.telegram.org", description="the Bot API's address")


class TelegramDestination(HttpDestination[TelegramSettings]):
    """Writes to one chat."""

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request."""
        return self._request(message, self._payload(content_of(message)))

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Write once; a group that has moved is followed, and markup that Telegram cannot read is left out."""
        content, now = content_of(message), self.world.clock.wall_seconds()
        payload = self._payload(content)
        moved = await self.world.memory.get(self._moved_key)
        if moved is not None:
            payload["chat_id"] = int(moved)
        answer = await self.exchange(self._request(message, payload))
        for _ in range(TRIES - 1):
            better = await self._better(payload, content, answer)
            if better is None:
                break
            payload = better
            answer = await self.exchange(self._request(message, payload))
        return answer if isinstance(answer, Outcome) else self.judge(answer, now)

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means: a bot that was thrown out or has no valid token is gone."""
        said = members_of(answer)
        parameters = said.get("parameters")
        wait = seconds_in(parameters.get("retry_after")) if isinstance(parameters, dict) else None
        wait = header_wait(answer, now_seconds) if wait is None and answer.status == THROTTLED else wait
        reason = said.get("description")
        words = reason if isinstance(reason, str) else ""
        return outcome_of(NAME, answer, _kind_of(answer.status, ok=said.get("ok") is True), reason=words, wait=wait)

    def _payload(self, content: Content) -> dict[str, Any]:
        chat = self.settings.chat_id
        payload: dict[str, Any] = {
            "chat_id": chat if chat.startswith("@") else int(chat),
            "text": html_of(content),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if self.settings.topic_id is not None:
            payload["message_thread_id"] = self.settings.topic_id
        if self.settings.silent:
            payload["disable_notification"] = True
        return payload

    async def _better(
        self, payload: dict[str, Any], content: Content, answer: HttpAnswer | Outcome
    ) -> dict[str, Any] | None:
        """Say what may succeed where this payload did not; None: nothing, or no need."""
        if isinstance(answer, Outcome) or answer.status != _BAD:
            return None
        said = members_of(answer)
        parameters = said.get("parameters")
        moved = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
        if isinstance(moved, int) and moved != payload["chat_id"]:
            await self.world.memory.set(self._moved_key, str(moved))
            return payload | {"chat_id": moved}
        if "parse_mode" in payload and _MARKUP in str(said.get("description")):
            plain = payload | {"text": plain_of(content)}
            del plain["parse_mode"]
            return plain
        return None

    def _request(self, message: Message, payload: dict[str, Any]) -> HttpRequest:
        token = self.settings.token.get_secret_value()
        return json_request(f"{self.settings.api_url.rstrip('/')}/bot{token}/sendMessage", payload, message)

    @property
    def _moved_key(self) -> str:
        return f"moved/{self.settings.chat_id}"


class TelegramType(HttpType):
    """The type `telegram`."""

    name: ClassVar[str] = NAME
    about: ClassVar[str] = (
        "A Telegram chat, group or channel. Ask @BotFather for a bot: its answer has the `token`. Add the bot to the group"
        " (as an administrator to a channel), write there once, and look up the `chat_id` with the method `getUpdates`."
        " Telegram takes a message a second to a person, and 20 a minute to a group."
    )
    settings_model: ClassVar[type[BaseModel]] = TelegramSettings
    destination = TelegramDestination

    @override
    def rate_per_second(self, settings: TelegramSettings) -> float | None:
        """Give the pace for a person, or for a group or channel."""
        return GROUP_PACE if settings.chat_id.startswith(("-", "@")) else PACE


def _kind_of(status: int, *, ok: bool) -> OutcomeKind:
    if status in _GONE:
        return OutcomeKind.GONE
    if status == _OK:
        return OutcomeKind.DELIVERED if ok else OutcomeKind.REJECTED
    return failed_kind(status)
