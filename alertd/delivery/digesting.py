"""What a digest says: the alerts that it lists, and an event that stands for all of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from alertd.destinations.base import Digest, DigestEntry
from alertd.model.digest import DIGEST_TYPE
from alertd.model.ids import ALERT, format_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.model.digest import KeptDigest, Listed

REASON: Final = (
    "More alerts came than this destination's queue holds. Each of them is in the history and can be replayed."
)
"""Why several alerts come together."""


def digest_of(digest: KeptDigest, listed: Sequence[Listed], link: Callable[[str], str]) -> Digest:
    """Write the digest as messages have it; `link` makes the address of an alert's page from its outside id."""
    entries = (DigestEntry(each.event, link(format_id(ALERT, each.event_number)), each.trigger) for each in listed)
    return Digest(tuple(entries), digest.count, REASON, digest.worst, digest.projects)


def digest_event(
    delivery_id: str, workspace: str, at: str, url: str, digest: KeptDigest, listed: Sequence[Listed]
) -> bytes:
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
