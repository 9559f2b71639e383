"""What a service calls and waits for, as the service suite needs it: it says when it has begun, and can be broken."""

from __future__ import annotations

import asyncio

from tests.conformance.service_suite import DEADLINE

TURNS = 10
"""Turns of the event loop that one piece of work takes."""


class Work:
    """Work that takes some turns of the loop; `broken`, it then raises, also what is under way."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.broken = False

    async def __call__(self, *given: object) -> None:
        """Work."""
        self.begun.set()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if self.broken:
            raise OSError("what it stands on is gone")

    async def under_way(self) -> None:
        """Return in the turn in which a piece of work has begun."""
        async with asyncio.timeout(DEADLINE):
            await self.begun.wait()
