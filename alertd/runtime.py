"""How long-lived things live: one contract for all of them, and the runner that starts, watches and stops them."""

from __future__ import annotations

from typing import Protocol


class Service(Protocol):
    """Something long-lived.

    `run` works until it is cancelled, or until `stop` was asked and the work at hand is done. `stop` only asks; asking
    twice, or before `run`, is fine. A `run` that raises, or returns without having been asked, has died.
    """

    name: str

    async def run(self) -> None:
        """Work."""

    def stop(self) -> None:
        """Ask to finish what is at hand and return from `run`."""
