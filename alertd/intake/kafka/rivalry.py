"""Whether another member joins the group under the same instance id. The broker lets each push the other out, for ever.

Both then read every record, and both send what follows from it. aiokafka tells it apart from no other rebalance: the sign
is that the group refuses commit after commit. It comes about where a copy of a store is run beside the original.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import structlog

REFUSALS: Final = 10
"""So many refused commits within `WINDOW_SECONDS` are no rebalance of others."""
WINDOW_SECONDS: Final = 60.0
QUIET_SECONDS: Final = 600.0
"""How long nothing more is said of it."""

_log = structlog.get_logger("alertd.kafka")


class Rivalry:
    """Counts refused commits of one member; `instance_id` None means a dynamic member, which has no rival."""

    def __init__(self, instance_id: str | None) -> None:
        self._instance_id = instance_id
        self._refused: deque[float] = deque(maxlen=REFUSALS)
        self._quiet_until = 0.0

    def refused(self, now: float) -> None:
        """Take a commit that the group refused, at a time of the loop's clock in seconds; say what it looks like."""
        self._refused.append(now)
        if self._instance_id is None or now < self._quiet_until:
            return
        if len(self._refused) == REFUSALS and now - self._refused[0] <= WINDOW_SECONDS:
            self._quiet_until = now + QUIET_SECONDS
            _log.warning(
                "kafka.instance_id_in_use",
                instance_id=self._instance_id,
                note="another member seems to have the same instance id, as a copy of this store has: each pushes the "
                "other out, and both read every record; stop one, or give it an intake.kafka.instance_id of its own",
            )
