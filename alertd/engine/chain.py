"""A chain: an event's plan, and the plans of all that alertd makes because of it, one after another. Pure but for ids.

Production and explaining decide with this same function.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from alertd.engine.derivation import CHAIN_MAX
from alertd.engine.router import plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.engine.memory import Overlay
    from alertd.engine.plan import Made, Plan
    from alertd.engine.ruleset import Ruleset
    from alertd.engine.state import EngineState
    from alertd.model.event import Event


class Numbers(Protocol):
    """Gives events and deliveries their numbers."""

    def take(self, count: int = 1, now_ms: int | None = None) -> int:
        """Reserve numbers in a row; return the first."""

    def extend(self, count: int) -> None:
        """Reserve more right behind."""


def decide(
    ruleset: Ruleset,
    state: EngineState,
    overlay: Overlay,
    event: Event,
    numbers: Numbers,
    now_ms: int,
    seen: set[tuple[str, str]],
) -> list[Plan]:
    """Plan one event from outside and all that is made because of it; `state` reads through `overlay`."""
    number = numbers.take(1, now_ms)
    decided = plan(ruleset, state, event, number, now_ms)
    numbers.extend(len(decided.deliveries))
    overlay.take(decided)
    return [decided, *follow(ruleset, state, overlay, decided.makes, numbers, now_ms, seen)]


def follow(
    ruleset: Ruleset,
    state: EngineState,
    overlay: Overlay,
    makes: Iterable[Made],
    numbers: Numbers,
    now_ms: int,
    seen: set[tuple[str, str]],
) -> list[Plan]:
    """Plan what was made, and what that makes in turn.

    `seen` are (workspace, id) of events that are stored already or stand in the same batch: these are not made again.
    Those that are made are added to it.
    """
    plans: list[Plan] = []
    waiting = deque(makes)
    while waiting:
        made = waiting.popleft()
        event: Event = made.event
        if made.depth > CHAIN_MAX or (event.workspace, event.id) in seen:
            continue
        seen.add((event.workspace, event.id))
        number = numbers.take(1, now_ms)
        decided = plan(ruleset, state, event, number, now_ms, made)
        numbers.extend(len(decided.deliveries))
        overlay.take(decided)
        plans.append(decided)
        waiting.extend(decided.makes)
    return plans
