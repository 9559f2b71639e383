"""What facts ask of a store: they are a fold over the history, and the store keeps how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.model.delivery import DeliveryState
    from alertd.model.fact import SubscriptionFacts, TypeFacts

TypeKey = tuple[int, str]
"""(workspace id, type)"""


@dataclass(slots=True)
class KeptFacts:
    """Facts by subscription and by type.

    Shapes: they are folded up to the event with the number `through` (None: nothing was kept yet), and hold no outcome
    of a delivery with a greater id than `ended`. As a change: what is to be kept anew; `forgotten` are types that go.
    """

    through: int | None = None
    ended: int = 0
    subscriptions: dict[int, SubscriptionFacts] = field(default_factory=dict)
    types: dict[TypeKey, TypeFacts] = field(default_factory=dict)
    forgotten: Sequence[TypeKey] = ()


@dataclass(frozen=True, slots=True)
class PastEvent:
    """What of a stored event counts for facts; `verdicts` in their stored form. One that is simulated counts for nothing."""

    number: int
    workspace_id: int
    type: str
    verdicts: bytes
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class PastDelivery:
    """What of a stored, final delivery counts for facts; `ended_at_ms` is when its last attempt began.

    `also` are the further subscriptions that it served.
    """

    id: int
    subscription_id: int
    state: DeliveryState
    ended_at_ms: int
    detail: str
    is_simulated: bool = False
    also: tuple[int, ...] = ()


class FactStore(Protocol):
    """What keeps facts."""

    async def facts(self) -> KeptFacts:
        """Everything that was kept."""

    async def keep_facts(self, changed: KeptFacts) -> None:
        """Keep what has changed, and how far it reaches, in one transaction."""

    async def events_after(self, number: int, limit: int) -> list[PastEvent]:
        """Stored events with greater numbers, in their order."""

    async def ended_after(self, number: int, limit: int) -> list[PastDelivery]:
        """Deliveries with greater ids that were delivered or are dead, in their order."""
