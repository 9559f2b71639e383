"""What every destination type keeps to: subclass `DestinationSuite`, say what is special about the type, get the rest.

class TestSlack(DestinationSuite):
    kind = SlackType()
    settings = {"url": "https://hooks.slack.com/services/T0/B0/xyzzy"}
    secrets = ("xyzzy",)
    answers = (*HTTP_FAILURES, (HttpAnswer(200, {}, b"ok"), OutcomeKind.DELIVERED))

    def check_request(self, request: HttpRequest) -> None:
        assert len(json.loads(request.body)["text"]) <= 4000
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from pydantic import ValidationError

from alertd.destinations.base import HttpAnswer, HttpRequest, Previewing, SendError, World
from alertd.destinations.redaction import secrets_of
from alertd.model.delivery import ANSWER_MAX, Outcome, OutcomeKind
from tests.conformance.messages import HOSTILE, hostile, make_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from alertd.destinations.base import DestinationType, Message, OpenDestination
    from tests.conformance.messages import Said

__all__ = ["DEADLINE", "HTTP_FAILURES", "NOW", "DestinationSuite", "FixedClock", "ScriptedSender", "make_message"]

DEADLINE: Final = 5.0
NOW: Final = 1_778_112_000
"""2026-05-07T00:00:00Z."""

Scripted = HttpAnswer | SendError

HTTP_FAILURES: Final[tuple[tuple[Scripted, OutcomeKind], ...]] = (
    (SendError("connection refused"), OutcomeKind.RETRY_LATER),
    (SendError("timed out after 10 s", ambiguous=True), OutcomeKind.AMBIGUOUS),
    (SendError("egress refused: 10.0.0.5 is private", refused=True), OutcomeKind.REJECTED),
    (HttpAnswer(301, {"Location": "http://elsewhere/"}, b""), OutcomeKind.REJECTED),
    (HttpAnswer(400, {}, b"bad"), OutcomeKind.REJECTED),
    (HttpAnswer(429, {"Retry-After": "7"}, b"slow down"), OutcomeKind.RETRY_LATER),
    (HttpAnswer(500, {}, b"\xff\xfe not text"), OutcomeKind.RETRY_LATER),
    (HttpAnswer(503, {"Retry-After": "soon"}, b"x" * 5000), OutcomeKind.RETRY_LATER),
)
"""What any type that speaks HTTP meets, and what it should make of it."""


class FixedClock:
    """A clock that a test sets."""

    def __init__(self, seconds: float = NOW) -> None:
        self.seconds = seconds

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self.seconds * 1000)

    def wall_seconds(self) -> int:
        """Seconds since 1970."""
        return int(self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


class ScriptedSender:
    """Answers from a script (the last line again and again) and keeps the requests."""

    def __init__(self, script: Iterable[Scripted] = ()) -> None:
        self.script = list(script)
        self.requests: list[HttpRequest] = []

    async def send(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer:
        """Give the next answer or raise the next error."""
        self.requests.append(request)
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, SendError):
            raise found
        return found

    async def close(self) -> None:
        """Hold nothing."""


class DestinationSuite:
    """The contract of `DestinationType` and `OpenDestination`, as tests."""

    kind: ClassVar[DestinationType]
    settings: ClassVar[Mapping[str, Any]] = {}
    secrets: ClassVar[Sequence[str]] = ()
    """Values in `settings` that nobody may ever read in a log."""

    answers: ClassVar[Sequence[tuple[Scripted, OutcomeKind]]] = ()
    """What the sender comes back with, and what the type must make of it. Empty: the type does not speak HTTP."""

    lines: list[str]

    def check_request(self, request: HttpRequest) -> None:
        """Assert what the provider demands of a request: its limits, its form, no mention. Override it."""

    def valid(self) -> BaseModel:
        """Validate the settings."""
        return self.kind.settings_model.model_validate(dict(self.settings))

    def open(self, sender: ScriptedSender) -> OpenDestination:
        """Open a destination over a scripted sender; what it prints is in `lines`."""
        self.lines = []
        return self.kind.open(self.valid(), 10.0, World(FixedClock(), sender, self.lines.append))

    async def attempt(self, sender: ScriptedSender, message: Message) -> Outcome:
        """Open, attempt once within the deadline, close."""
        opened = self.open(sender)
        async with asyncio.timeout(DEADLINE):
            outcome = await opened.attempt(message)
            await opened.close()
        return outcome

    def script(self) -> list[Scripted]:
        """Give what the sender may come back with; something also for types that do not ask."""
        return [answer for answer, _ in self.answers] or [HttpAnswer(204, {}, b"")]

    def test_type_has_a_name_and_frozen_settings(self) -> None:
        """A type is named in lower case, and its settings cannot be changed once they are valid."""
        assert self.kind.name.isidentifier()
        assert self.kind.name == self.kind.name.lower()
        assert self.kind.settings_model.model_config.get("frozen") is True

    def test_unknown_setting_is_refused_by_its_name(self) -> None:
        """An unknown setting is an error at its own name, reported also when required ones are missing."""
        with pytest.raises(ValidationError) as caught:
            self.kind.settings_model.model_validate({"no_such_setting": 1})
        assert ("no_such_setting",) in [error["loc"] for error in caught.value.errors(include_input=False)]

    def test_settings_never_show_a_secret(self) -> None:
        """Neither repr nor str of the settings, nor a dump as JSON, tells a secret."""
        settings = self.valid()
        self.assert_silent(repr(settings), str(settings), settings.model_dump_json(exclude={"url"}))

    def test_bad_settings_never_show_a_secret(self) -> None:
        """An error about settings does not repeat the values of the others."""
        with pytest.raises(ValidationError) as caught:
            self.kind.settings_model.model_validate({**self.settings, "no_such_setting": 1})
        self.assert_silent(str(caught.value), repr(caught.value.errors(include_input=False)))

    async def test_each_answer_becomes_its_outcome(self) -> None:
        """Whatever comes back, the attempt does not raise, and its outcome is the documented one."""
        for answer, kind in self.answers:
            outcome = await self.attempt(ScriptedSender([answer]), make_message())
            assert outcome.kind is kind, answer

    async def test_outcome_explains_itself_within_bounds(self) -> None:
        """A failure has a one-line detail, a success has none, and no more than a kilobyte of an answer is kept."""
        for answer in self.script():
            outcome = await self.attempt(ScriptedSender([answer]), make_message())
            assert bool(outcome.detail) == (outcome.kind is not OutcomeKind.DELIVERED)
            assert "\n" not in outcome.detail
            assert len(outcome.answer) <= ANSWER_MAX

    async def test_outcome_never_shows_a_secret(self) -> None:
        """An outcome, which is stored and shown, does not tell a secret."""
        for answer in self.script():
            self.assert_silent(repr(await self.attempt(ScriptedSender([answer]), make_message())))

    async def test_every_attempt_carries_the_same_delivery_id(self) -> None:
        """A receiver can recognise a repeat: the delivery id is the same on each attempt of a delivery."""
        sender = ScriptedSender(self.script())
        opened = self.open(sender)
        async with asyncio.timeout(DEADLINE):
            for number in range(1, 4):
                await opened.attempt(make_message(attempt=number))
            await opened.close()
        seen = [repr((each.url, each.headers, each.body)) for each in sender.requests] or self.lines
        assert all("dlv_0001" in each for each in seen)

    @pytest.mark.parametrize(
        "changes",
        [
            {"event": b"{}"},
            {"event": b"not json"},
            {"event": b"[]"},
            {"event": b'{"type": 1, "time": 2, "severity": [], "message": {}}'},
            {"event": '{"message": "\x7f \u202e \u2028 \U0001f600"}'.encode()},
            {"event_type": "x" * 256, "trigger": "new", "test": True},
            {"channel": "\udc80", "subscription": "ü"},
        ],
        ids=str,
    )
    async def test_strange_message_does_not_raise(self, changes: dict[str, Any]) -> None:
        """An attempt never raises, whatever the event or the names are."""
        assert isinstance(
            await self.attempt(ScriptedSender([HttpAnswer(200, {}, b"")]), make_message(**changes)), Outcome
        )

    @pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
    async def test_known_hostility_stays_within_limits(self, message: Message) -> None:
        """Whatever is known to be hostile leaves as one request that the provider takes."""
        await self.check(message)

    @given(said=hostile())
    @profile(suppress_health_check=list(HealthCheck), max_examples=50)
    async def test_any_text_stays_within_limits(self, said: Said) -> None:
        """So does any text of any length in any place."""
        await self.check(said.message())

    async def check(self, message: Message) -> None:
        """Attempt a message and check each request that it made; bodies must be UTF-8, headers printable ASCII."""
        sender = ScriptedSender([self.accepting()])
        await self.attempt(sender, message)
        for request in sender.requests:
            request.body.decode("utf-8")
            assert all(value.isascii() and value.isprintable() for value in request.headers.values())
            self.check_request(request)

    def accepting(self) -> Scripted:
        """Give the answer that means delivered."""
        delivered = [answer for answer, kind in self.answers if kind is OutcomeKind.DELIVERED]
        return delivered[0] if delivered else HttpAnswer(204, {}, b"")

    def test_every_setting_is_described_and_secrets_are_marked(self) -> None:
        """Forms and documents are made of the settings' schema; every secret in it is marked as one."""
        schema = self.kind.settings_model.model_json_schema()
        for name, each in schema.get("properties", {}).items():
            assert each.get("description"), name
        marked = list(secrets_of(self.valid()))
        hidden = [value for value in marked for secret in self.secrets if secret in value]
        assert not self.secrets or hidden
        assert self.kind.about

    def test_pace_is_positive(self) -> None:
        """A type's pace is attempts a second, or none."""
        pace = self.kind.rate_per_second(self.valid())
        assert pace is None or pace > 0

    async def test_preview_shows_the_request_without_secrets(self) -> None:
        """Where a type can show what it would send, no secret is in it, and nothing was sent."""
        sender = ScriptedSender()
        opened = self.open(sender)
        if isinstance(opened, Previewing):
            shown = opened.preview(make_message())
            self.assert_silent(repr(shown))
            assert shown.target
            assert shown.body
        assert not sender.requests
        await opened.close()

    async def test_secrets_that_a_provider_repeats_are_taken_out(self) -> None:
        """A provider that repeats the request in its answer does not make a secret visible."""
        if not isinstance(self.open(ScriptedSender()), Previewing):
            return
        echo = " ".join(secrets_of(self.valid())).encode()
        for status in (200, 400, 404, 500):
            answer = HttpAnswer(status, {"X-Echo": echo.decode()}, echo)
            self.assert_silent(repr(await self.attempt(ScriptedSender([answer]), make_message())))

    async def test_close_twice(self) -> None:
        """Closing twice is fine."""
        opened = self.open(ScriptedSender())
        async with asyncio.timeout(DEADLINE):
            await opened.close()
            await opened.close()

    def assert_silent(self, *texts: str) -> None:
        """Assert that no secret is in any of the texts."""
        for text in texts:
            assert not [secret for secret in self.secrets if secret in text]
