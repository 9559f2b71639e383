"""What the replayer gives back when a replay could not be kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from alertd.delivery.replayer import WORKSPACE_MAX, Replayer
from alertd.errors import StoreUnavailableError
from alertd.metrics import Metrics
from alertd.model.ids import IdSource
from alertd.store.memory import MemoryStore
from alertd.store.replaying import Replay
from tests.conformance.store_maker import StillClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertd.store.resource import AuditEntry

DEADLINE = 60.0


class ClosedStore(MemoryStore):
    """A store that keeps no replay: it fails, or, while `hangs`, never answers."""

    hangs = False

    @override
    async def begin_replay(self, replay: Replay, origins: Sequence[int], audit: Sequence[AuditEntry] = ()) -> None:
        """Keep nothing."""
        if self.hangs:
            await asyncio.Event().wait()
        raise StoreUnavailableError("disk full")


@pytest.mark.parametrize("hangs", [False, True], ids=["failed", "cancelled"])
async def test_a_replay_that_was_not_kept_takes_no_place(*, hangs: bool) -> None:
    """As often as one likes: neither a write that failed nor a caller that went away leaves a replay that goes on."""
    clock, metrics = StillClock(), Metrics()
    store, ids = ClosedStore(clock), IdSource(clock)
    store.hangs = hangs
    replayer = Replayer(store, clock, ids, lambda made: None, frozenset, metrics)

    def running() -> float | None:
        return metrics.registry.get_sample_value("alertd_replays_running")

    for _ in range(WORKSPACE_MAX + 1):
        replay = Replay(ids.take(), "default", "ann", b"{}", None, 0, 1.0, 0)
        beginning = asyncio.create_task(replayer.begin(replay, []))
        await asyncio.sleep(0)
        if hangs:
            assert running() == 1
            beginning.cancel()
        with pytest.raises(asyncio.CancelledError if hangs else StoreUnavailableError):
            async with asyncio.timeout(DEADLINE):
                await beginning
        assert running() == 0
    replayer.check_room("default")
