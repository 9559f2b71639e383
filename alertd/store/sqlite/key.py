"""An idempotency key as it is kept: 16 bytes. A canonical UUID is kept as it is, any other id as its digest."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

UID_BYTES: Final = 16

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_UUID_LENGTH: Final = 36

Uid = bytes
"""An event's id as it is kept."""


def stored_key(event_id: str) -> Uid:
    """Return the form in which an event's id stands in `event_key.uid`; that two ids share one is beyond chance."""
    if len(event_id) == _UUID_LENGTH and _UUID(event_id):
        return bytes.fromhex(event_id.replace("-", ""))
    return blake2b(event_id.encode(), digest_size=UID_BYTES).digest()
