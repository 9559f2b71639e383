"""The log of outcomes: finished attempts on their way into the store, in batches.

An attempt that was made must not be forgotten because the disk is full: until it is stored it stays here, and when
`OUTCOMES_MAX` wait, lanes begin nothing new. It is no history; once stored, an attempt is gone from memory.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from alertd.delivery.persistence import to_the_end, until_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.model.delivery import Attempt
    from alertd.store.base import OutboxStore

BATCH_ATTEMPTS: Final = 500
"""A batch is written as soon as it holds so many attempts,"""

LINGER_SECONDS: Final = 0.02
"""or so long after its first one."""

OUTCOMES_MAX: Final = 10_000
"""How many attempts may wait here before lanes pause; those in flight at that moment still come on top."""


class Owner(Protocol):
    """Who made an attempt, and wants to know when it is stored."""

    def stored(self, attempts: Sequence[Attempt]) -> None:
        """Take note that these attempts are stored."""


class OutcomeLog:
    """Collects attempts and writes them. `full` is true from `bound` waiting attempts on; `ended` counts all that came.

    `on_failure` is told when the store fails for good (anything but StoreUnavailableError), `on_stored` after each batch.
    """

    def __init__(
        self,
        store: OutboxStore,
        on_failure: Callable[[BaseException], None],
        bound: int = OUTCOMES_MAX,
        on_stored: Callable[[], None] = lambda: None,
    ) -> None:
        self.full = False
        self.ended = 0
        self._store = store
        self._on_failure = on_failure
        self._on_stored = on_stored
        self._bound = bound
        self._attempts: list[Attempt] = []
        self._owners: list[Owner] = []
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: dict[Callable[[], None], None] = {}
        self._urgent = asyncio.Event()

    def __len__(self) -> int:
        """How many attempts are not stored yet."""
        return len(self._attempts)

    def add(self, attempt: Attempt, owner: Owner) -> None:
        """Take a finished attempt; `owner.stored` is called once it is durable."""
        self.ended += 1
        attempts = self._attempts
        attempts.append(attempt)
        self._owners.append(owner)
        count = len(attempts)
        if count >= self._bound:
            self.full = True
        if self._writer is not None:
            return
        if count >= BATCH_ATTEMPTS or self._urgent.is_set():
            self._write_now()
        elif self._timer is None:
            self._linger()

    def call_when_room(self, wake: Callable[[], None]) -> None:
        """Call `wake` once when the log is no longer full (the same callable asked twice is called once)."""
        self._waiting[wake] = None

    async def close(self, deadline_seconds: float) -> int:
        """Write the rest, deaf to cancellation, but no longer than the deadline; return how many stay unwritten."""
        return await to_the_end(self._flush(deadline_seconds))

    async def _flush(self, deadline_seconds: float) -> int:
        self._urgent.set()
        if self._attempts and self._writer is None:
            self._write_now()
        while self._writer is not None:
            loop = asyncio.get_running_loop()
            started = loop.time()
            await asyncio.wait({self._writer}, timeout=max(0.0, deadline_seconds))
            deadline_seconds -= loop.time() - started
            if deadline_seconds <= 0:
                break
        writer = self._writer
        if writer is not None:
            writer.cancel()
            await asyncio.wait({writer})
        return len(self)

    def _linger(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._write_now)

    def _write_now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="outcomes")

    async def _write(self) -> None:
        try:
            while self._attempts:
                await self._write_batch()
                if not self._urgent.is_set() and len(self._attempts) < BATCH_ATTEMPTS:
                    break
        except Exception as error:  # noqa: BLE001 - the boundary of this task; the dispatcher dies of it
            self._on_failure(error)
            return
        finally:
            self._writer = None
        if self._attempts:
            self._linger()

    async def _write_batch(self) -> None:
        """Write the first attempts; they stay here until they are stored."""
        attempts, owners = self._attempts[:BATCH_ATTEMPTS], self._owners[:BATCH_ATTEMPTS]
        await until_stored(lambda: self._store.record(attempts), "outcomes", self._urgent)
        del self._attempts[: len(attempts)], self._owners[: len(attempts)]
        self._tell(attempts, owners)
        self._on_stored()
        self._make_room()

    @staticmethod
    def _tell(attempts: list[Attempt], owners: list[Owner]) -> None:
        by_owner: dict[Owner, list[Attempt]] = {}
        for attempt, owner in zip(attempts, owners, strict=True):
            by_owner.setdefault(owner, []).append(attempt)
        for owner, own in by_owner.items():
            owner.stored(own)

    def _make_room(self) -> None:
        if not self.full or len(self) >= self._bound:
            return
        self.full = False
        waiting, self._waiting = self._waiting, {}
        for wake in waiting:
            wake()
