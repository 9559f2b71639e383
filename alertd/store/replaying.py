"""What replays of many deliveries ask of a store: which deliveries, how far it is, and each step with its replays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from alertd.model.worded import Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.model.delivery import Delivery
    from alertd.store.resource import AuditEntry

PART: Final = 1000
"""How many origins are kept in one row; a step takes no more than what one row holds."""
LOOKS: Final = 100
"""How many origins one step looks at, most of which may be left out."""


class ReplayState(Worded):
    """Where a replay stands; the numbers are what the store keeps."""

    RUNNING = 0
    DONE = 1
    CANCELLED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class ReplayRule:
    """How many deliveries are replayed at once: to one destination (None: each to its own), and what counts as done.

    An origin is left out when the destination that it would go to has its event already, or is about to: by a replay or
    another delivery of that event, with a number from `since` on, that is neither dead nor cancelled. Where each goes to its
    own, one for another subscription does not count. Only its own replays say this of a digest. `present` are the
    destinations that there are (None: all that anything ever went to): what goes to its own is left out without it.
    `actor` is who asked, `replay_id` the replay that it is part of.
    """

    destination_id: int | None = None
    since: int = 0
    actor: str = ""
    replay_id: int | None = None
    present: frozenset[int] | None = None

    def reaches(self, destination_id: int) -> bool:
        """Whether what went to a destination goes to one that there is."""
        return self.destination_id is not None or self.present is None or destination_id in self.present


AS_IT_WAS: Final = ReplayRule()
"""Each to its own destination, and nobody asked for it."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of many deliveries.

    Shapes: `request` is JSON of what was asked for; `destination_id` is where all of it goes (None: each to its own);
    `since` as in `ReplayRule`; `rate` in deliveries a second; of `total` origins `looked` were dealt with and `made`
    sent again; `reason` says why it ended before it was done.
    """

    id: int
    workspace: str
    actor: str
    request: bytes
    destination_id: int | None
    since: int
    rate: float
    total: int
    state: ReplayState = ReplayState.RUNNING
    looked: int = 0
    made: int = 0
    reason: str = ""
    ended_at_ms: int | None = None

    def rule(self, present: frozenset[int]) -> ReplayRule:
        """How its deliveries are replayed, with these destinations there."""
        return ReplayRule(self.destination_id, self.since, self.actor, self.id, present)


class ReplayStore(Protocol):
    """What sends again."""

    async def replay(
        self, origin: int, new_id: int, now_ms: int, rule: ReplayRule = AS_IT_WAS, audit: Sequence[AuditEntry] = ()
    ) -> Delivery:
        """Store a new delivery `new_id` that repeats a final one and names it as its origin, and who asked for it.

        The rule says that and where it goes; it leaves nothing out. `audit` says so in the log of changes. Raises
        NotFoundError, and ConflictError when the delivery is not final.
        """

    async def replay_many(self, origins: Sequence[tuple[int, int]], now_ms: int, rule: ReplayRule) -> list[Delivery]:
        """Store replays of (origin, new id) pairs, in one transaction; return those that were made.

        Left out are origins that are gone or not final, and those that the rule leaves out.
        """

    async def replayable(self, origins: Sequence[int], rule: ReplayRule) -> int:
        """How many replays `replay_many` would make of these now."""

    async def begin_replay(self, replay: Replay, origins: Sequence[int], audit: Sequence[AuditEntry] = ()) -> None:
        """Keep a replay and what it is to send again, in this order; `audit` says so in the log of changes."""

    async def step_replay(
        self, replay_id: int, first_id: int, count: int, now_ms: int, present: frozenset[int]
    ) -> tuple[Replay, list[Delivery]]:
        """Deal with its next origins in one transaction with the note of it; end it when none is left.

        It makes up to `count` replays, which take the numbers from `first_id` on, and looks at up to `LOOKS` origins.
        `present` as in `ReplayRule`. One that is not running stays as it is. Raises NotFoundError.
        """

    async def end_replay(
        self,
        replay_id: int,
        state: ReplayState,
        reason: str,
        now_ms: int,
        audit: Callable[[Replay], AuditEntry] | None = None,
    ) -> Replay:
        """End a replay if it is running, and only then keep what `audit` says of it in the log of changes.

        Return it as it is now. `audit` may be asked in another thread, and again. Raises NotFoundError.
        """

    async def replay_by_id(self, replay_id: int) -> Replay | None:
        """One replay."""

    async def replays(self, workspace: str | None, below: int | None, limit: int) -> list[Replay]:
        """Replays of a workspace (None: of all), newest first."""

    async def running_replays(self) -> list[Replay]:
        """Those that go on, oldest first."""
