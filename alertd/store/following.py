"""What following deliveries asks of a store: what happened behind a position, in the order in which it was stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where somebody has followed: the number of an event, and the place of an outcome (from 1, without a gap)."""

    event: int = 0
    outcome: int = 0

    def covers(self, other: Position) -> bool:
        """Whether who has followed up to here has followed up to there."""
        return self.event >= other.event and self.outcome >= other.outcome


@dataclass(frozen=True, slots=True)
class Happened:
    """A page of what happened behind a position.

    Shapes: `events` are rows of the history (`payload` and `verdicts` empty where nothing was decided); `outcomes` are
    rows of deliveries with their `place`, whose `number`, `state`, `started_at_ms`, `duration_us`, `outcome`, `status`, `detail` and
    `next_at_ms` are those of one attempt, or of an end without one (`number` 0, `outcome` None). An outcome stands in
    no page before its event does. `position` is where to go on, `more` whether there was more than the page holds.
    """

    events: Sequence[dict[str, Any]]
    outcomes: Sequence[dict[str, Any]]
    position: Position
    more: bool


class FollowStore(Protocol):
    """What the live stream needs."""

    async def head(self) -> Position:
        """Where everything that is stored has happened."""

    async def position_at(self, ms: int) -> Position:
        """Where nothing that was stored from a time on has happened yet."""

    async def oldest_outcome(self) -> int:
        """The place of the oldest outcome that is kept, or of the next one."""

    async def happened(self, after: Position, limit: int) -> Happened:
        """What happened behind a position: up to `limit` events and `limit` outcomes, oldest first.

        What retention has deleted since is left out.
        """
