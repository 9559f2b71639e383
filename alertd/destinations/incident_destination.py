"""What types that keep incidents have in common: an incident ends as the newest alert about it says.

While a service does not answer, what opened an incident and what ended it wait side by side, and each is tried again at a
time of its own. So the memory keeps, for each dedup key, the newest alert that was told. One that is older comes late:
what opened is told, and then again what came of it since; what ended or took care of something that has come back since
is not sent any more. A replay is as old as its alert.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Final, TypeVar

from typing_extensions import override

from alertd.destinations.composing import content_of
from alertd.destinations.http_destination import HttpDestination
from alertd.destinations.key_locks import KeyLocks
from alertd.destinations.turn import Turn, turn_of
from alertd.model.delivery import Outcome, OutcomeKind

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.destinations.base import HttpRequest, Message, World
    from alertd.destinations.content import Content

OVERTAKEN: Final = "not sent: newer news of the same problem has arrived there already"
"""Why something that comes late was not sent, although it counts as delivered."""

S = TypeVar("S", bound="BaseModel")


class IncidentDestination(HttpDestination[S]):
    """One configured destination that opens, acknowledges and closes incidents by a key."""

    def __init__(self, type_name: str, settings: S, timeout_seconds: float, world: World) -> None:
        super().__init__(type_name, settings, timeout_seconds, world)
        self._locks = KeyLocks()

    @abstractmethod
    def ask(self, message: Message, content: Content, turn: Turn) -> HttpRequest:
        """Make the request that asks for a turn. Pure."""

    async def tell(self, message: Message, content: Content, turn: Turn) -> Outcome:
        """Ask for a turn and say what came of it."""
        now = self.world.clock.wall_seconds()
        answer = await self.exchange(self.ask(message, content, turn))
        return answer if isinstance(answer, Outcome) else self.judge(answer, now)

    @override
    def render(self, message: Message, now_seconds: int) -> HttpRequest:
        """Make the request, as if nothing newer had been told."""
        content = content_of(message)
        return self.ask(message, content, turn_of(message, content))

    @override
    async def attempt(self, message: Message) -> Outcome:
        """Tell it, and leave the incident as the newest alert says."""
        content = content_of(message)
        turn = turn_of(message, content)
        if content.is_digest:  # an incident of its own, of which nothing else tells
            return await self.tell(message, content, turn)
        async with self._locks.of(content.dedup_key):
            return await self._in_order(message, content, turn)

    async def _in_order(self, message: Message, content: Content, turn: Turn) -> Outcome:
        key = f"told/{content.dedup_key}"
        newest_id, newest = _read(await self.world.memory.get(key))
        is_late = message.alert_id < newest_id
        if is_late and turn is not Turn.OPEN and newest is not Turn.CLOSE:
            return Outcome(OutcomeKind.DELIVERED, detail=f"{self.type_name}: {OVERTAKEN}")
        outcome = await self.tell(message, content, turn)
        if outcome.kind is not OutcomeKind.DELIVERED:
            return outcome
        if not is_late:
            await self.world.memory.set(key, f"{turn.value} {message.alert_id}")
        elif turn is Turn.OPEN and newest is not Turn.OPEN:
            return await self.tell(message, content, newest)
        return outcome


def _read(text: str | None) -> tuple[str, Turn]:
    """Read the newest alert's id and turn; what was forgotten is older than all."""
    word, _, alert_id = (text or "").partition(" ")
    try:
        return alert_id, Turn(word)
    except ValueError:
        return "", Turn.OPEN
