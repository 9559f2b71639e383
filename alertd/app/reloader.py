"""The reloader: reads the configuration again when a signal asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable


class Reloader:
    """The service that reads the configuration again after a hang-up; several in a row are one."""

    name = "reloader"

    def __init__(self, hangups: asyncio.Event, reload: Callable[[], Awaitable[None]]) -> None:
        self._hangups = hangups
        self._reload = reload
        self._stopping = False

    async def run(self) -> None:
        """Wait for hang-ups until stopped."""
        while not self._stopping:
            await self._hangups.wait()
            self._hangups.clear()
            if not self._stopping:
                await self._reload()

    def stop(self) -> None:
        """End after the reload at hand."""
        self._stopping = True
        self._hangups.set()
