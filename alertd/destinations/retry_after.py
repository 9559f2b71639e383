"""The Retry-After header (RFC 9110, 10.2.3): seconds or a date. Pure; whatever it does not understand, it ignores."""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,9})?", re.ASCII)
_DATE_MAX: Final = 64
"""Characters; a date has 29."""


def parse_retry_after(value: str | None, now_seconds: float) -> float | None:
    """Read a Retry-After value as seconds from now, 0 or more; None when absent or garbage."""
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if len(text) > _DATE_MAX:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    try:
        wait = aware.timestamp() - now_seconds
    except (ValueError, OverflowError):
        return None
    return max(0.0, wait) if math.isfinite(wait) else None
