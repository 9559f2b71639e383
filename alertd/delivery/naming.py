"""How a delivery becomes a message: numbers turned into the names that users gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.delivery.digesting import digest_message
from alertd.delivery.judgement import created_ms
from alertd.destinations.base import Message
from alertd.model.event import time_and_simulated
from alertd.model.ids import ALERT, DELIVERY, format_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.delivery.acknowledging import AcknowledgeLinks
    from alertd.model.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Naming:
    """What messages need of the ruleset; exchanged as one when the rules change.

    Shapes: `names` maps the store's numbers of subscriptions and channels to their names (an unknown one reads as the
    empty string); `link` makes the address of an alert's page from its outside id (`alt_…`); `links` signs what
    acknowledges the alert, for the destinations `linked`; `list_link` makes the address of a digest's list from its workspace
    and outside id (`dlv_…`).
    """

    names: Mapping[int, str]
    link: Callable[[str], str]
    links: AcknowledgeLinks | None = None
    linked: frozenset[int] = frozenset()
    list_link: Callable[[str, str], str] = lambda workspace, delivery_id: ""

    def message(self, delivery: Delivery, workspace: str) -> Message:
        """Write the message for a delivery's next attempt."""
        if delivery.digest is not None:
            return digest_message(delivery, delivery.digest, self, workspace)
        names = self.names
        alert_id = format_id(ALERT, delivery.event_number)
        url = self.link(alert_id)
        time, simulated = time_and_simulated(delivery.payload)
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
            url,
            simulated,
            time=time,
            issue=delivery.issue,
            acknowledge_url=self._acknowledge(url, alert_id, delivery)
            if delivery.destination_id in self.linked
            else "",
            maybe_duplicate=delivery.ambiguous,
            note="simulated" if simulated else "",
        )

    def _acknowledge(self, url: str, alert_id: str, delivery: Delivery) -> str:
        return f"{url}/acknowledge?{self.links.query(alert_id, created_ms(delivery))}" if self.links else ""
