"""Writes that must get through: patient with a store that cannot write now, deaf to cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from alertd.delivery.backoff import ceiling_seconds
from alertd.delivery.outage import Outage
from alertd.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import TypeVar

    T = TypeVar("T")

INITIAL_SECONDS: Final = 0.1
MAX_SECONDS: Final = 5.0


async def until_stored(write: Callable[[], Awaitable[T]], what: str, hurry: asyncio.Event | None = None) -> T:
    """Repeat a write while the store cannot take it; return its result. Other errors pass through.

    Waits between tries grow from `INITIAL_SECONDS` to `MAX_SECONDS`; once `hurry` is set they are all short.
    """
    outage = Outage(what)
    while True:
        try:
            result = await write()
        except StoreUnavailableError as error:
            outage.failed(error)
            await _rest(ceiling_seconds(outage.failures, INITIAL_SECONDS, 2, MAX_SECONDS), hurry)
        else:
            outage.passed()
            return result


async def _rest(seconds: float, hurry: asyncio.Event | None) -> None:
    if hurry is None:
        await asyncio.sleep(seconds)
    elif hurry.is_set():
        await asyncio.sleep(INITIAL_SECONDS)
    else:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await hurry.wait()


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do work to its end even when the caller is cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled() and task.exception() is not None:
            raise cancelled from task.exception()
        raise cancelled
    return task.result()
