"""What makes resources live gives way to events."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from alertd.app.live import REST_SECONDS, LiveRules

ANY: Any = None


def live_with(queued_events: int) -> LiveRules:
    """Connect to a pipeline in which so many events wait for their commit."""
    live = LiveRules(ANY, ANY)
    pipeline: Any = SimpleNamespace(queued_events=queued_events)
    live.connect(ANY, pipeline)
    return live


async def test_changes_rest_while_events_wait() -> None:
    """For as long as is said."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await live_with(1).give_way()
    assert loop.time() - begun >= REST_SECONDS * 0.99


async def test_changes_do_not_rest_when_nothing_waits() -> None:
    """Neither with an idle pipeline nor before there is one: not a turn of the loop passes."""
    for live in (live_with(0), LiveRules(ANY, ANY)):
        resting = asyncio.ensure_future(live.give_way())
        await asyncio.sleep(0)
        assert resting.done()
