"""Many deadlines on one timer."""

from __future__ import annotations

import asyncio

import pytest

from alertd.destinations.deadlines import Deadlines


async def _wait(deadlines: Deadlines, forever: asyncio.Event) -> str:
    deadline = deadlines.begin()
    try:
        await forever.wait()
    except asyncio.CancelledError:
        if not deadline.was_it():
            raise
        return "late"
    finally:
        deadline.done = True
    return "done"


async def test_what_takes_too_long_is_cancelled_and_goes_on() -> None:
    """The task hears of its deadline once, and is not cancelled afterwards."""
    deadlines = Deadlines(0.01)
    async with asyncio.timeout(60):
        tasks = [asyncio.create_task(_wait(deadlines, asyncio.Event())) for _ in range(3)]
        assert await asyncio.gather(*tasks) == ["late"] * 3
        assert [task.cancelling() for task in tasks] == [0, 0, 0]


async def test_what_is_in_time_hears_nothing() -> None:
    """A deadline that is done never fires, however long its task goes on."""
    deadlines, released = Deadlines(0.01), asyncio.Event()
    released.set()
    async with asyncio.timeout(60):
        assert await _wait(deadlines, released) == "done"
        other = asyncio.create_task(_wait(deadlines, asyncio.Event()))
        assert await other == "late"


async def test_a_cancellation_of_somebody_else_passes_through() -> None:
    """Who cancels the task sees it cancelled, also when the deadline fires at the same moment."""
    deadlines = Deadlines(0.01)
    task = asyncio.create_task(_wait(deadlines, asyncio.Event()))
    async with asyncio.timeout(60):
        other = asyncio.create_task(_wait(deadlines, asyncio.Event()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await other == "late"


async def test_the_first_to_begin_is_the_first_to_end() -> None:
    """Later deadlines stand while earlier ones fire."""
    deadlines = Deadlines(0.05)
    async with asyncio.timeout(60):
        early = asyncio.create_task(_wait(deadlines, asyncio.Event()))
        assert await early == "late"
        released = asyncio.Event()
        late = asyncio.create_task(_wait(deadlines, released))
        await asyncio.sleep(0)
        released.set()
        assert await late == "done"


def test_a_deadline_needs_a_task() -> None:
    """Outside a task there is nobody to cancel."""

    async def make() -> Deadlines:
        return Deadlines(1)

    loop = asyncio.new_event_loop()
    try:
        deadlines = loop.run_until_complete(make())
        failed = loop.create_future()
        loop.call_soon(lambda: failed.set_result(_begun(deadlines)))
        assert "needs a task" in loop.run_until_complete(failed)
    finally:
        loop.close()


def _begun(deadlines: Deadlines) -> str:
    try:
        deadlines.begin()
    except RuntimeError as error:
        return str(error)
    return "begun"
