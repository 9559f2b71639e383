"""What all lanes of one dispatcher share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from alertd.model.delivery import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.clock import Clock
    from alertd.delivery.naming import Naming
    from alertd.delivery.outcomes import OutcomeLog, Owner
    from alertd.destinations.base import OpenDestination
    from alertd.metrics import Metrics
    from alertd.model.delivery import Attempt, Delivery

LaneT = TypeVar("LaneT", bound="Owner")
"""A lane. Its surroundings need nothing of it but that it hears what was stored."""
_RETRYING: Final = DeliveryState.RETRYING


@dataclass(slots=True)
class Surroundings(Generic[LaneT]):
    """What a lane sees of the rest.

    Shapes: `reached` observes the seconds from an event to its delivery; `flying` maps deliveries in flight to their
    destinations; `barred` are deliveries being cancelled; `ask` queues a lane for a page of the store; `gone` tells
    that a destination wants nothing more, `paused` that its lane rests longer; `close` closes a destination that is no
    longer used; `ended` hears of each attempt after which its delivery is delivered or dead; `fail` ends the daemon (an error of our own); `debug` logs successes too.
    """

    clock: Clock
    random: Callable[[], float]
    metrics: Metrics
    reached: Callable[[float], None]
    outcomes: OutcomeLog
    naming: Naming
    ask: Callable[[LaneT], None]
    gone: Callable[[LaneT, str], None]
    paused: Callable[[LaneT], None]
    close: Callable[[OpenDestination], None]
    fail: Callable[[BaseException], None]
    flying: dict[int, int]
    barred: set[int]
    debug: bool = False
    ended: Callable[[Delivery, Attempt], None] = lambda delivery, attempt: None

    def finish(self, delivery: Delivery, attempt: Attempt, lane: LaneT) -> None:
        """Let an attempt be stored; tell who wants to know when its delivery has come to an end."""
        self.outcomes.add(attempt, lane)
        if attempt.state is not _RETRYING:
            self.ended(delivery, attempt)
