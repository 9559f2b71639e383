"""How a delivery becomes a message: numbers turned into the names that users gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alertd.clock import rfc3339
from alertd.delivery.digesting import digest_event, digest_of
from alertd.delivery.judgement import created_ms
from alertd.destinations.base import Message
from alertd.model.digest import DIGEST_TYPE, read
from alertd.model.ids import ALERT, DELIVERY, format_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alertd.delivery.acknowledging import AcknowledgeLinks
    from alertd.model.delivery import Delivery
    from alertd.model.digest import KeptDigest


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
            return self._digest(delivery, delivery.digest, workspace)
        names = self.names
        alert_id = format_id(ALERT, delivery.event_number)
        url = self.link(alert_id)
        time, simulated = delivery.when()
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
            time,
            delivery.issue,
            acknowledge_url=self._acknowledge(url, alert_id, delivery)
            if delivery.destination_id in self.linked
            else "",
            maybe_duplicate=delivery.ambiguous,
            note="simulated" if simulated else "",
        )

    def _digest(self, delivery: Delivery, digest: KeptDigest, workspace: str) -> Message:
        """Write a digest's message. Its subscription and channel are those of its oldest alert."""
        names = self.names
        delivery_id = format_id(DELIVERY, delivery.id)
        listed = read(digest.body)
        at = rfc3339(created_ms(delivery))
        url = self.list_link(workspace, delivery_id)
        return Message(
            delivery_id,
            format_id(ALERT, delivery.event_number),
            delivery.attempts + 1,
            workspace,
            names.get(delivery.subscription_id, ""),
            names.get(delivery.channel_id, ""),
            None,
            DIGEST_TYPE,
            digest_event(delivery_id, workspace, at, url, digest, listed),
            url,
            time=at,
            digest=digest_of(digest, listed, self.link),
            maybe_duplicate=delivery.ambiguous,
        )

    def _acknowledge(self, url: str, alert_id: str, delivery: Delivery) -> str:
        return f"{url}/acknowledge?{self.links.query(alert_id, created_ms(delivery))}" if self.links else ""
