"""Deliveries as the API shows them: whether one is in flight, why it ended, its attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alertd.api.endings import why_ended
from alertd.api.views import delivery_view
from alertd.clock import rfc3339_or_none
from alertd.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.api.context import Context
    from alertd.model.destination import RetryOptions


class DeliveryViews:
    """Shows rows of deliveries."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def view(self, row: dict[str, Any]) -> dict[str, Any]:
        """Show one with its attempts."""
        return (await self.views([row]))[0]

    async def views(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Show some with their attempts, which are read at once."""
        attempts = await self._context.store.attempts_of([row["id"] for row in rows if row["attempts"]])
        return [self.plain(row, attempts.get(row["id"], ())) for row in rows]

    async def with_lanes(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Show some with their attempts, and what their lanes do now (None: the destination is gone)."""
        views = await self.views(rows)
        lanes = {number: self._lane(number) for number in {row["destination_id"] for row in rows}}
        return [{**view, "lane": lanes[row["destination_id"]]} for view, row in zip(views, rows, strict=True)]

    def _lane(self, destination_id: int) -> dict[str, Any] | None:
        try:
            now = self._context.dispatcher.snapshot(destination_id)
        except NotFoundError:  # it was removed
            return None
        return {
            "state": now.state,
            "queue_depth": now.depth,
            "breaker_state": now.breaker,
            "paused_until": rfc3339_or_none(now.paused_until_ms),
            "rests_until": rfc3339_or_none(now.rests_until_ms),
        }

    def plain(self, row: dict[str, Any], attempts: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """Show one with these attempts."""
        in_flight = row["id"] in self._context.dispatcher.in_flight
        view = delivery_view(row, self._context.names, in_flight=in_flight, attempts=attempts)
        return {**view, "reason": None if in_flight else why_ended(row, self._retry_of(row["destination_id"]))}

    def _retry_of(self, destination_id: int) -> RetryOptions | None:
        try:
            return self._context.dispatcher.snapshot(destination_id).retry
        except NotFoundError:  # it was removed
            return None
