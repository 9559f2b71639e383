"""What makes resources live gives way to events."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from alertd.app.live import REST_FACTOR, REST_MAX_SECONDS, LiveRules
from alertd.errors import InvalidError, Problem
from alertd.matching.index import RulesetTooLargeError

ANY: Any = None


def live_with(queued_events: int) -> LiveRules:
    """Connect to a pipeline in which so many events wait for their commit."""
    live = LiveRules(ANY, ANY)
    pipeline: Any = SimpleNamespace(queued_events=queued_events)
    live.connect(ANY, pipeline)
    return live


@pytest.mark.parametrize(("took", "least"), [(0.002, 0.002 * REST_FACTOR), (60.0, REST_MAX_SECONDS)])
async def test_changes_rest_while_events_wait(took: float, least: float) -> None:
    """They rest by how long they took, but not for ever."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(60):
        await live_with(1).give_way(took)
    assert loop.time() - begun >= least * 0.9


async def test_changes_do_not_rest_when_nothing_waits() -> None:
    """Neither with an idle pipeline nor before there is one: not a turn of the loop passes."""
    for live in (live_with(0), LiveRules(ANY, ANY)):
        resting = asyncio.ensure_future(live.give_way(1.0))
        await asyncio.sleep(0)
        assert resting.done()


async def test_patterns_that_do_not_fit_together_are_the_callers_fault() -> None:
    """Refused at the pattern, with what to do, before anything is kept: not an error of the server."""

    async def compile_all(*_: object) -> None:
        raise RulesetTooLargeError(18, 65536)

    rules: Any = SimpleNamespace(compiling=SimpleNamespace(compile=compile_all))
    snapshot: Any = SimpleNamespace(assembled=True, workspaces=list)
    config: Any = SimpleNamespace(mail=None)
    for prepare in (LiveRules(rules, ANY).prepare, LiveRules(rules, ANY).prepare_alone):
        with pytest.raises(InvalidError) as caught:
            await prepare(snapshot, config)
        [problem] = caught.value.problems
        assert problem == Problem("/pattern", "18 patterns do not fit into 65536 bytes: have fewer, or shorter ones")
