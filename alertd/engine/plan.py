"""A plan: everything that the engine decided for one event, as data for one commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.issues.sample import thinned
from alertd.engine.state import CooldownKey

if TYPE_CHECKING:
    from alertd.engine.compiled import Told
    from alertd.engine.state import Changes
    from alertd.model.delivery import Delivery
    from alertd.model.event import Event
    from alertd.model.verdict import Verdict, Violation

__all__ = ["CooldownKey", "Made", "Plan", "undecided"]


@dataclass(frozen=True, slots=True)
class Made:
    """An event that alertd makes because of others, or because time has passed.

    Shapes: `told` says who alone hears of it (None: whoever listens); `depth` is 1 for what an event from outside, or
    time, has caused; `by` is the number of the derived type that made it (0: none did).
    """

    event: Event
    told: Told | None = None
    depth: int = 1
    by: int = 0


@dataclass(slots=True)
class Plan:
    """The decision for one event.

    Shapes: `number` is the event's own (its deliveries carry the ones right behind it); `matched` says whether any
    channel with a subscription took it; `cooldowns` maps keys to the time in milliseconds until which they now rest;
    `changes` is what else of the state changes; `makes` are the events that it causes, which need plans of their own; `is_thinned`
    says that the event is one of many of its issue, of which not all is stored.
    """

    event: Event
    number: int
    workspace_id: int
    matched: bool
    verdicts: list[Verdict]
    deliveries: list[Delivery]
    cooldowns: dict[CooldownKey, int]
    changes: Changes | None = None
    violations: tuple[Violation, ...] = ()
    makes: tuple[Made, ...] = ()
    is_thinned: bool = False

    @property
    def payload(self) -> bytes:
        """What is stored of the event; written anew each time where that is not the whole."""
        return thinned(self.event) if self.is_thinned else self.event.payload


def undecided(event: Event, number: int, workspace_id: int) -> Plan:
    """Return the plan of an event about which nothing was decided: nobody is told."""
    return Plan(event, number, workspace_id, matched=False, verdicts=[], deliveries=[], cooldowns={})
