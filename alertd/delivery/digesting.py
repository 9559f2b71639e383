"""How a digest becomes a message: what it says, the alerts that it lists, and an event that stands for all of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.clock import rfc3339
from alertd.delivery.judgement import created_ms
from alertd.destinations.base import Digest, DigestEntry, Message
from alertd.model.digest import DIGEST_TYPE, read
from alertd.model.ids import ALERT, DELIVERY, format_id

if TYPE_CHECKING:
    from alertd.delivery.naming import Naming
    from alertd.model.delivery import Delivery
    from alertd.model.digest import KeptDigest, Listed

REASON: Final = (
    "More alerts came than this destination's queue holds. Each of them is in the history and can be replayed."
)
"""Why several alerts come together."""


def digest_message(delivery: Delivery, digest: KeptDigest, naming: Naming, workspace: str) -> Message:
    """Write the message for the next attempt of a digest. Its subscription and channel are those of its oldest alert."""
    delivery_id = format_id(DELIVERY, delivery.id)
    listed = read(digest.body)
    at = rfc3339(created_ms(delivery))
    url = naming.list_link(workspace, delivery_id)
    entries = (
        DigestEntry(each.event, naming.link(format_id(ALERT, each.event_number)), each.trigger) for each in listed
    )
    return Message(
        delivery_id,
        format_id(ALERT, delivery.event_number),
        delivery.attempts + 1,
        workspace,
        naming.names.get(delivery.subscription_id, ""),
        naming.names.get(delivery.channel_id, ""),
        None,
        DIGEST_TYPE,
        _event(delivery_id, workspace, at, url, digest, listed),
        url,
        time=at,
        digest=Digest(tuple(entries), digest.count, REASON, digest.worst),
        maybe_duplicate=delivery.ambiguous,
    )


def _event(delivery_id: str, workspace: str, at: str, url: str, digest: KeptDigest, listed: list[Listed]) -> bytes:
    """Write an event that stands for all alerts, for forms and templates that know nothing of digests."""
    event: dict[str, Any] = {
        "id": delivery_id,
        "type": DIGEST_TYPE,
        "workspace": workspace,
        "source": "alertd",
        "severity": digest.worst.word,
        "time": at,
        "key": delivery_id,
        "message": f"{digest.count:,} alerts. {REASON}",
        "data": {
            "count": digest.count,
            "reason": REASON,
            "alerts": [format_id(ALERT, each.event_number) for each in listed],
        },
    }
    return orjson.dumps(event | ({"url": url} if url else {}))
