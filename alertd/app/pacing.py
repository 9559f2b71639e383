"""The pace of a lane: what was configured, or else what the destination's provider asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from alertd.destinations.base import Bursting

if TYPE_CHECKING:
    from alertd.destinations.base import DestinationType
    from alertd.model.destination import DeliveryOptions, Destination

HEADROOM: Final = 0.95
"""Which part of a provider's pace is used: requests that begin a second apart may arrive a little less than that apart."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a provider takes: messages a second, and how many at once after a quiet time (None: no more than the pace)."""

    per_second: float
    burst: float | None = None

    @classmethod
    def of(cls, kind: DestinationType, settings: Any) -> Pace | None:
        """Return the pace of a type's provider, a little less than it allows; None: the provider asks for none."""
        rate = kind.rate_per_second(settings)
        if rate is None:
            return None
        return cls(rate * HEADROOM, kind.burst(settings) * HEADROOM if isinstance(kind, Bursting) else None)


def paced(
    options: DeliveryOptions, pace: Pace | None, own: Destination, defaults: DeliveryOptions
) -> tuple[DeliveryOptions, float | None]:
    """Lay a provider's pace under the options of a destination; return them, and the burst.

    A rate that somebody configured is theirs: for all destinations, or for this one, where `null` means none at all.
    """
    configured = "rate_per_second" in own.queue.model_fields_set or defaults.queue.rate_per_second is not None
    if pace is None or configured:
        return options, None
    queue = options.queue.model_copy(update={"rate_per_second": pace.per_second})
    return options.model_copy(update={"queue": queue}), pace.burst
