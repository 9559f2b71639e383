"""What the ruleset says about one destination, as its lane needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alertd.destinations.base import OpenDestination
    from alertd.model.destination import DeliveryOptions


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """One destination; `options` are merged, `open` belongs to the dispatcher once applied, which closes it.

    `burst` is how many attempts the rate of `options` lets begin at once after a quiet time (None: a tenth of a second's);
    `receiver` tells receivers apart: what was learnt of one holds as long as it is the same (None: as long as `open` is).
    """

    destination_id: int
    workspace: str
    name: str
    options: DeliveryOptions
    enabled: bool
    open: OpenDestination
    burst: float | None = None
    receiver: object = None

    def is_same_receiver(self, before: LaneSpec) -> bool:
        """Whether what was said to an earlier one of the destination was said by this receiver."""
        return self.open is before.open or (self.receiver is not None and self.receiver == before.receiver)
