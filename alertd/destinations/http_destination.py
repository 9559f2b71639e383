"""What types that speak HTTP have in common: render, send, classify. A type says the first and the last.

`HttpDestination` keeps two promises for all of them: a failure to get an answer becomes the right outcome, and no secret
of the settings is in any outcome or preview, not even one that the provider repeats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

import orjson

from alertd.destinations.base import HttpRequest, SendError
from alertd.destinations.certified_sender import CertifiedSender
from alertd.destinations.redaction import Redactor, secrets_of
from alertd.destinations.tls_settings import TlsSettings
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from alertd.destinations.base import HttpAnswer, Message, Preview, World

DELIVERY_HEADER: Final = "x-alertd-delivery"
"""Carries the delivery's id, the same on every attempt, for those who look for a repeat in a proxy's or a receiver's log."""

S = TypeVar("S", bound="BaseModel")


class HttpDestination(ABC, Generic[S]):
    """One configured destination that is reached by one request per delivery."""

    def __init__(self, type_name: str, settings: S, timeout_seconds: float, world: World) -> None:
        self.type_name = type_name
        self.settings = settings
        self._own_sender = _own_sender(settings, world)
        self.world = world if self._own_sender is None else replace(world, sender=self._own_sender)
        self._timeout_seconds = timeout_seconds
        self._redactor = Redactor(self.secrets())

    @abstractmethod
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request. Pure; never raises, whatever the message says."""

    @abstractmethod
    def classify(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Say what an answer means for the delivery. Pure."""

    def secrets(self) -> Iterable[str]:
        """List what is in no outcome and no preview."""
        return secrets_of(self.settings)

    async def attempt(self, message: Message) -> Outcome:
        """Send once and say what came of it."""
        now = self.world.clock.wall_seconds()
        answer = await self.exchange(self.render(message, now))
        return answer if isinstance(answer, Outcome) else self.judge(answer, now)

    async def exchange(self, request: HttpRequest, *, repeatable: bool = False) -> HttpAnswer | Outcome:
        """Send one request; return the answer, or the outcome when none came.

        `repeatable`: made twice, the request does what it does once, so that no failure of it is ambiguous.
        """
        try:
            return await self.world.sender.send(request, self._timeout_seconds)
        except SendError as error:
            return self._outcome_of_error(error, ambiguous=error.ambiguous and not repeatable)

    def judge(self, answer: HttpAnswer, now_seconds: int) -> Outcome:
        """Classify, and take out secrets that the provider repeated."""
        outcome = self.classify(answer, now_seconds)
        if not (outcome.detail or outcome.answer):
            return outcome
        detail, answered = self._shown(outcome.detail), self._redactor.data(outcome.answer)
        if detail == outcome.detail and answered is outcome.answer:
            return outcome
        return replace(outcome, detail=detail, answer=answered)

    def preview(self, message: Message) -> Preview:
        """Show what would be sent, without secrets."""
        return self._redactor.preview(self.render(message, self.world.clock.wall_seconds()))

    async def close(self) -> None:
        """Close the sender, if it is not the one that all share."""
        if self._own_sender is not None:
            await self._own_sender.close()

    def _shown(self, detail: str) -> str:
        """Take secrets out of a reason, but for the type that stands before it: an address may have its name as a part."""
        named = f"{self.type_name}: " if detail.startswith(f"{self.type_name}: ") else ""
        return named + self._redactor.text(detail.removeprefix(named))

    def _outcome_of_error(self, error: SendError, *, ambiguous: bool) -> Outcome:
        reason = self._shown(f"{self.type_name}: {error}")
        if error.refused:
            return Outcome(OutcomeKind.REJECTED, detail=reason)
        if not ambiguous:
            return Outcome(OutcomeKind.RETRY_LATER, detail=reason)
        if getattr(self.settings, "on_ambiguous", "retry") == "dead":
            return Outcome(OutcomeKind.REJECTED, detail=f"{reason}; it may have arrived (on_ambiguous: dead)")
        return Outcome(OutcomeKind.AMBIGUOUS, detail=reason)


def _own_sender(settings: BaseModel, world: World) -> CertifiedSender | None:
    tls = getattr(settings, "tls", None)
    return CertifiedSender(tls.files, world.sender_with) if isinstance(tls, TlsSettings) and tls.files else None


def json_request(url: str, payload: Mapping[str, Any], message: Message, **headers: str) -> HttpRequest:
    """Make a POST of a JSON document; names of `headers` are written with underscores."""
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"content-type": "application/json", DELIVERY_HEADER: message.delivery_id} | own
    return HttpRequest(url, orjson.dumps(payload), sent)


class HttpType:
    """Base of types whose destinations are `HttpDestination`s."""

    name: ClassVar[str]
    about: ClassVar[str]
    settings_model: ClassVar[type[BaseModel]]
    destination: ClassVar[type[HttpDestination[Any]]]

    def open(self, settings: Any, timeout_seconds: float, world: World) -> HttpDestination[Any]:
        """Open one."""
        return self.destination(self.name, settings, timeout_seconds, world)

    def rate_per_second(self, settings: Any) -> float | None:
        """No pace: the provider asks for none."""
        return None

    def shows_links(self, settings: Any) -> bool:
        """Whether people may click on what is in its messages: most types are for people."""
        return True
