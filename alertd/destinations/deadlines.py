"""Deadlines of many requests on one timer: what takes too long is cancelled, at most `TICK_SECONDS` late.

A timer for each request costs more than the rest of waiting for it, and hardly any of them ever fires.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

TICK_SECONDS: Final = 0.02
"""How often running requests are looked at."""


class Deadline:
    """One request's. `fired` says that its task was cancelled because the time was over."""

    __slots__ = ("at", "cancelling", "done", "fired", "task")

    def __init__(self, task: asyncio.Task[object], at: float) -> None:
        self.task = task
        self.at = at
        self.cancelling = task.cancelling()
        self.done = False
        self.fired = False

    def was_it(self) -> bool:
        """Whether the cancellation that arrived is this deadline's own, and nobody else's; takes it back then."""
        return self.fired and self.task.uncancel() <= self.cancelling

    def from_outside(self) -> bool:
        """Whether somebody cancelled the task since the request began."""
        return self.task.cancelling() > self.cancelling


class Deadlines:
    """All deadlines of one length, in `seconds`, so that the first to begin is the first to end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def begin(self) -> Deadline:
        """Begin one for the running task; set `done` when it is no longer needed."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task")
        made = Deadline(task, self._loop.time() + self._seconds)
        self._running.append(made)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        return made

    def _tick(self) -> None:
        running, now = self._running, self._loop.time()
        while running and (running[0].done or running[0].at <= now):
            over = running.popleft()
            if not over.done:
                over.fired = True
                over.task.cancel()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick) if running else None
