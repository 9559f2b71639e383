"""What all lanes of one dispatcher share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from alertd.clock import Clock
    from alertd.delivery.lane import Lane
    from alertd.delivery.naming import Naming
    from alertd.delivery.outcomes import OutcomeLog
    from alertd.destinations.base import OpenDestination
    from alertd.metrics import Metrics
    from alertd.model.delivery import Attempt, Delivery


@dataclass(slots=True)
class Surroundings:
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
    ask: Callable[[Lane], None]
    gone: Callable[[Lane, str], None]
    paused: Callable[[Lane], None]
    close: Callable[[OpenDestination], None]
    fail: Callable[[BaseException], None]
    flying: dict[int, int]
    barred: set[int]
    debug: bool = False
    ended: Callable[[Delivery, Attempt], None] = lambda delivery, attempt: None

    def finish(self, delivery: Delivery, attempt: Attempt, lane: Lane) -> None:
        """Let an attempt be stored; tell who wants to know when its delivery has come to an end."""
        self.outcomes.add(attempt, lane)
        if attempt.state.final:
            self.ended(delivery, attempt)
