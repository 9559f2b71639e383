"""Work that blocks, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from alertd.destinations.own_thread import in_own_thread

DEADLINE = 60.0


async def test_what_it_returns_or_raises_is_told() -> None:
    """As if it had been called, by a thread of the name that was asked for, which the end of the process does not wait for."""

    def fail() -> None:
        raise OSError("no disk")

    async with asyncio.timeout(DEADLINE):
        thread = await in_own_thread(threading.current_thread, "mine")
        assert (thread.name, thread.daemon) == ("mine", True)
        with pytest.raises(OSError, match="no disk"):
            await in_own_thread(fail, "mine")


async def test_what_hangs_keeps_nobody_waiting() -> None:
    """Neither other work of the kind, whatever number hangs, nor what the loop does in its own threads."""
    gate = threading.Event()
    hanging = [in_own_thread(partial(gate.wait, DEADLINE), "hanging") for _ in range(64)]
    async with asyncio.timeout(DEADLINE):
        assert await in_own_thread(int, "another") == 0
        assert await asyncio.to_thread(int) == 0
        assert not any(each.done() for each in hanging)
        gate.set()
        assert all(await asyncio.gather(*hanging))


@pytest.mark.parametrize("forsaken", [False, True])
async def test_its_end_is_told_whoever_waits(*, forsaken: bool) -> None:
    """Not before the work has ended, and before the one who waits goes on."""
    gate, ended = threading.Event(), asyncio.Event()
    done = in_own_thread(partial(gate.wait, DEADLINE), "work", ended.set)
    async with asyncio.timeout(DEADLINE):
        await asyncio.sleep(0)
        if forsaken:
            done.cancel()
        assert not ended.is_set()
        gate.set()
        if not forsaken:
            assert await done
            assert ended.is_set()
        await ended.wait()


async def test_what_is_no_exception_is_told_too() -> None:
    """As one: as it is, it would end the loop, or never reach who waits."""

    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        await in_own_thread(leave, "leaving")
