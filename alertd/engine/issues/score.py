"""The score of an incident: how severe it is, from 0 to 100, as parts that add up, each with its reason.

It orders a list and gives a floor to notify from; it decides nothing else.
"""

from __future__ import annotations

from math import log2, log10
from typing import TYPE_CHECKING, Final

from alertd.model.incident import ScorePart

if TYPE_CHECKING:
    from alertd.model.incident import Deploy
    from alertd.model.subscription import Trigger

LEVELS: Final = {"fatal": 50, "critical": 50, "error": 35, "warning": 20, "info": 10, "debug": 5}
"""Points of the level of the error."""
TRIGGERS: Final[dict[Trigger, tuple[int, str]]] = {
    "spike": (20, "it happens much more often than usual"),
    "regression": (15, "it came back after it was resolved"),
    "unmuted": (10, "it outgrew its mute"),
    "new": (10, "it was never seen before"),
}
"""Points of what opened it, and why."""
RATE_MAX: Final = 15
"""Most points of how many times its usual rate it has."""
USERS_MAX: Final = 10
"""Most points of how many users it hit."""
DEPLOY: Final = 5
"""Points of a deployment shortly before."""


def parts_of(
    level: str, trigger: Trigger | None, factor: float, users: int, deploys: tuple[Deploy, ...]
) -> tuple[ScorePart, ...]:
    """Score an incident. Units: `factor` is how many times the usual rate (1: usual); `users` is a count."""
    points = LEVELS.get(level, LEVELS["error"])
    parts = [ScorePart("level", points, f"its level is {level}")]
    if trigger is not None:
        parts.append(ScorePart(trigger, *TRIGGERS[trigger]))
    if factor > 1.0:
        parts.append(ScorePart("rate", min(RATE_MAX, round(3 * log2(factor))), f"{factor:.1f} times the usual rate"))
    if users > 1:
        parts.append(ScorePart("users", min(USERS_MAX, round(3 * log10(users))), f"about {users} users"))
    if deploys:
        parts.append(ScorePart("deploy", DEPLOY, f"{deploys[0].name or 'something'} was deployed shortly before"))
    return tuple(part for part in parts if part.points)
