"""Forgetting: issues and incidents that nobody has heard of for long go, in slices, and so does what explains nothing any more.

A chore of housekeeping. A walk over what is old begins once an hour and takes a bounded number of slices in each round;
between two of them everybody else has their turn. Issues are forgotten under the lock that batches and commands take, so
that what comes again is new, whatever was in memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog

from alertd.clock import DAY_MS
from alertd.engine.issues.changes import LOOK_BACK_MS
from alertd.engine.issues.forgetting import Age

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prometheus_client import Counter

    from alertd.clock import Clock
    from alertd.engine.issues.forgetting import Forgotten
    from alertd.metrics import Metrics
    from alertd.store.issues import IssueStore
    from alertd.weighing import Issues

WALK_SECONDS: Final = 3600
"""How often a walk over all that is old begins."""
SLICE: Final = 250
"""How many issues, incidents or other rows one transaction looks at."""
ROUND_SLICES: Final = 100
"""How many slices one round takes; the walk goes on in the next one."""
PAUSE_SECONDS: Final = 0.01
"""The pause between two slices, so that nobody waits for them."""
_log = structlog.get_logger("alertd.forgetting")


class Forgetting:
    """The chore. `retention_days` None keeps issues and incidents for ever; it may change while it runs."""

    def __init__(
        self, store: IssueStore, issues: Issues, clock: Clock, metrics: Metrics, retention_days: float | None
    ) -> None:
        self._store = store
        self._issues = issues
        self._clock = clock
        self._metrics = metrics
        self.retention_days = retention_days
        self._todo: deque[Callable[[], Awaitable[bool]]] = deque()
        self._next_at = clock.monotonic()
        self._behind = 0
        self._gone = {"issues": 0, "incidents": 0, "changes": 0}

    async def __call__(self) -> None:
        """Begin a walk when it is time, or go on with it. Raises StoreError; the walk then goes on in the next round."""
        if not self._todo:
            if self._clock.monotonic() < self._next_at:
                return
            self._next_at = self._clock.monotonic() + WALK_SECONDS
            self._todo.extend((self._changes, self._samples, self._old_issues, self._incidents))
        for _ in range(ROUND_SLICES):
            if await self._todo[0]():
                self._todo.popleft()
            if not self._todo:
                self._tell()
                return
            await asyncio.sleep(PAUSE_SECONDS)

    async def _changes(self) -> bool:
        """Forget changes that explain nothing any more; True: there are none left."""
        gone = await self._store.forget_changes(self._clock.now_ms() - LOOK_BACK_MS, SLICE)
        self._gone["changes"] += gone
        return gone < SLICE

    async def _samples(self) -> bool:
        """Forget which issue an event was of that is no longer there; True: there is none left."""
        return await self._store.forget_samples(SLICE) < SLICE

    async def _old_issues(self) -> bool:
        return await self._walk("issues", self._issues.forget, self._metrics.issues_forgotten)

    async def _incidents(self) -> bool:
        return await self._walk("incidents", self._store.forget_incidents, self._metrics.incidents_forgotten)

    async def _walk(self, what: str, forget: Callable[[Age, int, int], Awaitable[Forgotten]], counted: Counter) -> bool:
        """Forget the next ones that are old; True: there are none left, or they are kept for ever."""
        if self.retention_days is None:
            self._behind = 0
            return True
        now_ms = self._clock.now_ms()
        age = Age(now_ms, int(min(self.retention_days * DAY_MS, now_ms)))  # nothing is from before 1970
        forgotten = await forget(age, self._behind, SLICE)
        self._gone[what] += len(forgotten.ids)
        counted.inc(len(forgotten.ids))
        self._behind = forgotten.beyond or 0
        return forgotten.beyond is None

    def _tell(self) -> None:
        if any(self._gone.values()):
            _log.info("issues.forgotten", **self._gone)
            self._gone = dict.fromkeys(self._gone, 0)
