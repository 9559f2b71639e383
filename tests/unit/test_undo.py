"""What is given back when something ends half-way."""

from __future__ import annotations

import asyncio

import pytest

from alertd.undo import OnFailure

DEADLINE = 60.0


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1)])
def test_any_exception_undoes_and_goes_on(error: BaseException) -> None:
    """It is done once, and the very same exception goes on."""
    undone: list[int] = []
    with pytest.raises(type(error)) as caught, OnFailure(lambda: undone.append(1)):
        raise error
    assert caught.value is error
    assert undone == [1]


def test_success_undoes_nothing() -> None:
    """What went well is kept, also where the block is left by a return."""
    undone: list[int] = []

    def returning() -> int:
        with OnFailure(lambda: undone.append(1)):
            return 3

    assert returning() == 3
    assert undone == []


async def test_a_cancellation_undoes() -> None:
    """A task that is cancelled while it waits in the block undoes, and is cancelled."""
    undone, waiting = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        with OnFailure(undone.set):
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    async with asyncio.timeout(DEADLINE):
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert undone.is_set()


def test_the_inner_one_is_undone_first() -> None:
    """As they were taken, so they are given back: the last one first."""
    undone: list[str] = []
    with (
        pytest.raises(ValueError, match="no"),
        OnFailure(lambda: undone.append("outer")),
        OnFailure(lambda: undone.append("inner")),
    ):
        raise ValueError("no")
    assert undone == ["inner", "outer"]


def test_an_error_of_undoing_tells_of_the_first() -> None:
    """What went wrong at first is the context of what went wrong then."""

    def fails() -> None:
        raise OSError("closed already")

    first = ValueError("no")
    with pytest.raises(OSError, match="closed already") as caught, OnFailure(fails):
        raise first
    assert caught.value.__context__ is first
