"""The replayer: the service that sends many deliveries again, at the pace that was asked for, also after a restart.

What it is to do is in the store, and each step is noted there with the replays that it made.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final

import structlog

from alertd.delivery.bucket import TokenBucket
from alertd.delivery.outage import Outage
from alertd.errors import NotFoundError, StoreUnavailableError, TooManyError
from alertd.model.ids import REPLAY, format_id
from alertd.store.replaying import ReplayState
from alertd.undo import OnFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from alertd.clock import Clock
    from alertd.metrics import Metrics
    from alertd.model.delivery import Delivery
    from alertd.model.ids import IdSource
    from alertd.store.replaying import Replay, ReplayStore
    from alertd.store.resource import AuditEntry

RUNNING_MAX: Final = 8
"""How many replays may go on at once."""
WORKSPACE_MAX: Final = 2
"""How many of them one workspace may have, so that there is room for the others."""
STEP_MAX: Final = 100
"""How many deliveries one transaction sends again at most."""
BURST_SECONDS: Final = 0.25
"""So long a span's worth may be sent again at once."""
TICK_SECONDS: Final = 0.1
"""Least time between two steps of one replay that made something: a transaction for each delivery would cost too much."""
PAUSE_SECONDS: Final = 1.0
"""How long it waits when the store cannot write."""
RETRY_AFTER_SECONDS: Final = 10
"""What somebody who asks for one replay too many is told to wait."""

_log = structlog.get_logger("alertd.delivery")


class Replayer:
    """Runs replays. `offer` takes what was made; `present` says which destinations there are."""

    name = "replayer"

    def __init__(
        self,
        store: ReplayStore,
        clock: Clock,
        ids: IdSource,
        offer: Callable[[Iterable[Delivery]], None],
        present: Callable[[], frozenset[int]],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._offer = offer
        self._present = present
        self._metrics = metrics
        self._outage = Outage("replays")
        self._running: dict[int, tuple[Replay, TokenBucket]] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    async def begin(self, replay: Replay, origins: Sequence[int], audit: Sequence[AuditEntry] = ()) -> None:
        """Keep a replay with the lines that tell of it, and start with it. Raises TooManyError, StoreUnavailableError."""
        self.check_room(replay.workspace)
        self._take(replay)  # so that two who ask at once do not both find the last place
        with OnFailure(lambda: self._drop(replay.id)):
            await self._store.begin_replay(replay, origins, audit)
        self._wake.set()

    def check_room(self, workspace: str) -> None:
        """Raise TooManyError when no more replays of a workspace may go on."""
        own = sum(replay.workspace == workspace for replay, _ in self._running.values())
        if own >= WORKSPACE_MAX:
            text = f"{own} replays of the workspace {workspace!r} go on, and no more may at once: wait for one, or cancel one"
            raise TooManyError(text, RETRY_AFTER_SECONDS)
        if len(self._running) >= RUNNING_MAX:
            text = f"{len(self._running)} replays go on in all workspaces, and no more may at once"
            raise TooManyError(text, RETRY_AFTER_SECONDS)

    async def cancel(self, replay_id: int, reason: str, audit: Callable[[Replay], AuditEntry] | None = None) -> Replay:
        """End a replay, and keep what `audit` says of it if this call did it; what it has sent is sent.

        Raises NotFoundError, StoreUnavailableError.
        """
        return await self._end(replay_id, ReplayState.CANCELLED, reason, audit)

    async def run(self) -> None:
        """Go on with what was under way, then with what is asked for, until stopped."""
        for replay in await self._load():
            self._take(replay)
            _log.info("replay.resumed", replay_id=_shown(replay), looked=replay.looked, total=replay.total)
        while not self._stopping:
            self._wake.clear()
            wait = await self._round()
            if not self._stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if wait == inf else wait):
                        await self._wake.wait()

    def stop(self) -> None:
        """Make no more steps; what is not done goes on at the next start."""
        self._stopping = True
        self._wake.set()

    def _take(self, replay: Replay) -> None:
        burst = max(1.0, replay.rate * BURST_SECONDS)
        self._running[replay.id] = (replay, TokenBucket(replay.rate, self._clock.monotonic(), burst))
        self._metrics.replays_running.set(len(self._running))

    async def _load(self) -> list[Replay]:
        while not self._stopping:
            try:
                found = await self._store.running_replays()
            except StoreUnavailableError as error:
                self._outage.failed(error)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._outage.passed()
                return found
        return []

    async def _round(self) -> float:
        """Make a step of each replay that may make one; return the seconds until the next may."""
        wait = inf
        for replay, bucket in list(self._running.values()):
            seconds = bucket.wait_seconds(self._clock.monotonic())
            if not seconds and not self._stopping:
                try:
                    made = await self._step(replay, bucket)
                    self._outage.passed()
                    seconds = max(TICK_SECONDS, bucket.wait_seconds(self._clock.monotonic())) if made else 0.0
                except StoreUnavailableError as error:
                    self._outage.failed(error)
                    seconds = PAUSE_SECONDS
                except NotFoundError:  # it was begun just now
                    seconds = PAUSE_SECONDS
            if replay.id in self._running:
                wait = min(wait, seconds)
        return wait

    async def _step(self, replay: Replay, bucket: TokenBucket) -> int:
        """Make a step; return how many deliveries were sent again. Raises NotFoundError, StoreUnavailableError."""
        present = self._present()
        if replay.destination_id is not None and replay.destination_id not in present:
            await self._end(replay.id, ReplayState.FAILED, "the destination is gone")
            return 0
        count = min(STEP_MAX, bucket.ready())
        first_id, now_ms = self._ids.take(count), self._clock.now_ms()
        now, made = await self._store.step_replay(replay.id, first_id, count, now_ms, present)
        for _ in made:
            bucket.take()
        self._offer(made)
        if now.state is not ReplayState.RUNNING:
            self._drop(now.id)
            _log.info("replay.ended", replay_id=_shown(now), state=now.state.word, made=now.made, total=now.total)
        return len(made)

    async def _end(
        self,
        replay_id: int,
        state: ReplayState,
        reason: str,
        audit: Callable[[Replay], AuditEntry] | None = None,
    ) -> Replay:
        ended = await self._store.end_replay(replay_id, state, reason, self._clock.now_ms(), audit)
        self._drop(replay_id)
        return ended

    def _drop(self, replay_id: int) -> None:
        self._running.pop(replay_id, None)
        self._metrics.replays_running.set(len(self._running))


def _shown(replay: Replay) -> str:
    return format_id(REPLAY, replay.id)
