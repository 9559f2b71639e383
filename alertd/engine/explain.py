"""Explaining: what would be decided about an event now, by the same engine, with nothing changed. Pure.

The answer holds the plan of the event itself and of all that alertd would make because of it, each with the verdicts of
the subscriptions that it does not reach by scope, and how far derived types and metric alerts have come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.engine.chain import decide, follow
from alertd.engine.memory import Overlay, layered
from alertd.engine.progress import foreseen
from alertd.engine.router import excluded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alertd.engine.plan import Made, Plan
    from alertd.engine.progress import Progress
    from alertd.engine.ruleset import Ruleset
    from alertd.engine.state import EngineState
    from alertd.model.event import Event
    from alertd.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Explained:
    """One event's part: its plan, the verdicts of those out of scope, the rules that it moves."""

    plan: Plan
    outside: tuple[Verdict, ...]
    progress: tuple[Progress, ...]


class _Numbers:
    """Numbers that belong to nothing."""

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self, count: int = 1, now_ms: int | None = None) -> int:
        first = self._next
        self._next += count
        return first

    def extend(self, count: int) -> None:
        self._next += count


def explain(
    ruleset: Ruleset, state: EngineState, event: Event, now_ms: int, number: int = 1, told: Iterable[Made] = ()
) -> list[Explained]:
    """Decide about an event (which has an id) as the pipeline would now; the event's own part comes first.

    `number` is the one that it, or the first of its kin, would have; `told` are the events that would tell of what it
    makes of issues and incidents.
    """
    overlay, numbers = Overlay(), _Numbers(number)
    seen, over = {(event.workspace, event.id)}, layered(state, overlay)
    plans = decide(ruleset, over, overlay, event, numbers, now_ms, seen)
    plans += follow(ruleset, over, overlay, told, numbers, now_ms, seen)
    rules = ruleset.workspaces[event.workspace]
    return [
        Explained(decided, tuple(excluded(ruleset, decided.event)), tuple(foreseen(rules, state, decided, now_ms)))
        for decided in plans
    ]
