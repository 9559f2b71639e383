"""The chat types against scripted providers over real HTTP: they throttle, fail, cut the connection, and then take it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from alertd.destinations.base import World
from alertd.destinations.egress import AiohttpSender
from alertd.destinations.guard import EgressPolicy
from alertd.destinations.registry import REGISTRY, parse_settings
from alertd.model.delivery import OutcomeKind
from tests.conformance.destination_suite import DEADLINE, FixedClock
from tests.conformance.messages import everywhere, make_digest, make_event, make_issue, make_message
from tests.receiver import Receiver, hang, huge, reset, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alertd.destinations.base import Message, OpenDestination
    from alertd.model.delivery import Outcome
    from tests.receiver import Answer

SECONDS = 0.5
"""What an attempt may take here."""


@dataclass(frozen=True, slots=True)
class Provider:
    """How one type is pointed at the scripted provider: settings (`{url}` is the hook's), its path, a good answer."""

    type: str
    settings: dict[str, Any]
    path: str
    good: bytes
    good_status: int = 200
    throttle: bytes = b""
    throttle_headers: tuple[tuple[str, str], ...] = ()
    gone: tuple[int, bytes] = (404, b"")


PROVIDERS = [
    Provider(
        "slack",
        {"url": "{url}"},
        "/services/T0/B0/X0",
        b"ok",
        throttle_headers=(("Retry-After", "3"),),
        gone=(410, b"channel_is_archived"),
    ),
    Provider(
        "slack",
        {"token": "xoxb-1", "channel": "C0123", "api_url": "{base}/api"},
        "/api/chat.postMessage",
        b'{"ok":true,"channel":"C0123","ts":"1.2"}',
        throttle=b'{"ok":false,"error":"ratelimited"}',
        throttle_headers=(("Retry-After", "3"),),
        gone=(200, b'{"ok":false,"error":"token_revoked"}'),
    ),
    Provider(
        "mattermost",
        {"url": "{url}"},
        "/hooks/abc",
        b"ok",
        throttle_headers=(("Retry-After", "3"),),
        gone=(400, b'{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook"}'),
    ),
    Provider(
        "rocketchat",
        {"url": "{url}"},
        "/hooks/abc/def",
        b'{"success":true}',
        throttle=b'{"success":false,"error":"You must wait 3 seconds before trying again"}',
        gone=(404, b'{"success":false,"error":"Invalid integration id or token provided."}'),
    ),
    Provider(
        "discord",
        {"url": "{url}"},
        "/api/webhooks/1/abc",
        b'{"id":"1"}',
        throttle=b'{"message":"You are being rate limited.","retry_after":3.0,"global":false}',
        gone=(404, b'{"message":"Unknown Webhook","code":10015}'),
    ),
    Provider(
        "msteams",
        {"url": "{url}"},
        "/workflows/abc/triggers/manual/paths/invoke",
        b"",
        202,
        throttle_headers=(("Retry-After", "3"),),
        gone=(404, b'{"error":{"code":"WorkflowNotFound","message":"gone"}}'),
    ),
    Provider(
        "telegram",
        {"token": "123456:ABC-DEF1234", "chat_id": "17", "api_url": "{base}"},
        "/bot123456:ABC-DEF1234/sendMessage",
        b'{"ok":true,"result":{"message_id":1}}',
        throttle=b'{"ok":false,"error_code":429,"parameters":{"retry_after":3}}',
        gone=(403, b'{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}'),
    ),
    Provider(
        "ntfy",
        {"topic": "alerts", "url": "{base}"},
        "/",
        b'{"id":"x","event":"message"}',
        throttle=b'{"code":42901,"http":429,"error":"limit reached"}',
        throttle_headers=(("Retry-After", "3"),),
        gone=(403, b'{"code":40301,"http":403,"error":"forbidden"}'),
    ),
]
EACH = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda each: f"{each.type}{each.path}")


def answers(provider: Provider, code: int, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Make an answer of the provider's."""
    return status(code, body, **{name.replace("-", "_"): value for name, value in headers})


class Lab:
    """A provider and an open destination that points at it."""

    def __init__(self, provider: Provider, receiver: Receiver, opened: OpenDestination) -> None:
        self.provider = provider
        self.receiver = receiver
        self.opened = opened
        self.path = f"{provider.path}?wait=true" if provider.type == "discord" else provider.path

    def script(self, *told: Answer) -> None:
        """Answer like this, and well from then on."""
        self.receiver.script(self.path, *told, then=status(self.provider.good_status, self.provider.good))

    async def attempt(self, message: Message | None = None) -> Outcome:
        """Attempt within the deadline."""
        async with asyncio.timeout(DEADLINE):
            return await self.opened.attempt(message or make_message())

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What the provider received."""
        return [json.loads(request.body) for request in self.receiver.got(self.path)]


@asynccontextmanager
async def lab(provider: Provider, seconds: float = 5.0) -> AsyncIterator[Lab]:
    """Open a destination that points at a scripted provider."""
    async with Receiver() as receiver:
        places = {"url": receiver.url(provider.path), "base": receiver.url("")}
        written = {name: text.format(**places) for name, text in provider.settings.items()}
        sender = AiohttpSender(EgressPolicy(["127.0.0.0/8"]))
        kind = REGISTRY[provider.type]
        opened = kind.open(parse_settings(provider.type, written), seconds, World(FixedClock(), sender, print))
        try:
            yield Lab(provider, receiver, opened)
        finally:
            await opened.close()
            await sender.close()


@EACH
async def test_throttled_then_taken(provider: Provider) -> None:
    """A throttle says how long to wait, wherever the provider says it; then the same message is taken."""
    async with lab(provider) as it:
        it.script(answers(provider, 429, provider.throttle, provider.throttle_headers))
        first, second = await it.attempt(), await it.attempt()
        assert (first.kind, first.status, first.retry_after_seconds) == (OutcomeKind.RETRY_LATER, 429, 3)
        assert second.kind is OutcomeKind.DELIVERED
        assert it.bodies[0] == it.bodies[1]


@EACH
async def test_gone(provider: Provider) -> None:
    """What is no more is gone, and the reason is in the provider's words."""
    async with lab(provider) as it:
        it.script(answers(provider, *provider.gone))
        outcome = await it.attempt()
        assert outcome.kind is OutcomeKind.GONE
        assert outcome.detail.startswith(f"{provider.type}: returned {provider.gone[0]}: ")


@EACH
@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_failing_then_taken(provider: Provider, code: int) -> None:
    """A server's failure is tried again."""
    async with lab(provider) as it:
        it.script(answers(provider, code, b"<html>oops</html>"))
        assert (await it.attempt()).kind is OutcomeKind.RETRY_LATER
        assert (await it.attempt()).kind is OutcomeKind.DELIVERED


@EACH
async def test_cut_off_after_the_body(provider: Provider) -> None:
    """A connection that is reset after the request was read may have been served."""
    async with lab(provider) as it:
        it.script(reset)
        assert (await it.attempt()).kind is OutcomeKind.AMBIGUOUS
        assert (await it.attempt()).kind is OutcomeKind.DELIVERED


@EACH
async def test_slow(provider: Provider) -> None:
    """An answer that does not come in time leaves it open whether the message arrived."""
    async with lab(provider, SECONDS) as it:
        it.script(hang)
        assert (await it.attempt()).kind is OutcomeKind.AMBIGUOUS


@EACH
async def test_huge_answer(provider: Provider) -> None:
    """An answer of ten megabytes is read up to a kilobyte, and means nothing that is not in it."""
    async with lab(provider) as it:
        it.script(huge())
        outcome = await it.attempt()
        assert len(outcome.answer) <= 1024
        assert outcome.status == 200


@EACH
async def test_nobody_there(provider: Provider) -> None:
    """Where nobody listens nothing can have arrived."""
    async with lab(provider) as it:
        await it.receiver.__aexit__(None, None, None)
        assert (await it.attempt()).kind is OutcomeKind.RETRY_LATER


@EACH
async def test_all_that_is_told_arrives_as_json(provider: Provider) -> None:
    """An issue, a digest and hostile text arrive as UTF-8 JSON with the delivery's id."""
    messages = [
        make_message(event=make_event(), issue=make_issue(), trigger="new"),
        make_message(digest=make_digest(500)),
        everywhere("<!here> @everyone \u202e \U0001f600 " * 3000),
    ]
    async with lab(provider) as it:
        it.script()
        for message in messages:
            assert (await it.attempt(message)).kind is OutcomeKind.DELIVERED
        requests = it.receiver.got(it.path)
        assert {request.headers["x-alertd-delivery"] for request in requests} == {"dlv_0001"}
        assert all(request.headers["content-type"].startswith("application/json") for request in requests)
        assert len(it.bodies) == len(messages)


async def test_a_redirect_is_not_followed() -> None:
    """A provider that sends elsewhere is refused."""
    provider = PROVIDERS[0]
    async with lab(provider) as it:
        it.script(answers(provider, 302, b"", (("Location", it.receiver.url("/elsewhere")),)))
        assert (await it.attempt()).kind is OutcomeKind.REJECTED
        assert not it.receiver.got("/elsewhere")
