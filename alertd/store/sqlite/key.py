"""An idempotency key as it is kept: a canonical UUID as its 16 bytes (a third less of the dearest index), else text."""

from __future__ import annotations

import re
from typing import Final

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_UUID_LENGTH: Final = 36

Uid = str | bytes
"""An event's id as it is kept."""


def stored_key(event_id: str) -> Uid:
    """Return the form in which an event's id stands in `event_key.uid`; no two ids share one."""
    if len(event_id) == _UUID_LENGTH and _UUID(event_id):
        return bytes.fromhex(event_id.replace("-", ""))
    return event_id
