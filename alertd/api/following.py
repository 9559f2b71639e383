"""The follower: reads what happened from the store, once for all who stand at the same place."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from alertd.api.live import Told

if TYPE_CHECKING:
    from alertd.api.context import Context
    from alertd.store.following import Position

PAGE_ENTRIES: Final = 250
"""How many events, and how many outcomes, are read at once; a stream holds no more than one page in memory."""
PAGES_KEPT: Final = 8
"""How many pages are kept for those who come to the same place a little later."""
LOOK_SECONDS: Final = 1.0
"""How long a stream waits for the hub before it looks by itself: not everything that ends a delivery rings."""


class Follower:
    """Pages of what happened behind a position."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages: OrderedDict[Position, tuple[asyncio.Task[Told], asyncio.Event]] = OrderedDict()

    async def behind(self, position: Position) -> Told:
        """The page behind a position; several who ask for the same one get the same. Raises StoreUnavailableError.

        One that is being read is not shared any more when the hub has rung meanwhile.
        """
        ring = self._context.hub.next_ring()
        page, begun = self._pages.get(position, (None, None))
        if page is None or (not page.done() and begun is not ring):
            page = asyncio.get_running_loop().create_task(self._read(position))
            self._pages[position] = (page, ring)
            page.add_done_callback(lambda done: self._finished(position, done))
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        return await asyncio.shield(page)

    async def more(self, ring: asyncio.Event, seconds: float) -> None:
        """Wait until the hub rings, but no longer than a time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LOOK_SECONDS)):
                await ring.wait()

    async def _read(self, position: Position) -> Told:
        happened = await self._context.store.happened(position, PAGE_ENTRIES)
        return Told(happened, position, self._context.names)

    def _finished(self, position: Position, done: asyncio.Task[Told]) -> None:
        """Forget a page that holds nothing: more will come behind its position."""
        failed = done.cancelled() or done.exception() is not None
        if self._pages.get(position, (None,))[0] is done and (failed or done.result().happened.position == position):
            del self._pages[position]
