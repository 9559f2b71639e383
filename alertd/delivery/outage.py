"""An outage of the store as the log tells it: one line when something begins to wait for it, one when it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from alertd.errors import StoreUnavailableError

_log = structlog.get_logger("alertd.delivery")


class Outage:
    """What one kind of work meets. `failures` counts its tries since the last one that the store took."""

    __slots__ = ("_waiting", "failures")

    def __init__(self, waiting: str) -> None:
        self.failures = 0
        self._waiting = waiting

    def failed(self, error: StoreUnavailableError) -> None:
        """Take note that the store was not available."""
        self.failures += 1
        if self.failures == 1:
            _log.warning("store.unavailable", waiting=self._waiting, detail=str(error))

    def passed(self) -> None:
        """Take note that it was."""
        if self.failures:
            _log.info("store.recovered", waiting=self._waiting, failures=self.failures)
            self.failures = 0
