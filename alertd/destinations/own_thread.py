"""Work that blocks, in a thread of its own: what hangs there keeps nobody else waiting, nor the end of the process.

In the loop's own pool of threads a few that hang would keep all others waiting, and the process as well when it ends.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_own_thread(work: Callable[[], T], name: str, ended: Callable[[], None] = lambda: None) -> asyncio.Future[T]:
    """Begin it in a thread of that name; the future gives what it returns or raises. Who stops waiting leaves it to its end.

    `ended` is called in the loop when it has ended, whether anybody waits or not. Raises RuntimeError when there can be no
    more threads.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        tell = _end_of(work, done)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(take, tell)

    def take(tell: Callable[[], None]) -> None:
        ended()
        if not done.done():
            tell()

    threading.Thread(target=run, name=name, daemon=True).start()
    return done


def _end_of(work: Callable[[], T], done: asyncio.Future[T]) -> Callable[[], None]:
    """Do it, and return what tells whoever waits."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - the boundary of a thread: whoever waits is told
        return partial(done.set_exception, error)
    except BaseException as error:  # noqa: BLE001 - the same; as it is, it would end the loop of who waits
        failed = RuntimeError(f"{type(error).__name__}: {error}")
        failed.__cause__ = error
        return partial(done.set_exception, failed)
    return partial(done.set_result, result)
