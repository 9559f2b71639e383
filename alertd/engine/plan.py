"""A plan: everything that the engine decided for one event, as data for one commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alertd.model.delivery import Delivery
    from alertd.model.event import Event
    from alertd.model.verdict import Verdict

CooldownKey = tuple[int, str, str, str]
"""(subscription id, project, environment, event key)"""


@dataclass(slots=True)
class Plan:
    """The decision for one event.

    Shapes: `number` is the event's own (its deliveries carry the ones right behind it); `matched` says whether any
    channel with a subscription took it; `cooldowns` maps keys to the time in milliseconds until which they now rest.
    """

    event: Event
    number: int
    workspace_id: int
    matched: bool
    verdicts: list[Verdict]
    deliveries: list[Delivery]
    cooldowns: dict[CooldownKey, int]
