"""How a delivery becomes a message: numbers turned into the names that users gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alertd.destinations.base import Message
from alertd.model.ids import ALERT, DELIVERY, format_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.model.delivery import Delivery


_TIME: Final = b'"time":"'


@dataclass(frozen=True, slots=True)
class Naming:
    """What messages need of the ruleset; exchanged as one when the rules change.

    Shapes: `names` maps the store's numbers of subscriptions and channels to their names (an unknown one reads as the
    empty string); `link` makes the address of an alert's page from its outside id (`alt_…`).
    """

    names: Mapping[int, str]
    link: Callable[[str], str]

    def message(self, delivery: Delivery, workspace: str) -> Message:
        """Write the message for a delivery's next attempt."""
        names = self.names
        alert_id = format_id(ALERT, delivery.event_number)
        return Message(
            format_id(DELIVERY, delivery.id),
            alert_id,
            delivery.attempts + 1,
            workspace,
            names.get(delivery.subscription_id, ""),
            names.get(delivery.channel_id, ""),
            delivery.trigger,
            delivery.event_type,
            delivery.payload,
            self.link(alert_id),
            time=time_in(delivery.payload),
            issue=delivery.issue,
        )


def time_in(payload: bytes) -> str:
    """Read an event's time out of its normalised JSON: only short texts, their quotes escaped, stand before it."""
    begin = payload.find(_TIME) + len(_TIME)
    return payload[begin : payload.find(b'"', begin)].decode() if begin >= len(_TIME) else ""
