"""Rounds: what is looked at from time to time for all lanes, one thing after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from alertd.delivery.expiry import Expiry
    from alertd.delivery.lane import Lane
    from alertd.delivery.spiller import Spiller

SPILL_SECONDS: Final = 1.0
"""How often lanes with a bound are looked at, whether more waits for them."""

SWEEP_ROUNDS: Final = 10
"""Every so many rounds deliveries that wait for a disabled or dead destination are looked at, whether they waited too long."""


class Rounds:
    """Goes round for ever. `spiller` None: nothing spills. `on_failure` is told when the store fails for good."""

    def __init__(
        self,
        lanes: Callable[[], Collection[Lane]],
        expiry: Expiry,
        spiller: Spiller | None,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._lanes = lanes
        self._expiry = expiry
        self._spiller = spiller
        self._on_failure = on_failure

    async def run(self) -> None:
        """Go round until cancelled."""
        try:
            while True:
                for _ in range(SWEEP_ROUNDS):
                    await asyncio.sleep(SPILL_SECONDS)
                    await self.spill()
                await self.sweep()
        except Exception as error:  # noqa: BLE001 - the boundary of this task; the dispatcher dies of it
            self._on_failure(error)

    async def spill(self) -> None:
        """Put together in digests what waits beyond the bounds."""
        if self._spiller is not None:
            await self._spiller.look(list(self._lanes()))

    async def sweep(self) -> None:
        """Make dead what waited longer than `give_up_after_seconds` for a destination that takes nothing."""
        await self._expiry.sweep(list(self._lanes()))
