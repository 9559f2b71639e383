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

    `burst` is how many attempts the rate of `options` lets begin at once after a quiet time (None: a tenth of a second's).
    """

    destination_id: int
    workspace: str
    name: str
    options: DeliveryOptions
    enabled: bool
    open: OpenDestination
    burst: float | None = None
