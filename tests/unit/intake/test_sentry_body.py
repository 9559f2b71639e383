"""Bodies: what takes long with a large one is done beside the loop, not in it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from alertd.errors import DecodeError
from alertd.intake.sentry_body import DECODED_HERE_MAX_BYTES, WORKED_MAX, Bodies

if TYPE_CHECKING:
    from alertd.model.event import Event

DEADLINE = 60


async def test_a_large_body_does_not_stop_the_loop() -> None:
    """While its events are made everything else goes on, but of such bodies no more than so many are read at once."""
    bodies, begun, gate = Bodies(), threading.Semaphore(0), threading.Event()
    under_way, most = 0, 0
    lock = threading.Lock()

    def decode() -> list[Event]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        begun.release()
        assert gate.wait(DEADLINE), "the loop was stopped"
        with lock:
            under_way -= 1
        return []

    async with asyncio.timeout(DEADLINE):
        waiting = [
            asyncio.create_task(bodies.decoded(DECODED_HERE_MAX_BYTES + 1, decode)) for _ in range(WORKED_MAX + 1)
        ]
        for _ in range(WORKED_MAX):
            assert await asyncio.to_thread(begun.acquire, timeout=DEADLINE)
        gate.set()
        assert await asyncio.gather(*waiting) == [[]] * len(waiting)
    assert most == WORKED_MAX


@pytest.mark.parametrize("size", [DECODED_HERE_MAX_BYTES, DECODED_HERE_MAX_BYTES + 1])
async def test_what_a_decoder_raises_is_raised(size: int) -> None:
    """In the loop up to the bound, beyond it in a thread; what is wrong with the body is told alike."""
    where: list[bool] = []

    def decode() -> list[Event]:
        where.append(threading.current_thread() is threading.main_thread())
        raise DecodeError("no")

    with pytest.raises(DecodeError, match="no"):
        await Bodies().decoded(size, decode)
    assert where == [size <= DECODED_HERE_MAX_BYTES]
