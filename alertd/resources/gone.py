"""The audit log's lines about destinations that the daemon itself disabled, since their receivers want nothing more (410)."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from alertd.delivery.persistence import until_stored
from alertd.resources.change import Noted
from alertd.resources.kinds import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ACTOR: Final = "alertd"
"""Whom the log names for what nobody did."""


class GoneLog:
    """The service that writes them, each as soon as the store takes it; no more wait than there are destinations."""

    name = "gone-log"

    def __init__(self, note: Callable[[str, Noted], Awaitable[None]]) -> None:
        self._note = note
        self._waiting: deque[Noted] = deque()
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()

    def tell(self, workspace: str, name: str, reason: str) -> None:
        """Have a destination's line written."""
        self._waiting.append(Noted("disabled", (DESTINATION.word, workspace, name), None, {"reason": reason}))
        self._news.set()

    async def run(self) -> None:
        """Write until stopped, and what waits then."""
        while self._waiting or not self._hurry.is_set():
            await self._news.wait()
            while self._waiting:
                await until_stored(partial(self._note, ACTOR, self._waiting.popleft()), "audit log", self._hurry)
            if not self._hurry.is_set():
                self._news.clear()

    def stop(self) -> None:
        """End after the last line."""
        self._hurry.set()
        self._news.set()
