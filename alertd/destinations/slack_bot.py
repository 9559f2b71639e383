"""Slack through a bot token: one message for each issue, edited as the issue goes on, with what happened in its thread.

The memory keeps, for each thread key, where the message is, how recent what it says is, and whether that was an end. An edit
changes nothing when it is made twice, so it comes first; the reply in the thread, which would be there twice, comes last.
When the message was deleted, a new one takes its place. Deliveries of one issue wait for each other; those of different
issues do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson
from typing_extensions import override

from alertd.destinations.answers import members_of
from alertd.destinations.composing import content_of
from alertd.destinations.content import State
from alertd.destinations.http_destination import HttpDestination, json_request
from alertd.destinations.key_locks import KeyLocks
from alertd.destinations.moments import unix_seconds
from alertd.destinations.slack_blocks import payload_of, reply_of
from alertd.destinations.slack_settings import SlackSettings
from alertd.destinations.slack_words import classify_call, error_of
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from alertd.destinations.base import HttpAnswer, HttpRequest, Message, World
    from alertd.destinations.content import Content

BROADCAST: Final = frozenset({"regression", "unmuted", "spike"})
"""Triggers whose replies are shown in the channel too, as is trouble after an end: an edit tells nobody that it is back."""

_JSON: Final = "application/json; charset=utf-8"
_LOST: Final = frozenset({"cant_update_message", "edit_window_closed", "message_not_found", "thread_not_found"})
"""Errors that say that the message cannot be edited or answered any more."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Where the message of an issue is, and the time of what it says, in seconds since 1970.

    `over`: an end was told, and since then nothing in the channel.
    """

    channel: str
    ts: str
    at: int
    over: bool = False


class SlackBot(HttpDestination[SlackSettings]):
    """Posts, edits and answers messages in one channel."""

    def __init__(self, type_name: str, settings: SlackSettings, timeout_seconds: float, world: World) -> None:
        super().__init__(type_name, settings, timeout_seconds, world)
        self._locks = KeyLocks()

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request that posts a message of its own."""
        return self._call("chat.postMessage", message, payload_of(content_of(message)))

    @override
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means."""
        return classify_call(answer, now_seconds)

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Post a new message, or bring the issue's own up to date."""
        content = content_of(message)
        if self.settings.follow == "none" or not content.thread_key or message.test:
            return await super().attempt(message)
        key = f"{self.settings.channel}/{content.thread_key}"
        async with self._locks.of(key):
            return await self._follow(message, content, key)

    async def _follow(self, message: Message, content: Content, key: str) -> Outcome:
        posted = _read(await self.world.memory.get(key))
        if posted is None:
            return await self._post(message, content, key)
        if _moment(content) >= posted.at:  # what comes late must not put the message back
            outcome = await self._edit(message, content, key, posted)
            if outcome is None:
                return await self._post(message, content, key)
            if outcome.kind is not OutcomeKind.DELIVERED or self.settings.follow == "edit":
                return outcome
        return await self._reply(message, content, key, posted)

    async def _post(self, message: Message, content: Content, key: str) -> Outcome:
        answer = await self.exchange(self._call("chat.postMessage", message, payload_of(content)))
        if isinstance(answer, Outcome):
            return answer
        outcome = self.judge(answer, self._now())
        if outcome.kind is OutcomeKind.DELIVERED:
            said = members_of(answer)
            channel, ts = said.get("channel"), said.get("ts")
            if isinstance(channel, str) and isinstance(ts, str):
                await self.world.memory.set(key, _dump(Posted(channel, ts, _moment(content), _ends(content))))
        return outcome

    async def _edit(self, message: Message, content: Content, key: str, posted: Posted) -> Outcome | None:
        """Edit the issue's message; None: it cannot be edited any more."""
        payload = payload_of(content) | {"channel": posted.channel, "ts": posted.ts}
        answer = await self.exchange(self._call("chat.update", message, payload), repeatable=True)
        if isinstance(answer, Outcome):
            return answer
        if error_of(answer) in _LOST:
            return None
        outcome = self.judge(answer, self._now())
        if outcome.kind is OutcomeKind.DELIVERED:
            over = posted.over or _ends(content)  # trouble is back when the channel was told so
            await self.world.memory.set(key, _dump(replace(posted, at=_moment(content), over=over)))
        return outcome

    async def _reply(self, message: Message, content: Content, key: str, posted: Posted) -> Outcome:
        back = posted.over and not _ends(content) and _moment(content) >= posted.at
        shown = back or content.trigger in BROADCAST
        where = {"channel": posted.channel, "thread_ts": posted.ts, "reply_broadcast": shown}
        answer = await self.exchange(self._call("chat.postMessage", message, reply_of(content) | where))
        if isinstance(answer, Outcome):
            return answer
        if error_of(answer) in _LOST:
            return await self._post(message, content, key)
        outcome = self.judge(answer, self._now())
        if back and outcome.kind is OutcomeKind.DELIVERED:
            await self.world.memory.set(key, _dump(replace(posted, at=_moment(content), over=False)))
        return outcome

    def _call(self, method: str, message: Message, payload: dict[str, Any]) -> HttpRequest:
        token = self.settings.token
        if token is None:
            raise TypeError("a bot needs a token")
        whole = {"channel": self.settings.channel, "parse": "none", "link_names": False} | payload
        authorization = f"Bearer {token.get_secret_value()}"
        url = f"{self.settings.api_url.rstrip('/')}/{method}"
        return json_request(url, whole, message, content_type=_JSON, authorization=authorization)

    def _now(self) -> int:
        return self.world.clock.wall_seconds()


def _moment(content: Content) -> int:
    return unix_seconds(content.at) or 0


def _ends(content: Content) -> bool:
    return content.state is State.RESOLVED


def _dump(posted: Posted) -> str:
    return orjson.dumps(posted).decode()


def _read(text: str | None) -> Posted | None:
    """Read what the memory kept; what cannot be read is forgotten."""
    try:
        value = orjson.loads(text or "null")
        return Posted(str(value["channel"]), str(value["ts"]), int(value["at"]), value.get("over") is True)
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        return None
