"""What destinations remember, as a store keeps it: short texts by destination and key."""

from __future__ import annotations

from typing import Final, Protocol

ENTRIES_MAX: Final = 10_000
"""Entries of one destination; beyond it those not used for longest are forgotten."""

UNUSED_MS: Final = 180 * 24 * 3600 * 1000
"""What was not used for half a year is forgotten, also of destinations that are no more."""

TOUCH_MS: Final = 24 * 3600 * 1000
"""A look counts as a use, but is noted once a day at most: looking is no write."""


class RecallStore(Protocol):
    """What keeps a destination's memory over restarts. For convenience: nothing depends on an entry being there."""

    async def recall(self, destination_id: int, key: str, now_ms: int) -> str | None:
        """Return what a destination remembers, or None; this is a use of it."""

    async def remember(self, destination_id: int, key: str, value: str, now_ms: int) -> None:
        """Remember in place of what was there, and forget what is too much or too old."""
